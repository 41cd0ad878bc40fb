"""Fisher's Iris: 150 flowers, four lengths in centimetres, three species."""

from __future__ import annotations

import torch

from reachbox.data.dataset import Dataset, range_of
from reachbox.data.prepare import split


def load_iris(test_share: float = 0, seed: int = 0) -> Dataset:
    """Iris as the paper uses it (Sec. 4.2): all 150 samples train and all 150 test, unless `test_share` divides them.

    `(samples, 4)`, float64, centimetres. The feature range is that of all 150 samples, also after a split: 3.6, 2.4,
    5.9, 2.4. The samples come with scikit-learn.
    """
    from sklearn import datasets

    iris = datasets.load_iris()
    x = torch.as_tensor(iris.data, dtype=torch.float64)
    y = torch.as_tensor(iris.target, dtype=torch.int64)
    train, test = split(x, y, test_share, seed)
    names = [str(name) for name in iris.target_names]
    return Dataset.of("iris", train, test, names, feature_names=list(iris.feature_names), feature_range=range_of(x))

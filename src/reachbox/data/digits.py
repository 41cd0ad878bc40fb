"""The digits of scikit-learn: 1,797 handwritten digits, small enough to train on in seconds."""

from __future__ import annotations

import torch

from reachbox.data.dataset import Dataset
from reachbox.data.prepare import split


def load_digits(test_share: float = 0.2, seed: int = 0) -> Dataset:
    """Images `(samples, 1, 8, 8)`, float64 in [0, 1]: sixteen grey levels above black, ten classes.

    Choose it where MNIST takes too long. The stratified split is the same for the same seed, the ranges are those of
    its training part. The images come with scikit-learn, which has them from the UCI repository (Optical Recognition
    of Handwritten Digits).
    """
    from sklearn import datasets

    digits = datasets.load_digits()
    x = torch.as_tensor(digits.images, dtype=torch.float64).unsqueeze(1) / 16
    y = torch.as_tensor(digits.target, dtype=torch.int64)
    train, test = split(x, y, test_share, seed)
    names = [f"pixel {row}, {column}" for row in range(8) for column in range(8)]
    return Dataset.of("digits", train, test, [str(digit) for digit in range(10)], feature_names=names)

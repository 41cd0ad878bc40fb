"""Data sets: Iris, digits, MNIST, and a user's own CSV or `.npz` file.

>>> from reachbox import data
>>> iris = data.load("iris")
>>> iris.radius(sigma=0.1)
tensor([0.3600, 0.2400, 0.5900, 0.2400], dtype=torch.float64)
"""

from __future__ import annotations

import difflib
from pathlib import Path

from reachbox.data import prepare
from reachbox.data.arrays import load_npz
from reachbox.data.columns import load_csv
from reachbox.data.dataset import Dataset
from reachbox.data.digits import load_digits
from reachbox.data.inputs import Inputs, read_input
from reachbox.data.iris import load_iris
from reachbox.data.mnist import load_mnist
from reachbox.data.prepare import split, standardise
from reachbox.errors import InputError

__all__ = [
    "Dataset",
    "Inputs",
    "load",
    "load_csv",
    "load_digits",
    "load_iris",
    "load_mnist",
    "load_npz",
    "read_input",
    "split",
    "standardise",
]

NAMES = ("iris", "digits", "mnist")


def load(
    name_or_path: str | Path,
    *,
    data_dir: str | Path | None = None,
    label: str | None = None,
    one_hot: bool = False,
    split: float | None = None,
    standardise: bool = False,
    seed: int = 0,
) -> Dataset:
    """The data set of that name, `iris`, `digits` or `mnist`, or in that file, `*.csv` or `*.npz`.

    `data_dir` is where MNIST's files lie; `label` and `one_hot` belong to a CSV. `split` is the share of the samples
    that test, drawn by `seed`; without it every data set has its own: Iris 0 (all samples train and test), digits and
    files 0.2, MNIST and a divided `.npz` the one they come with. Radii are in original units, also with `standardise`.

    Raises `InputError` for an unknown name or an option of another kind of data set, `FileError` for bad files.
    """
    name = str(name_or_path)
    kind = name if name in NAMES else Path(name).suffix.lower()
    _refuse_options_of_others(name, kind, data_dir=data_dir, label=label, one_hot=one_hot or None, split=split)
    share = {} if split is None else {"test_share": split}
    match kind:
        case "iris":
            dataset = load_iris(**share, seed=seed)
        case "digits":
            dataset = load_digits(**share, seed=seed)
        case "mnist":
            dataset = load_mnist(data_dir)
        case ".csv":
            dataset = load_csv(name, label, one_hot=one_hot, **share, seed=seed)
        case ".npz":
            dataset = load_npz(name, test_share=split, seed=seed)
        case _:
            close = difflib.get_close_matches(name.lower(), NAMES, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise InputError(f"data: {', '.join(NAMES)}, FILE.csv or FILE.npz are allowed, found {name!r}{hint}")
    return prepare.standardise(dataset) if standardise else dataset


def _refuse_options_of_others(name: str, kind: str, **options: object) -> None:
    """An option that would have no effect is a misunderstanding."""
    allowed = {
        "iris": {"split"},
        "digits": {"split"},
        "mnist": {"data_dir"},
        ".csv": {"label", "one_hot", "split"},
        ".npz": {"split"},
    }
    for option, value in options.items():
        if value is not None and kind in allowed and option not in allowed[kind]:
            raise InputError(f"data: {option} does not belong to {name}")

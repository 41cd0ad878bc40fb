"""A user's data set in an `.npz` file."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from reachbox.data.dataset import Dataset
from reachbox.data.labels import encode_labels
from reachbox.data.npz import Arrays, read_npz
from reachbox.data.prepare import split
from reachbox.errors import FileError, InputError

DIVIDED = ("x_train", "y_train", "x_test", "y_test")
WHOLE = ("x", "y")
NAMES = ("feature_names", "class_names")


def load_npz(path: Path | str, *, test_share: float | None = None, seed: int = 0) -> Dataset:
    """The data set in an `.npz` file that holds `x_train`, `y_train`, `x_test`, `y_test`, or `x` and `y`.

    Samples come first, `(samples, *features)`; every number becomes float64. `x` and `y` are split by `test_share`
    (0.2 where it is None), stratified; a file that is divided already allows none. Labels are words, or the numbers
    from 0 to k - 1, each at least once. `class_names` in the file, in the order of the outputs, allows classes that
    do not occur; `feature_names` names the features. Other arrays are not looked at.

    Raises `FileError` for a file that is damaged, lacks an array or holds a pickle, `InputError` for wrong values.
    """
    arrays = read_npz(Path(path), (*DIVIDED, *WHOLE, *NAMES))
    is_divided = any(key in arrays for key in DIVIDED)
    if is_divided and any(key in arrays for key in WHOLE):
        raise FileError(f"{path}: either {', '.join(DIVIDED)} or x, y are allowed, found both kinds")
    if is_divided and test_share is not None:
        raise InputError(f"{path}: the file has its own test set, split is not allowed")
    arrays.require(*(DIVIDED if is_divided else WHOLE))
    keys = ("y_train", "y_test") if is_divided else ("y",)
    labels, class_names = _labels(arrays, keys)
    if is_divided:
        train, test = (arrays.numbers("x_train"), labels[0]), (arrays.numbers("x_test"), labels[1])
    else:
        x = _one_label_each(arrays, labels[0])
        train, test = split(x, labels[0], 0.2 if test_share is None else test_share, seed)
    names = arrays.words("feature_names") if "feature_names" in arrays else None
    return Dataset.of(arrays.path.name, train, test, class_names, feature_names=names)


def _one_label_each(arrays: Arrays, y: Tensor) -> Tensor:
    x = arrays.numbers("x")
    if x.ndim < 2 or len(x) != len(y):
        found = f"x {tuple(x.shape)} and y {tuple(y.shape)}"
        raise InputError(f"{arrays.path}: x (samples, *features) and y (samples,) are needed, found {found}")
    return x


def _labels(arrays: Arrays, keys: tuple[str, ...]) -> tuple[list[Tensor], tuple[str, ...]]:
    """The labels under each key, encoded together, and the class names."""
    for key in keys:
        if arrays.values[key].ndim != 1 or arrays.values[key].size == 0:
            found = f"shape {arrays.values[key].shape}"
            raise InputError(f"{arrays.path}: {key!r} needs one label a sample, at least one; found {found}")
    sizes = [len(arrays.values[key]) for key in keys]
    class_names = arrays.words("class_names") if "class_names" in arrays else None
    if all(arrays.values[key].dtype.kind == "U" for key in keys):
        words = [word for key in keys for word in arrays.words(key)]
        encoded, names = _encode_words(arrays, words, class_names)
    else:
        encoded = torch.cat([_whole_numbers(arrays, key) for key in keys])
        names = class_names if class_names is not None else _numbered_classes(arrays, encoded)
    return list(torch.split(encoded, sizes)), names


def _encode_words(
    arrays: Arrays, words: list[str], class_names: tuple[str, ...] | None
) -> tuple[Tensor, tuple[str, ...]]:
    if class_names is None:
        return encode_labels(words, str(arrays.path))
    unknown = next((word for word in words if word not in class_names), None)
    if unknown is not None:
        raise InputError(f"{arrays.path}: label {unknown!r} is not among class_names {list(class_names)}")
    return torch.tensor([class_names.index(word) for word in words]), class_names


def _whole_numbers(arrays: Arrays, key: str) -> Tensor:
    numbers = arrays.numbers(key)
    bad = (numbers < 0) | (numbers != numbers.floor()) | (numbers >= 2**53)
    if bool(bad.any()):
        index = int(bad.nonzero()[0])
        found = f"{float(numbers[index]):.17g} at index {index}"
        raise InputError(f"{arrays.path}: {key!r} must hold words or whole numbers from 0, found {found}")
    return numbers.long()


def _numbered_classes(arrays: Arrays, labels: Tensor) -> tuple[str, ...]:
    present = sorted(set(labels.tolist()))
    missing = next((index for index, label in enumerate(present) if index != label), None)
    if missing is not None:
        found = f"{missing} does not occur, but {present[-1]} does; give class_names to allow it"
        raise InputError(f"{arrays.path}: labels must be the numbers from 0 to k - 1, each at least once; {found}")
    return tuple(str(label) for label in present)

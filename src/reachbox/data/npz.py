"""The arrays in a user's `.npz` file, read without ever unpickling."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from reachbox.errors import FileError, InputError
from reachbox.file_access import reading


@dataclass(frozen=True)
class Arrays:
    """The arrays of a file that were asked for, by key; `others` are the keys that were not."""

    path: Path
    values: Mapping[str, npt.NDArray[Any]]
    others: tuple[str, ...]

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def require(self, *keys: str) -> None:
        """Raise `FileError` unless all of `keys` are there."""
        missing = [key for key in keys if key not in self.values]
        if missing:
            found = ", ".join(map(repr, (*self.values, *self.others))) or "nothing"
            raise FileError(f"{self.path}: no array {', '.join(map(repr, missing))}; the file holds {found}")

    def numbers(self, key: str) -> Tensor:
        """The array as float64; `InputError` for what is not a number, not finite, or empty."""
        values = self.values[key]
        if values.dtype.kind not in "fiub":
            raise InputError(f"{self.path}: {key!r} must hold real numbers, found {values.dtype}")
        if values.size == 0:
            raise InputError(f"{self.path}: {key!r} is empty, its shape is {values.shape}")
        with np.errstate(over="ignore"):  # a longer float that overflows is reported as infinite below
            numbers = values.astype(np.float64)
        if not np.isfinite(numbers).all():
            index = tuple(int(i) for i in np.argwhere(~np.isfinite(numbers))[0])
            raise InputError(f"{self.path}: {key!r} holds {numbers[index]} at index {index}; finite numbers are needed")
        return torch.from_numpy(numbers)

    def words(self, key: str) -> tuple[str, ...]:
        """The array as words; `InputError` for what is not a list of them."""
        values = self.values[key]
        if values.dtype.kind != "U" or values.ndim != 1:
            raise InputError(f"{self.path}: {key!r} must be a list of words, found {values.dtype} {values.shape}")
        return tuple(str(word) for word in values)


def read_npz(path: Path, wanted: Collection[str]) -> Arrays:
    """Those of the arrays in `path` whose keys are `wanted`.

    Raises `FileError` for a file that is missing, truncated or of another kind, and for an array of Python objects:
    it is a pickle, which could run any program, and is never read.
    """
    with reading(path), path.open("rb") as stream:
        if not zipfile.is_zipfile(stream):
            raise FileError(f"{path}: not an .npz file, or a truncated one")
        stream.seek(0)
        with _open(path, stream) as archive:
            keys = tuple(archive.files)
            values = {key: _array(path, archive, key) for key in keys if key in wanted}
    return Arrays(path, values, tuple(key for key in keys if key not in wanted))


def _open(path: Path, stream: BinaryIO) -> Any:
    with _damage(f"{path}: not an .npz file, or a damaged one"):
        return np.load(stream, allow_pickle=False)


def _array(path: Path, archive: Any, key: str) -> npt.NDArray[Any]:
    with _damage(f"{path}: array {key!r} cannot be read"):
        values = archive[key]
    if not isinstance(values, np.ndarray):
        raise FileError(f"{path}: {key!r} is not an array")
    return values


@contextmanager
def _damage(message: str) -> Iterator[None]:
    """A damaged header raises whatever Python's tokenizer, numpy's allocator or zlib raise: all of it counts."""
    try:
        yield
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        hint = "; arrays of objects are never read" if "pickle" in reason else ""
        raise FileError(f"{message}: {reason}{hint}") from None

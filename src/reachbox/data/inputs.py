"""The samples, or boxes, that `--input FILE` names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

from torch import Tensor

from reachbox.box import ArrayLike, Box
from reachbox.data.columns import load_features
from reachbox.data.npz import Arrays, read_npz
from reachbox.errors import FileError, InputError

KEYS = ("x", "eps", "lower", "upper")


@dataclass(frozen=True, eq=False)
class Inputs:
    """Samples `x` that still need a radius, samples with their radius `eps`, or whole `boxes`.

    All float64 in the network's units, samples first. Either `x` is there, with or without `eps`, or `boxes`. `eps` is
    a number, or has the shape of one sample or of `x`. `names` are those of a CSV's columns.
    """

    path: Path
    x: Tensor | None = None
    eps: Tensor | None = None
    boxes: Box | None = None
    names: tuple[str, ...] | None = None

    @property
    def needs_radius(self) -> bool:
        """Whether the file leaves the radius to the caller."""
        return self.x is not None and self.eps is None

    def box(self, radius: ArrayLike | None = None, within: tuple[float, float] | None = None) -> Box:
        """The boxes, one a sample. `radius` is given exactly where the file has none; `within` clips boxes around `x`.

        Raises `InputError` where a radius is missing or superfluous, or for what `Box` refuses.
        """
        if self.boxes is not None:
            if radius is not None or within is not None:
                raise InputError(f"{self.path}: holds lower and upper; neither a radius nor clipping is allowed")
            return self.boxes
        given = self.eps if radius is None else radius
        if self.x is None or given is None:
            raise InputError(f"{self.path}: holds x without eps; a radius is needed")
        if self.eps is not None and radius is not None:
            raise InputError(f"{self.path}: holds eps; another radius is not allowed")
        with _located(self.path):
            return Box.around(self.x, given, within)


def read_input(path: Path | str, input_shape: tuple[int, ...] | None = None) -> Inputs:
    """What a file says to bound: an `.npz` with `x` and perhaps `eps`, or `lower` and `upper`; a `.csv` of samples.

    A CSV has a header, a row a sample and a column a feature, in the order of the network's inputs, row-major.
    `input_shape` is the network's, without the batch dimension; None accepts any. Raises `FileError` for a file that
    is damaged, holds a pickle, lacks an array or has one of another name, and `InputError` for NaN, a wrong shape, a
    negative radius or `lower > upper`.
    """
    if Path(path).suffix.lower() == ".csv":
        return _read_rows(Path(path), input_shape)
    arrays = read_npz(Path(path), KEYS)
    is_boxes = "lower" in arrays or "upper" in arrays
    if arrays.others or (is_boxes and ("x" in arrays or "eps" in arrays)):
        found = ", ".join(map(repr, (*arrays.values, *arrays.others)))
        raise FileError(f"{path}: either x (and eps), or lower and upper, are allowed; the file holds {found}")
    arrays.require(*(("lower", "upper") if is_boxes else ("x",)))
    if is_boxes:
        lower, upper = (_samples(arrays, key, input_shape) for key in ("lower", "upper"))
        with _located(arrays.path):
            return Inputs(arrays.path, boxes=Box(lower, upper))
    eps = arrays.numbers("eps") if "eps" in arrays else None
    inputs = Inputs(arrays.path, _samples(arrays, "x", input_shape), eps)
    if eps is not None:
        inputs.box()
    return inputs


def _read_rows(path: Path, input_shape: tuple[int, ...] | None) -> Inputs:
    found = load_features(path)
    shape = (len(found.names),) if input_shape is None else input_shape
    if prod(shape) != len(found.names):
        raise InputError(f"{path}: {len(found.names)} columns, but the network takes {prod(shape)} features")
    return Inputs(path, found.values.reshape(-1, *shape), names=found.names)


@contextmanager
def _located(path: Path) -> Iterator[None]:
    """Put the file's name before what `Box` says about its values."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _samples(arrays: Arrays, key: str, input_shape: tuple[int, ...] | None) -> Tensor:
    values = arrays.numbers(key)
    found = tuple(values.shape)
    if input_shape is None and values.ndim < 2:
        raise InputError(f"{arrays.path}: {key!r} needs samples first, then features; found shape {found}")
    if input_shape is not None and found[1:] != tuple(input_shape):
        needed = f"(samples, {', '.join(map(str, input_shape))})"
        raise InputError(f"{arrays.path}: {key!r} must have shape {needed}, found {found}")
    return values

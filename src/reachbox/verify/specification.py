"""What is to be verified: a set of unsafe behaviour, as alternatives of an input box and half-spaces of outputs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

import numpy as np
import numpy.typing as npt

from reachbox.errors import InputError

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class HalfSpaces:
    """The outputs `y` with `rows @ y <= bounds`, or `<` where a row is strict; all outputs where there is no row."""

    rows: Floats  # (rows, outputs)
    bounds: Floats  # (rows,)
    strict: Flags  # (rows,)

    def contain(self, y: Floats) -> bool:
        """Whether `y`, `(outputs,)`, lies in all of them, by exact arithmetic."""
        if not np.isfinite(y).all():
            return False
        values = [Fraction(value) for value in y.tolist()]
        for row, bound, strict in zip(self.rows.tolist(), self.bounds.tolist(), self.strict, strict=True):
            total = sum((Fraction(w) * value for w, value in zip(row, values, strict=True) if w), Fraction())
            if total > Fraction(bound) or (strict and total == Fraction(bound)):
                return False
        return True


@dataclass(frozen=True)
class Disjunct:
    """One alternative: an input of the closed box from `lower` to `upper` whose output lies in the half-spaces."""

    lower: Floats  # (inputs,)
    upper: Floats  # (inputs,)
    unsafe: HalfSpaces


@dataclass(frozen=True)
class Specification:
    """The unsafe set: an input and its output are unsafe when any of the `disjuncts` has both.

    Inputs and outputs are those of the network, flattened. Numbers are float64: a decimal of a file stands for the
    float64 nearest to it. Raises `InputError` for boxes that are empty or not finite and for counts that do not fit.
    """

    inputs: int
    outputs: int
    disjuncts: tuple[Disjunct, ...]

    def __post_init__(self) -> None:
        for number, disjunct in enumerate(self.disjuncts):
            lower, upper, unsafe = disjunct.lower, disjunct.upper, disjunct.unsafe
            where = f"disjunct {number}" if len(self.disjuncts) > 1 else "input box"
            if lower.shape != (self.inputs,) or upper.shape != (self.inputs,):
                raise InputError(f"{where}: {self.inputs} inputs are needed, found {lower.shape} and {upper.shape}")
            if unsafe.rows.shape != (len(unsafe.bounds), self.outputs) or unsafe.strict.shape != unsafe.bounds.shape:
                raise InputError(f"{where}: rows (rows, {self.outputs}) are needed, found shape {unsafe.rows.shape}")
            unbounded = ~(np.isfinite(lower) & np.isfinite(upper))
            if unbounded.any():
                raise InputError(f"{where}: X_{int(unbounded.argmax())} is unbounded; two numbers are needed")
            if (lower > upper).any():
                i = int((lower > upper).argmax())
                raise InputError(f"{where}: X_{i} is contradictory: at least {lower[i]} and at most {upper[i]}")

    def by_box(self) -> list[tuple[Floats, Floats, list[HalfSpaces]]]:
        """The distinct input boxes, each with all alternatives that it has."""

        def box(disjunct: Disjunct) -> tuple[bytes, bytes]:
            return disjunct.lower.tobytes(), disjunct.upper.tobytes()

        groups = [list(group) for _, group in groupby(sorted(self.disjuncts, key=box), key=box)]
        return [(group[0].lower, group[0].upper, [disjunct.unsafe for disjunct in group]) for group in groups]

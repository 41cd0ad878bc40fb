"""What solvers are asked and what they answer: plain arrays, so that both travel between processes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Ended(StrEnum):
    """How a solver's search ended, in its own words for all solvers."""

    SOLVED = "solved"
    TIMEOUT = "timeout"
    INFEASIBLE = "infeasible"
    FAILED = "failed"


@dataclass(frozen=True)
class Gates:
    """Units whose sign is open: the columns before and after the ReLU, and of the switch, 1 for above zero."""

    before: Integers
    after: Integers
    switch: Integers
    slope: Floats


@dataclass(frozen=True)
class LinearProgram:
    """`row_lower <= A v <= row_upper`, `lower <= v <= upper`, all columns bounded; the switches of `gates` are 0 or 1.

    The network's outputs are the columns from number `outputs` on.
    `A` is kept by rows: the entries of row `i` are `values[starts[i] : starts[i + 1]]`, in those `columns`.
    """

    starts: npt.NDArray[np.int32]  # (rows + 1,)
    columns: npt.NDArray[np.int32]  # (entries,)
    values: Floats  # (entries,)
    row_lower: Floats  # (rows,)
    row_upper: Floats  # (rows,)
    lower: Floats  # (columns,)
    upper: Floats  # (columns,)
    gates: Gates
    outputs: int


@dataclass(frozen=True)
class Optimum:
    """The least value of a cost: `bound` is never above it, `point` `(columns,)` is where the solver says it lies."""

    ended: Ended
    bound: float = -np.inf
    point: Floats | None = None


@dataclass(frozen=True)
class Linear:
    """Units `begin` to `begin + len(bias)`: `weight @ values[first : first + width] + bias`, then a slope below 0."""

    begin: int
    first: int
    weight: Floats  # (units, width)
    bias: Floats  # (units,)
    slope: float


@dataclass(frozen=True)
class ReluSystem:
    """A piecewise linear network: inputs, then the units of each layer; ranges of all values before their ReLU.

    The last layer holds the outputs and has slope 1.
    """

    layers: tuple[Linear, ...]
    lower: Floats  # (values,)
    upper: Floats  # (values,)


@dataclass(frozen=True)
class Counterexample:
    """The answer to "does an input give `row @ outputs >= threshold`?": one, or none if the search was `SOLVED`."""

    ended: Ended
    point: Floats | None = None

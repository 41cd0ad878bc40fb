"""Rows and columns: every value of a program is a column; units whose sign is open have one before their ReLU too."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from reachbox.reach.encoding.ranges import weights_of
from reachbox.reach.program import Floats, Integers, Program
from reachbox.solvers.problem import Gates, LinearProgram


def triangles(program: Program, low: Floats, high: Floats) -> LinearProgram:
    """The triangle relaxation, Eq. 6: each open unit between its two pieces and the chord over its range.

    `low`, `high`, `(values,)`, are proven ranges before the ReLU.
    """
    gates, slope = _gates(program, low, high), program.slope
    rows = _Rows(len(low) + len(gates))
    bounds = _affine_rows(program, low, high, gates, rows)
    z = np.arange(len(low), len(low) + len(gates))
    s, least, most = slope[gates], low[gates], high[gates]
    side = np.sign(1 - s)
    chord = (most - s * least) / (most - least)
    rows.add_pairs((gates, side), (z, -side * s), least=0.0)
    rows.add_pairs((gates, side), (z, -side), least=0.0)
    rows.add_pairs((gates, side), (z, -side * chord), most=side * (s - chord) * least)
    none = np.zeros(0, dtype=np.int64)
    return rows.problem(*bounds, Gates(none, none, none, np.zeros(0)), int(program.begin[-2]))


def big_m(program: Program, low: Floats, high: Floats) -> LinearProgram:
    """Big-M: each open unit has a switch, 1 where it is above zero; M is the end of its own proven range.

    With `z = p - n`, its parts above and below zero, a ReLU gives `a = p - s n`: `p <= u` where the switch is 1, and
    `n <= -l` where it is 0, else both are 0.
    """
    gates, slope = _gates(program, low, high), program.slope
    rows = _Rows(len(low) + 2 * len(gates))
    lower, upper = _affine_rows(program, low, high, gates, rows)
    z = np.arange(len(low), len(low) + len(gates))
    switch = z + len(gates)
    s, least, most = slope[gates], low[gates], high[gates]
    side, gap = np.sign(1 - s), np.abs(1 - s)
    rows.add_pairs((gates, side), (z, -side * s), least=0.0)
    rows.add_pairs((gates, side), (z, -side), least=0.0)
    rows.add_pairs((gates, side), (z, -side * s), (switch, -gap * most), most=0.0)
    rows.add_pairs((gates, side), (z, -side), (switch, -gap * least), most=-gap * least)
    ends = np.zeros(len(gates)), np.ones(len(gates))
    bounds = np.append(lower, ends[0]), np.append(upper, ends[1])
    return rows.problem(*bounds, Gates(z, gates, switch, s), int(program.begin[-2]))


def cost_of(row: Floats, problem: LinearProgram) -> Floats:
    """The cost of `row @ outputs` over a problem's columns."""
    cost = np.zeros(len(problem.lower))
    cost[problem.outputs : problem.outputs + len(row)] = row
    return cost


@dataclass
class _Rows:
    """Rows of a problem while they are collected, as coordinates of their entries."""

    columns: int
    matrices: list[sparse.csr_array] = field(default_factory=list)
    least: list[Floats] = field(default_factory=list)
    most: list[Floats] = field(default_factory=list)

    def add(self, matrix: sparse.csr_array, least: Floats, most: Floats) -> None:
        self.matrices.append(matrix)
        self.least.append(least)
        self.most.append(most)

    def add_pairs(
        self, *entries: tuple[Integers, Floats], least: Floats | float = -np.inf, most: Floats | float = np.inf
    ) -> None:
        """One row for each element of the entries, which are pairs of a column and its coefficient."""
        count = len(entries[0][0])
        places = np.tile(np.arange(count), len(entries))
        columns, values = (np.concatenate(part) for part in zip(*entries, strict=True))
        matrix = sparse.csr_array((values, (places, columns)), shape=(count, self.columns))
        self.add(matrix, np.broadcast_to(least, count), np.broadcast_to(most, count))

    def problem(self, lower: Floats, upper: Floats, gates: Gates, outputs: int) -> LinearProgram:
        matrix = sparse.csr_array(sparse.vstack(self.matrices))
        matrix.eliminate_zeros()
        return LinearProgram(
            matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data,
            np.concatenate(self.least), np.concatenate(self.most), lower, upper, gates, outputs,
        )  # fmt: skip


def _gates(program: Program, low: Floats, high: Floats) -> Integers:
    """The hidden units whose sign is open over their range and matters."""
    hidden = np.arange(program.inputs, int(program.begin[-2]))
    matters = (low[hidden] < 0) & (high[hidden] > 0) & (program.slope[hidden] != 1)
    return np.asarray(hidden[matters], dtype=np.int64)


def _gain(program: Program, low: Floats, high: Floats) -> Floats:
    """What each value is multiplied by after its affine map: its slope where it is off throughout, else 1."""
    gain = np.where(high <= 0, program.slope, 1.0)
    gain[: program.inputs], gain[program.begin[-2] :] = 1.0, 1.0
    return np.asarray(gain)


def _affine_rows(program: Program, low: Floats, high: Floats, gates: Integers, rows: _Rows) -> tuple[Floats, Floats]:
    """Adds the affine map of every value; gives the bounds of all values after their ReLU, then of gates before it."""
    gain, target = _gain(program, low, high), np.arange(len(low))
    target[gates] = np.arange(len(low), len(low) + len(gates))
    for block, first in enumerate(program.first):
        start, end = int(program.begin[block]), int(program.begin[block + 1])
        matrix, bias = weights_of(program, block)
        units = np.flatnonzero(gain[start:end] != 0)
        scale = gain[start:end][units]
        dense = np.zeros((len(units), rows.columns))
        dense[:, first:start] = -scale[:, None] * matrix[units] * (gain[first:start] != 0)
        dense[np.arange(len(units)), target[start:end][units]] = 1.0
        constant = scale * bias[units]
        rows.add(sparse.csr_array(dense), constant, constant)
    ends = np.stack([_after(program, low), _after(program, high)])
    ends[:, gain == 0] = 0.0
    least, most = ends.min(0), ends.max(0)
    least[gates] = np.minimum(least[gates], 0.0)  # a slope below 0 turns the kink into an end
    return np.append(least, low[gates]), np.append(most, high[gates])


def _after(program: Program, values: Floats) -> Floats:
    """Values after their ReLU, inputs and outputs as they are."""
    return np.asarray(np.where(values > 0, values, program.slope * values))

"""What the splitting engine minimises: the largest of some rows of a network's outputs over a box.

Goal `k` is `max(g_r)` over its rows, `g_r = rows[r] @ y - shifts[r]`. An extreme of an output is a goal of one row. A
point is unsafe for a set of half-spaces exactly where the goal that has them as rows is at most 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from scipy import sparse

from reachbox.network import Network
from reachbox.reach.exact.rounding import ULP
from reachbox.reach.program import (
    CONSTANT,
    AffineMap,
    Block,
    Floats,
    Integers,
    Matrix,
    Program,
    assemble,
    lower_blocks,
    units,
)


class Backward(NamedTuple):
    """A program's weights, those of one unit side by side: from `offset[k] + i * (begin[k] - first[k])` on."""

    weights: Floats  # (entries,)
    biases: Floats  # (values,)
    slope: Floats  # (values,)
    begin: Integers  # (blocks + 1,)
    first: Integers  # (blocks,)
    offset: Integers  # (blocks,)
    error: Floats  # (1,): of one back-substitution, relative to its magnitude


class Problem(NamedTuple):
    """One network with its goals. `leaf` is a program of the same hidden units, and more, whose outputs are goals."""

    program: Program
    backward: Backward
    rows: Floats  # (rows, outputs)
    shifts: Floats  # (rows,)
    goal: Integers  # (goals + 1,): goal k has the rows goal[k] to goal[k + 1]
    leaf: Program
    leaf_rows: Floats  # (goals, outputs of leaf)
    leaf_shifts: Floats  # (goals,)

    @property
    def goals(self) -> int:
        """Number of goals."""
        return len(self.goal) - 1


def single_rows(program: Program, rows: Floats) -> Problem:
    """A goal for each row `(rows, outputs)` of the program's outputs."""
    return _problem(program, rows, np.zeros(len(rows)), np.arange(len(rows) + 1))


def largest_rows(network: Network, rows: Sequence[Floats], shifts: Sequence[Floats]) -> Problem:
    """A goal for each matrix `(its rows, outputs)`, of at least one row, and its shifts `(its rows,)`."""
    blocks, outputs = lower_blocks(network)
    inputs = prod(network.input_shape)
    program = assemble(inputs, [*blocks, Block(outputs, 1.0, prod(network.output_shape))])
    goal = np.cumsum([0, *map(len, rows)])
    problem = _problem(program, np.concatenate(rows), np.concatenate(shifts), goal)
    if (np.diff(goal) == 1).all():
        return problem
    largest = _maxima(_minus(outputs.multiplied(Matrix(problem.rows)), problem.shifts), goal, blocks)
    leaf = assemble(inputs, [*blocks, Block(largest, 1.0, problem.goals)])
    return problem._replace(leaf=leaf, leaf_rows=np.eye(problem.goals), leaf_shifts=np.zeros(problem.goals))


def _problem(program: Program, rows: Floats, shifts: Floats, goal: Integers) -> Problem:
    backward = _backward(program, further_terms=len(rows))
    return Problem(program, backward, np.ascontiguousarray(rows), shifts, goal, program, rows, shifts)


def _backward(program: Program, further_terms: int) -> Backward:
    """The weights of the program's first network, unit by unit."""
    parts = []
    for block, first in enumerate(program.first):
        begin, end = program.begin[block], program.begin[block + 1]
        entries = program.weights[0, program.offset[block] :][: (begin - first) * (end - begin)]
        parts.append(entries.reshape(begin - first, end - begin).T.ravel())
    terms = 4 * program.begin[-1] + program.roundings.max() + further_terms + 64
    return Backward(
        np.concatenate(parts), program.biases[0], program.slope, program.begin, program.first, program.offset,
        np.array([terms * ULP]),
    )  # fmt: skip


def _minus(value: AffineMap, shifts: Floats) -> AffineMap:
    constant = Matrix(-shifts[:, None])
    return value.plus(AffineMap({CONSTANT: constant}, {CONSTANT: abs(constant)})) if constant.nnz else value


def _maxima(rows: AffineMap, goal: Integers, blocks: list[Block]) -> AffineMap:
    """The largest row of each goal, by one ReLU for each further row; they are appended to `blocks`."""
    sizes = np.diff(goal)
    largest = rows.rows(goal[:-1])
    for step in range(1, int(sizes.max())):
        longer = np.flatnonzero(sizes > step)
        minus = Matrix(-sparse.eye_array(len(longer)))
        rise = rows.rows(goal[longer] + step).plus(largest.rows(longer).multiplied(minus))
        place = (np.ones(len(longer)), (longer, np.arange(len(longer))))
        spread = Matrix(sparse.csr_array(place, shape=(len(sizes), len(longer))))
        largest = largest.plus(units(rise, 0.0, len(longer), blocks).multiplied(spread))
    return largest

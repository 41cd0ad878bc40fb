"""Bounds of a node: of its units that are still unstable, and of each goal that is still open."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reachbox.machine_code import compiled
from reachbox.reach.exact.rounding import SMALLEST_SIZE
from reachbox.reach.exact.splitting.back_substitution import least, lower_function
from reachbox.reach.exact.splitting.problem import Backward, Problem
from reachbox.reach.program import Floats

ROUNDS = 40  # of the search for a good convex combination of a goal's rows


class Scratch(NamedTuple):
    """Room for the work on one node."""

    coefficients: Floats  # (values,)
    importance: Floats  # (values,): what the relaxation of each unit may cost the goal bounded last
    open_importance: Floats  # (values,): and all goals that are open
    slopes: Floats  # (values, inputs): how each unstable unit moves with the inputs, by its linear bounds
    functions: Floats  # (rows, inputs): the linear lower bound of each row
    constants: Floats  # (rows,)
    shares: Floats  # (rows,): of each row in its goal's convex combination
    nothing: Floats  # (0,)


@compiled
def room_for(problem: Problem) -> Scratch:
    """Room for one node of a problem."""
    values, inputs, rows = problem.backward.begin[-1], problem.backward.begin[0], len(problem.rows)
    return Scratch(
        np.zeros(values), np.zeros(values), np.zeros(values), np.zeros((values, inputs)), np.zeros((rows, inputs)),
        np.zeros(rows), np.zeros(rows), np.zeros(0),
    )  # fmt: skip


@compiled
def bound_units(backward: Backward, size: Floats, low: Floats, high: Floats, scratch: Scratch) -> int:
    """Narrows the ranges of all units that are unstable; gives how many still are.

    `low`, `high` are proven ranges of the values before activation, those of the inputs being the node's box.
    """
    unstable = 0
    for block in range(len(backward.first) - 1):
        for unit in range(backward.begin[block], backward.begin[block + 1]):
            if not low[unit] < 0.0 < high[unit] or backward.slope[unit] == 1.0:
                continue
            scratch.slopes[unit] = 0.0
            low[unit] = max(low[unit], _unit_bound(backward, size, low, high, block, unit, 1.0, scratch))
            if low[unit] < 0.0:
                high[unit] = min(high[unit], -_unit_bound(backward, size, low, high, block, unit, -1.0, scratch))
            unstable += low[unit] < 0.0 < high[unit]
    return unstable


@compiled
def _unit_bound(
    backward: Backward, size: Floats, low: Floats, high: Floats, block: int, unit: int, sign: float, scratch: Scratch
) -> float:
    """A proven lower bound of `sign` times a unit."""
    first, begin, inputs = backward.first[block], backward.begin[block], backward.begin[0]
    coefficients = scratch.coefficients
    coefficients[:first] = 0.0
    row = backward.offset[block] + (unit - begin) * (begin - first)
    for source in range(begin - first):
        coefficients[first + source] = sign * backward.weights[row + source]
    constant, magnitude = lower_function(backward, low, high, size, block, coefficients, scratch.nothing)
    for value in range(inputs):
        scratch.slopes[unit, value] += 0.5 * abs(coefficients[value])
    bound = least(coefficients, low[:inputs], high[:inputs]) + constant + sign * backward.biases[unit]
    return float(bound - backward.error[0] * (magnitude + size[unit]))


@compiled
def bound_goal(
    problem: Problem, size: Floats, low: Floats, high: Floats, goal: int, enough: float, scratch: Scratch
) -> float:
    """A proven lower bound of a goal; leaves the linear bounds of its rows, and the units' importance to it.

    Rows are combined where the bound would not exceed `enough` otherwise.
    """
    first, end, inputs = problem.goal[goal], problem.goal[goal + 1], problem.backward.begin[0]
    best = -np.inf
    scratch.shares[first:end], scratch.importance[:] = 0.0, 0.0
    for row in range(first, end):
        scratch.shares[row] = 1.0
        importance = scratch.importance if end == first + 1 else scratch.nothing
        bound = _shares_bound(problem, size, low, high, first, end, importance, scratch)
        scratch.functions[row] = scratch.coefficients[:inputs]
        scratch.constants[row] = bound - least(scratch.coefficients, low[:inputs], high[:inputs])
        scratch.shares[row] = 0.0
        best = max(best, bound)
        if best > enough:
            return best
    if end > first + 1:
        _combine(scratch, first, end, low[:inputs], high[:inputs])
        best = max(best, _shares_bound(problem, size, low, high, first, end, scratch.importance, scratch))
    return best


@compiled
def _shares_bound(
    problem: Problem, size: Floats, low: Floats, high: Floats, first: int, end: int, importance: Floats,
    scratch: Scratch,
) -> float:  # fmt: skip
    """A proven lower bound of the rows from `first` to `end`, combined by their shares."""
    backward, coefficients = problem.backward, scratch.coefficients
    inputs, outputs, values = backward.begin[0], backward.begin[-2], backward.begin[-1]
    coefficients[:] = 0.0
    shift, magnitude = 0.0, 0.0
    for row in range(first, end):
        share = scratch.shares[row]
        if share > 0.0:
            shift += share * problem.shifts[row]
            magnitude += share * abs(problem.shifts[row])
            for output in range(values - outputs):
                coefficients[outputs + output] += share * problem.rows[row, output]
                magnitude += share * abs(problem.rows[row, output]) * size[outputs + output]
    constant, further = lower_function(backward, low, high, size, len(backward.first), coefficients, importance)
    bound = least(coefficients, low[:inputs], high[:inputs]) + constant - shift
    return float(bound - backward.error[0] * (magnitude + further + SMALLEST_SIZE))


@compiled
def _combine(scratch: Scratch, first: int, end: int, lower: Floats, upper: Floats) -> None:
    """Shares whose combination of the rows' linear bounds has a large minimum over the box, by fictitious play.

    Against the shares played so far the box answers with its minimum, and that with the row which is largest there.
    """
    mixed = scratch.coefficients[: len(lower)]
    shares, played = scratch.shares[first:end], np.zeros(end - first)
    best = -np.inf
    mixed[:] = 0.0
    row, constant = 0, 0.0
    largest = -np.inf
    for candidate in range(first, end):
        found = least(scratch.functions[candidate], lower, upper) + scratch.constants[candidate]
        if found > largest:
            largest, row = found, candidate
    for turn in range(1, ROUNDS + 1):
        played[row - first] += 1.0
        constant += scratch.constants[row]
        mixed += scratch.functions[row]
        found = (least(mixed, lower, upper) + constant) / turn
        if found > best:
            best = found
            shares[:] = played / turn
        largest = -np.inf
        for candidate in range(first, end):
            value = scratch.constants[candidate]
            for i in range(len(lower)):
                value += scratch.functions[candidate, i] * (lower[i] if mixed[i] > 0.0 else upper[i])
            if value > largest:
                largest, row = value, candidate


@compiled
def corner(scratch: Scratch, lower: Floats, upper: Floats, point: Floats) -> None:
    """Fills the point of a box where the function bounded last has its minimum."""
    for value in range(len(lower)):
        point[value] = lower[value] if scratch.coefficients[value] > 0.0 else upper[value]


@compiled
def contract(problem: Problem, scratch: Scratch, goal: int, threshold: float, lower: Floats, upper: Floats) -> bool:
    """Takes away from a box where some row of a goal, by its linear bound, exceeds the threshold.

    Gives whether anything is left.
    """
    for row in range(problem.goal[goal], problem.goal[goal + 1]):
        function = scratch.functions[row]
        room = threshold - scratch.constants[row] - least(function, lower, upper)
        if room < 0.0:
            return False
        for value in range(len(lower)):
            if not room < abs(function[value]) * (upper[value] - lower[value]):
                continue
            reach = room / abs(function[value])
            reach += 2.0**-48 * (abs(lower[value]) + abs(upper[value]) + reach)
            if function[value] > 0.0:
                upper[value] = min(upper[value], lower[value] + reach)
            else:
                lower[value] = max(lower[value], upper[value] - reach)
    return True

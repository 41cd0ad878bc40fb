"""What rounding can do, bounded: ranges of every unit, values at a point, and how far to widen an enumerated box.

The derivation is in `docs/exact.md`, whose letters stand in the comments: N bounds the coefficients of every affine map
that the enumeration can meet, e the error of these maps, A how fast a value moves with the input.
"""

from __future__ import annotations

import numpy as np

from reachbox.errors import InputError
from reachbox.machine_code import compiled
from reachbox.reach.exact.reduced import centre_and_radius
from reachbox.reach.program import Floats, Integers, Program

ULP = 2.0**-52  # twice the largest relative rounding error: the surplus covers terms of second order
SMALLEST_SIZE = 2.0**-900  # of N, so that its share also covers underflow
LANES = 8  # points that are evaluated side by side
LARGEST_SIZE = 2.0**100  # of N: what underflow loses is multiplied by no more than this


def check_sizes(size: Floats) -> None:
    """Raises `InputError` where N, or what it bounds, is too large for the error bounds to hold."""
    if not (size <= LARGEST_SIZE).all():
        raise InputError(
            "exact: the network's values overflow 2^100, up to which rounding is bounded; its weights or the box are "
            "too large"
        )


@compiled
def unit_ranges(program: Program, networks: Integers, lower: Floats, upper: Floats) -> tuple[Floats, Floats, Floats]:
    """Proven ranges of every value before its ReLU, and N of every value, by interval arithmetic rounded outward.

    Task `i` is network `networks[i]` over the box from `lower[i]` to `upper[i]`. All results are `(tasks, values)`;
    N is large or not finite where anything overflows: see `check_sizes`.
    """
    tasks, inputs, values = len(networks), program.begin[0], program.begin[-1]
    low, high, size = np.empty((tasks, values)), np.empty((tasks, values)), np.empty((tasks, values))
    for task in range(tasks):
        for value in range(inputs):
            low[task, value], high[task, value] = lower[task, value], upper[task, value]
            centre, radius = centre_and_radius(lower[task, value], upper[task, value])
            size[task, value] = abs(centre) + radius
        for block in range(len(program.first)):
            block_ranges(program, networks[task], block, low[task], high[task], size[task])
    return low, high, size


@compiled
def block_ranges(program: Program, network: int, block: int, low: Floats, high: Floats, size: Floats) -> None:
    """Fills the ranges and N of one block from those of the values it reads."""
    first, begin, end = program.first[block], program.begin[block], program.begin[block + 1]
    weights, gross = program.weights[network], program.gross[network]
    centre = program.biases[network, begin:end].copy()
    magnitude = program.gross_biases[network, begin:end].copy()
    spread = np.zeros(end - begin)
    for value in range(first, begin):
        slope = program.slope[value]
        gain = _largest_gain(slope, low[value], high[value])
        if gain == 0.0:
            continue
        middle, radius = centre_and_radius(*_image(slope, low[value], high[value]))
        row = program.offset[block] + (value - first) * (end - begin)
        for unit in range(end - begin):
            centre[unit] += weights[row + unit] * middle
            spread[unit] += gross[row + unit] * radius
            magnitude[unit] += gross[row + unit] * (gain * size[value])
    error = _relative_error(begin - first + program.roundings[block])
    for unit in range(end - begin):
        size[begin + unit] = magnitude[unit] * (1 + 8 * error) + SMALLEST_SIZE
        around = spread[unit] * (1 + error) + error * size[begin + unit]
        low[begin + unit], high[begin + unit] = centre[unit] - around, centre[unit] + around


@compiled
def widening(
    program: Program, networks: Integers, ranges: tuple[Floats, Floats, Floats], objectives: Floats,
    slack: Floats, cover: Floats,
) -> tuple[Floats, Floats]:  # fmt: skip
    """How far an enumerated extreme, and a value evaluated at a point, can be from the truth; `(tasks, rows)` each.

    `slack` and `cover`, `(tasks,)`, are the enumeration's: the share of N by which a vertex may lie beyond a
    hyperplane, and how far a point of the box may lie outside of every region.
    """
    low, high, size = ranges
    tasks, rows, outputs = objectives.shape
    extreme, evaluated = np.empty((tasks, rows)), np.empty((tasks, rows))
    start = program.begin[-2]
    error = _relative_error(outputs + program.begin[0])
    for task in range(tasks):
        e, rounded, speed = _errors(program, networks[task], low[task], high[task], size[task], slack[task])
        for row in range(rows):
            weights = np.abs(objectives[task, row])
            magnitude = error * ((weights * size[task, start:]).sum() + SMALLEST_SIZE)
            moved = (weights * (e[start:] + cover[task] * speed[start:])).sum()
            extreme[task, row] = (moved + magnitude) * (1 + 8 * error)
            evaluated[task, row] = ((weights * rounded[start:]).sum() + magnitude) * (1 + 8 * error)
    return extreme, evaluated


@compiled
def _errors(
    program: Program, network: int, low: Floats, high: Floats, size: Floats, slack: float
) -> tuple[Floats, Floats, Floats]:
    """e of the composed affine maps, the error of plain evaluation, and A, of every value of one task."""
    e, rounded, speed = np.zeros(len(low)), np.zeros(len(low)), np.zeros(len(low))
    for value in range(program.begin[0]):
        _, speed[value] = centre_and_radius(low[value], high[value])
    for block in range(len(program.first)):
        first, begin, end = program.first[block], program.begin[block], program.begin[block + 1]
        error = _relative_error(begin - first + program.roundings[block])
        for value in range(first, begin):
            slope = program.slope[value]
            gain = _largest_gain(slope, low[value], high[value])
            if gain == 0.0:
                continue
            wrong_sign = abs(1 - slope) * slack * size[value] if low[value] < 0.0 < high[value] else 0.0
            row = program.offset[block] + (value - first) * (end - begin)
            for unit in range(end - begin):
                weight = program.gross[network, row + unit]
                e[begin + unit] += weight * (gain * e[value] + wrong_sign)
                rounded[begin + unit] += weight * (max(1.0, abs(slope)) * rounded[value])
                speed[begin + unit] += weight * (gain * speed[value])
        for unit in range(begin, end):
            e[unit] = (e[unit] + error * size[unit]) * (1 + 8 * error)
            rounded[unit] = (rounded[unit] + error * size[unit]) * (1 + 8 * error)
            speed[unit] *= 1 + 8 * error
    return e, rounded, speed


@compiled
def evaluate(
    program: Program, networks: Integers, ranges: tuple[Floats, Floats, Floats], objectives: Floats, points: Floats
) -> Floats:
    """Each objective at its own points: `points` `(tasks, sides, rows, inputs)` to `(tasks, sides, rows)`."""
    high = ranges[1]
    tasks, sides, rows, inputs = points.shape
    result = np.empty((tasks, sides, rows))
    values = np.empty((program.begin[-1], LANES))
    for task in range(tasks):
        for first in range(0, sides * rows, LANES):
            last = min(first + LANES, sides * rows) - 1
            for lane in range(LANES):
                side, row = divmod(min(first + lane, last), rows)
                for value in range(inputs):
                    values[value, lane] = points[task, side, row, value]
            outputs = _fill_lanes(program, networks[task], high[task], values)
            for lane in range(last + 1 - first):
                side, row = divmod(first + lane, rows)
                result[task, side, row] = (objectives[task, row] * outputs[:, lane]).sum()
    return result


@compiled
def _fill_lanes(program: Program, network: int, high: Floats, values: Floats) -> Floats:
    """`fill_values` of `LANES` points, `values` `(values, LANES)`."""
    active = np.empty(LANES)
    for block in range(len(program.first)):
        first, begin, end = program.first[block], program.begin[block], program.begin[block + 1]
        for unit in range(begin, end):
            values[unit] = program.biases[network, unit]
        for value in range(first, begin):
            is_active = False
            for lane in range(LANES):
                active[lane] = _activated(values[value, lane], high[value], program.slope[value])
                is_active |= active[lane] != 0.0
            if not is_active:
                continue
            row = program.offset[block] + (value - first) * (end - begin)
            for unit in range(end - begin):
                weight = program.weights[network, row + unit]
                for lane in range(LANES):
                    values[begin + unit, lane] += weight * active[lane]
    return values[program.begin[-2] :]


@compiled
def fill_values(program: Program, network: int, high: Floats, values: Floats) -> Floats:
    """Fills `values`, before activation, from its inputs on; gives the part that holds the outputs."""
    for block in range(len(program.first)):
        first, begin, end = program.first[block], program.begin[block], program.begin[block + 1]
        for unit in range(begin, end):
            values[unit] = program.biases[network, unit]
        for value in range(first, begin):
            active = _activated(values[value], high[value], program.slope[value])
            if active == 0.0:
                continue
            row = program.offset[block] + (value - first) * (end - begin)
            for unit in range(end - begin):
                values[begin + unit] += program.weights[network, row + unit] * active
    return values[program.begin[-2] :]


@compiled
def _activated(value: float, high: float, slope: float) -> float:
    """A value behind its ReLU; one that is proven never to be above zero is taken to be below."""
    return value if value > 0.0 and high > 0.0 else slope * value


@compiled
def _relative_error(terms: int) -> float:
    """Of a sum of this many products, with a reserve for the steps around it."""
    return (terms + 16) * ULP


@compiled
def _image(slope: float, low: float, high: float) -> tuple[float, float]:
    """The range of `max(z, 0) + slope * min(z, 0)`."""
    if low >= 0.0:
        return low, high
    if high <= 0.0:
        return min(slope * low, slope * high), max(slope * low, slope * high)
    return min(slope * low, 0.0), max(slope * low, high)


@compiled
def _largest_gain(slope: float, low: float, high: float) -> float:
    """The steepest slope that the activation has over a range."""
    if low >= 0.0:
        return 1.0
    return abs(slope) if high <= 0.0 else max(1.0, abs(slope))

"""What is done unit by unit between two products of matrices: relaxed ReLUs, backwards and forwards, and steps.

Nodes stand in rows. `signs` is 1 or -1 where a unit's sign is fixed by the branch, else 0. `multipliers` holds for such
a unit beta, the multiplier of its sign, at least 0; for an open unit the slope of the line on its convex side, between
the slope below zero and 1. Other entries are not read.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from reachbox.machine_code import compiled, compiled_for_finite, compiled_for_searches
from reachbox.reach.program import Floats, Integers

Signs = npt.NDArray[np.int8]
ON_THE_LINE = 1e-3
"""How much less a unit is worth splitting where it costs nothing as long as its coefficient has this sign."""


@compiled
def relax(
    coefficients: Floats, passed: Floats, constants: Floats, magnitudes: Floats, gaps: Floats, signs: Signs,
    multipliers: Floats, low: Floats, high: Floats, size: Floats, tasks: Integers, slope: Floats, biases: Floats,
    begin: int, end: int,
) -> None:  # fmt: skip
    """Takes coefficients of units after their ReLU to coefficients before it, `passed`, and adds to the constants.

    Adds to `magnitudes` what errors are relative to; fills `gaps`: what the relaxation of each open unit may cost.
    """
    for node in range(len(tasks)):
        task, constant, magnitude = tasks[node], constants[node], magnitudes[node]
        for unit in range(begin, end):
            a, s = coefficients[node, unit], slope[unit]
            least, most = low[task, unit], high[task, unit]
            gap = a * 0
            if least >= 0 or s == 1:
                d = a
            elif most <= 0:
                d = s * a
            elif signs[node, unit] > 0:
                d = a - multipliers[node, unit]
            elif signs[node, unit] < 0:
                d = s * a + multipliers[node, unit]
            else:
                chord = (most - s * least) / (most - least)
                gap = abs(a * (1 - chord) * most)
                if (a > 0) == (s < 1):
                    d = a * multipliers[node, unit]
                    gap *= ON_THE_LINE
                else:
                    d = a * chord
                    constant += a * (1 - chord) * most
            gaps[node, unit] = gap
            passed[node, unit] = d
            constant += d * biases[unit - begin]
            magnitude += (max(abs(s), slope[unit] * 0 + 1) * abs(a) + abs(d)) * size[task, unit]
        constants[node], magnitudes[node] = constant, magnitude


@compiled_for_finite
def corners(coefficients: Floats, lower: Floats, upper: Floats, tasks: Integers, points: Floats) -> None:
    """Fills the points of the boxes where linear functions of the inputs are least."""
    for node in range(len(tasks)):
        row, low, high, point = coefficients[node], lower[tasks[node]], upper[tasks[node]], points[node]
        for i in range(len(row)):
            least, most = low[i], high[i]  # both are read, so that no branch is taken
            point[i] = least if row[i] > 0 else most


@compiled_for_searches
def add_products(left: Floats, right: Floats, totals: Floats) -> None:
    """Adds the product of each row of `left` with that of `right`: a sum, whose order the proof leaves open."""
    for node in range(len(totals)):
        total = totals[node] * 0
        for i in range(left.shape[1]):
            total += left[node, i] * right[node, i]
        totals[node] += total


@compiled
def follow(
    coefficients: Floats, before: Floats, after: Floats, slopes: Floats, signs: Signs, multipliers: Floats, low: Floats,
    high: Floats, tasks: Integers, slope: Floats, biases: Floats, begin: int, end: int,
) -> None:  # fmt: skip
    """Takes a point forward through the lines that `relax` chose: adds the biases to `before`, fills `after`.

    Fills `slopes`: how the bound rises with a unit's coefficient before its ReLU, as its multiplier changes that; 0
    for units without a multiplier.
    """
    for node in range(len(tasks)):
        task = tasks[node]
        for unit in range(begin, end):
            z = before[node, unit] + biases[unit - begin]
            a, s = coefficients[node, unit], slope[unit]
            least, most = low[task, unit], high[task, unit]
            rise = z * 0
            if least >= 0 or s == 1:
                v = z
            elif most <= 0:
                v = s * z
            elif signs[node, unit] > 0:
                v, rise = z, -z
            elif signs[node, unit] < 0:
                v, rise = s * z, z
            elif (a > 0) == (s < 1):
                v, rise = multipliers[node, unit] * z, z
            else:
                chord = (most - s * least) / (most - least)
                v = chord * z + (1 - chord) * most
            before[node, unit], after[node, unit], slopes[node, unit] = z, v, rise


@compiled
def step(
    coefficients: Floats, slopes: Floats, signs: Signs, multipliers: Floats, missing: Floats, tasks: Integers,
    low: Floats, high: Floats, slope: Floats, last: int,
) -> None:  # fmt: skip
    """One projected step of the multipliers of units before `last`, as long as would close what is `missing`.

    The length is Polyak's: the missing rise over the squared slope, in terms of the coefficients before the ReLU.
    """
    for node in range(len(tasks)):
        task = tasks[node]
        squared = missing[node] * 0
        for unit in range(last):
            rise = slopes[node, unit]
            if rise != 0:
                m, s = multipliers[node, unit], slope[unit]
                if signs[node, unit] != 0:
                    blocked = m <= 0 and rise < 0
                else:
                    upwards = rise * coefficients[node, unit] > 0
                    blocked = m >= max(s, s * 0 + 1) if upwards else m <= min(s, s * 0 + 1)
                if blocked:
                    slopes[node, unit] = 0
                else:
                    squared += rise * rise
        if not squared > 0 or not missing[node] > 0:
            continue
        length = missing[node] / squared
        for unit in range(last):
            rise = slopes[node, unit]
            if rise == 0 or not low[task, unit] < 0 < high[task, unit]:
                continue
            m, s = multipliers[node, unit], slope[unit]
            if signs[node, unit] != 0:
                multipliers[node, unit] = max(m + length * rise, m * 0)
            elif coefficients[node, unit] != 0:
                m += length * rise / coefficients[node, unit]
                multipliers[node, unit] = min(max(m, min(s, s * 0 + 1)), max(s, s * 0 + 1))


@cache
def compile_kernels() -> None:
    """Calls every kernel for no node, in both precisions, so that nobody's clock counts compilation."""
    tasks, signs = np.empty(0, dtype=np.int64), np.empty((0, 0), dtype=np.int8)
    for dtype in (np.float32, np.float64):
        flat: Any = np.empty(0, dtype=dtype)
        square: Any = np.empty((0, 0), dtype=dtype)
        lines = signs, square, square, square
        relax(square, square, flat, flat, square, *lines, square, tasks, flat, flat, 0, 0)
        corners(square, square, square, tasks, square)
        add_products(square, square, flat)
        follow(square, square, square, square, *lines, tasks, flat, flat, 0, 0)
        step(square, square, signs, square, flat, tasks, square, square, flat, 0)

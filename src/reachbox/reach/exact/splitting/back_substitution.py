"""CROWN's back-substitution for one linear function of a network's values, with a proven bound of its rounding.

`docs/exact.md` has the derivation: whatever is computed here is off by at most `Backward.error` times the magnitude.
"""

from __future__ import annotations

from reachbox.machine_code import compiled_for_finite
from reachbox.reach.exact.rounding import ULP
from reachbox.reach.exact.splitting.problem import Backward
from reachbox.reach.program import Floats


@compiled_for_finite
def lower_function(
    backward: Backward, low: Floats, high: Floats, size: Floats, block: int, coefficients: Floats, importance: Floats
) -> tuple[float, float]:
    """A lower bound of `coefficients . values`, linear in the inputs: fills `coefficients` of the inputs.

    Only values before `block` have coefficients, those of units after their activation. `low`, `high` are proven
    ranges of the units before it. Gives the constant and the magnitude that its error is relative to. Adds to each
    unstable unit's `importance`, where that is not empty, what its relaxation may cost.
    """
    constant, magnitude = 0.0, 0.0
    for earlier in range(block - 1, -1, -1):
        first, begin, end = backward.first[earlier], backward.begin[earlier], backward.begin[earlier + 1]
        sources = begin - first
        onto = coefficients[first:begin]
        for unit in range(begin, end):
            coefficient = coefficients[unit]
            if coefficient == 0.0:
                continue
            slope = backward.slope[unit]
            if low[unit] < 0.0 < high[unit] and slope != 1.0:
                line, shift, gap = _line_below(coefficient, slope, low[unit], high[unit])
                constant += shift
                magnitude += abs(shift)
                if len(importance) > 0:
                    importance[unit] += gap
                coefficient *= line
            elif high[unit] <= 0.0:
                coefficient *= slope
            if coefficient == 0.0:
                continue
            constant += coefficient * backward.biases[unit]
            magnitude += abs(coefficient) * size[unit]
            row = backward.offset[earlier] + (unit - begin) * sources
            weights = backward.weights[row : row + sources]
            for source in range(sources):
                onto[source] += coefficient * weights[source]
    return constant, magnitude


@compiled_for_finite
def _line_below(coefficient: float, slope: float, low: float, high: float) -> tuple[float, float, float]:
    """A line below `coefficient * activation` over `low < 0 < high`: slope over coefficient, height, and widest gap.

    Any slope is sound, because the distance of activation and line is extreme at `low`, 0 or `high`.
    """
    chord = (high - slope * low) / (high - low)
    steeper = 1.0 if high > -low else slope
    line = steeper if (coefficient > 0.0) == (slope < 1.0) else chord
    at_low, at_high = (slope - line) * low, (1.0 - line) * high
    least, most = min(at_low, at_high, 0.0), max(at_low, at_high, 0.0)
    extreme = least if coefficient > 0.0 else most
    return line, coefficient * extreme - abs(coefficient * extreme) * (8 * ULP), abs(coefficient) * (most - least)


@compiled_for_finite
def least(coefficients: Floats, lower: Floats, upper: Floats) -> float:
    """The least value of a linear function over a box."""
    total = 0.0
    for value in range(len(lower)):
        weight = coefficients[value]
        total += weight * (lower[value] if weight > 0.0 else upper[value])
    return total

"""A number with its spread: the mean of several runs, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import fmean, stdev
from typing import Self

from reachbox.report.numbers import from_log10, number, percent


class Spread(float):
    """The mean of some values, a number like any other; `deviation` is their standard deviation, None for one value.

    >>> Spread.of([1.0, 3.0]).deviation
    1.4142135623730951
    """

    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """The mean and the standard deviation of the values."""
        finite = all(isfinite(value) for value in values)
        found = cls(fmean(values) if finite else values[0])
        found.deviation = stdev(values) if finite and len(values) > 1 else None
        return found


def spread_percent(share: float) -> str:
    """A share in percent, with its deviation where it has one."""
    deviation = _deviation(share)
    return percent(share, 2) if deviation is None else f"{100 * share:.2f}\u00a0±\u00a0{percent(deviation, 2)}"


def spread_number(value: float) -> str:
    """A number, with its deviation where it has one."""
    deviation = _deviation(value)
    return number(value, 3) if deviation is None else f"{number(value, 3)}\u00a0±\u00a0{number(deviation, 2)}"


def spread_from_log10(log10: float) -> str:
    """The number whose decimal logarithm is given; its deviation is a factor."""
    deviation = _deviation(log10)
    return from_log10(log10, 3) if deviation is None else f"{from_log10(log10, 3)}\u00a0×÷\u00a0{10**deviation:.2g}"


def _deviation(value: float) -> float | None:
    return value.deviation if isinstance(value, Spread) else None

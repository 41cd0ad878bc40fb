"""A bound that needs no trust in the solver: any multipliers of the rows prove one (Neumaier and Shcherbina 2004).

For every `y`: `c v = (c - y A) v + y (A v)`. Over bounded columns the first term has a least value, column by column;
the second is at least `y` times the bound of its row on the side of its sign. A solver's `y` makes this bound good; no
tolerance of the solver can make it wrong. The rounding of the evaluation itself is added, rigorously.
"""

from __future__ import annotations

import numpy as np

from reachbox.solvers.problem import Floats, LinearProgram

ULP = 2.0**-52


def safe_bound(
    problem: LinearProgram, cost: Floats, multipliers: Floats, lower: Floats | None = None, upper: Floats | None = None
) -> float:
    """A proven lower bound of `cost @ v`; `lower`, `upper` take the place of the problem's own bounds of columns."""
    lower = problem.lower if lower is None else lower
    upper = problem.upper if upper is None else upper
    y = np.where(np.isfinite(multipliers), multipliers, 0.0)
    y = np.where(((y > 0) & np.isneginf(problem.row_lower)) | ((y < 0) & np.isposinf(problem.row_upper)), 0.0, y)
    counts = np.diff(problem.starts)
    terms = np.repeat(y, counts) * problem.values
    reduced = cost - np.bincount(problem.columns, terms, len(cost))
    gross = np.abs(cost) + np.bincount(problem.columns, np.abs(terms), len(cost))
    ends = np.where(y > 0, problem.row_lower, np.where(y < 0, problem.row_upper, 0.0))
    largest = np.maximum(np.abs(lower), np.abs(upper))
    value = np.where(reduced > 0, reduced * lower, reduced * upper).sum() + (y * ends).sum()
    size = (gross * largest).sum() + np.abs(y * ends).sum()
    found = float(value - (len(y) + len(cost) + 16) * ULP * size)
    return found if np.isfinite(found) else -np.inf

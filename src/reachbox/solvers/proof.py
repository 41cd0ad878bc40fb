"""Branch and bound over the whole columns with safe bounds: proves what a solver only claims."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from time import monotonic
from typing import Protocol

import numpy as np

from reachbox.solvers.problem import Ended, Floats, LinearProgram, Optimum


class Relaxing(Protocol):
    """A solver of a problem's relaxation, with bounds that are safe."""

    @property
    def problem(self) -> LinearProgram:
        """The problem whose switches may be fractions."""

    def relaxation(
        self, cost: Floats, time_limit: float, lower: Floats | None = None, upper: Floats | None = None
    ) -> Optimum:
        """The least cost; `lower`, `upper` take the place of the problem's own bounds of columns."""


@dataclass(frozen=True, order=True)
class _Part:
    """A part of the problem with some switches fixed: bounds of columns, and a safe bound of the cost over it."""

    bound: float
    lower: Floats = field(compare=False)
    upper: Floats = field(compare=False)
    point: Floats | None = field(default=None, compare=False)

    def with_switch(self, switch: int, value: float) -> _Part:
        """The part of this one where a switch has a value."""
        lower, upper = self.lower.copy(), self.upper.copy()
        lower[switch] = upper[switch] = value
        return _Part(self.bound, lower, upper)


def prove(solver: Relaxing, cost: Floats, goal: float, time_limit: float) -> Optimum:
    """A safe lower bound of the least cost: `goal` or more, unless the goal is wrong or the time passes.

    The part with the lowest bound is split at the gate that its relaxation violates most, on or off, until no part is
    below the goal. `bound` is proven at any time. Where the goal is wrong, `point` is of the part that shows it.
    """
    end, problem = monotonic() + time_limit, solver.problem
    parts = [_bounded(solver, cost, _Part(-np.inf, problem.lower, problem.upper), time_limit)]
    lowest = _Part(np.inf, problem.lower, problem.upper)
    while parts and parts[0].bound < min(goal, lowest.bound):
        if monotonic() >= end:
            return Optimum(Ended.TIMEOUT, parts[0].bound)
        part = heappop(parts)
        switch = _worst_gate(problem, part)
        if switch is None:
            lowest = min(lowest, part)
            continue
        for value in (0.0, 1.0):
            half = _bounded(solver, cost, part.with_switch(switch, value), max(0.0, end - monotonic()))
            heappush(parts, half)
    return Optimum(Ended.SOLVED, min([lowest.bound, *(part.bound for part in parts)]), lowest.point)


def _bounded(solver: Relaxing, cost: Floats, part: _Part, time_limit: float) -> _Part:
    """The part with the bound of its own relaxation, never lower than that of the part it was split from."""
    found = solver.relaxation(cost, time_limit, part.lower, part.upper)
    return replace(part, bound=max(part.bound, found.bound), point=found.point)


def _worst_gate(problem: LinearProgram, part: _Part) -> int | None:
    """The switch, of those still open, whose unit is farthest from its ReLU; None where all are fixed."""
    gates = problem.gates
    is_open = part.lower[gates.switch] < part.upper[gates.switch]
    if not is_open.any():
        return None
    if part.point is None:
        error = problem.upper[gates.before] - problem.lower[gates.before]
    else:
        before, after = part.point[gates.before], part.point[gates.after]
        error = np.abs(after - np.where(before > 0, before, gates.slope * before))
    return int(gates.switch[np.where(is_open, error, -1.0).argmax()])

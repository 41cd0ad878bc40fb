"""`smt`: bisection over queries "does an output reach this value?" (paper, Sec. 3.2, Eq. 8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from time import monotonic
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from reachbox.reach.encoding import Instance, Side, SolverMethod, relu_system
from reachbox.reach.encoding.method import check_limits, exact_kind
from reachbox.reach.program import Floats, Program
from reachbox.reach.result import Kind
from reachbox.solvers import Child, Counterexample, Ended, ReluSystem
from reachbox.solvers.child import ChildEndedError


@dataclass(frozen=True)
class Smt(SolverMethod):
    """The paper's exact box (Sec. 3.2, Eq. 8): bisection over queries to a satisfiability solver.

    The solver is Marabou (Katz et al. 2019), which the authors of the paper's Reluplex wrote as its successor.
    Choose it to compare with the paper; `exact` and `milp` are far faster. It needs `pip install 'reachbox[marabou]'`,
    whose wheels end with Python 3.11.

    A query asks whether an output reaches a value between what is attained and what is proven. Where the answer is
    yes, the input is moved into the box and evaluated again by the network itself, for Marabou's points can miss, by
    1e-3 and more where weights are large: only what is attained counts. Where it is no, the value becomes the bound.
    Bounds are as sound as Marabou is, which works in float64 with tolerances; a bound that an attained value passes is
    refused, status `contradiction`.

    The search ends when both are at most `tolerance` apart. `time_limit`, in seconds, is for each output and side, all
    its queries together. `status` is `solved`; `timeout` where the limit came first; `gap` where answers that could not
    be confirmed leave more than `tolerance`; `failed` where Marabou erred. The kind is exact if all is solved. For
    affine operators, ReLU, LeakyReLU and MaxPool; not differentiable. Raises `UnsupportedError` without maraboupy.
    """

    name: ClassVar[str] = "smt"
    attains: ClassVar[bool] = True
    tolerance: float = 1e-4
    time_limit: float | None = None

    def __post_init__(self) -> None:
        check_limits(self.name, self.time_limit, self.tolerance)

    @property
    def engine(self) -> str:
        return "marabou"

    def encoded(self, program: Program, low: Floats, high: Floats) -> ReluSystem:
        return relu_system(program, low, high)

    def is_settled(self, side: Side) -> bool:
        return side.gap <= self.tolerance

    def solved(self, side: Side, instance: Instance, problem: object, child: Child) -> Side:
        end = monotonic() + (inf if self.time_limit is None else self.time_limit)
        proven, open_from = side.outer, side.inner
        while side.gap > self.tolerance:
            middle = open_from + (side.outer - open_from) / 2
            if side.outer - open_from <= self.tolerance / 8 or not open_from < middle < side.outer:
                return replace(side, status="gap")
            found = _query(child, side.row, middle, end)
            if found.ended != Ended.SOLVED:
                return replace(side, status=str(found.ended))
            if found.point is None:
                side = side.lowered(middle)
                continue
            claimed, side = side.outer, instance.with_point(side, found.point)
            if side.inner > claimed + self.tolerance:
                return replace(side, outer=max(proven, side.inner), status="contradiction")
            open_from = max(middle, side.inner)
        return replace(side, status="solved")

    def kind_of(self, gaps: Floats, status: npt.NDArray[np.str_]) -> Kind:
        return exact_kind(self.tolerance, gaps, status)


def _query(child: Child, row: Floats, threshold: float, end: float) -> Counterexample:
    """The answer, or how the search ended without one."""
    left = end - monotonic()
    if left <= 0:
        return Counterexample(Ended.TIMEOUT)
    try:
        found: Counterexample = child.ask("reaches", row, threshold, time_limit=None if left == inf else left)
    except ChildEndedError as reason:
        return Counterexample(reason.ended)
    return found

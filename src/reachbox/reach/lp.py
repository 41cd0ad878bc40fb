"""`lp`: the triangle relaxation as a linear program, Eq. 6 of the paper."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from reachbox.reach.encoding import Instance, Side, SolverMethod, triangles
from reachbox.reach.encoding.linear import cost_of
from reachbox.reach.encoding.method import check_limits
from reachbox.reach.program import Floats, Program
from reachbox.reach.result import Kind
from reachbox.solvers import Child, LinearProgram, Optimum


@dataclass(frozen=True)
class Lp(SolverMethod):
    """The linear relaxation of Eq. 6, solved by HiGHS: the tightest box that the units' ranges allow one by one.

    A unit whose sign is open lies in the triangle over its range, the tightest of `interval`, `crown` and `dual`; so
    the box is never looser than theirs. Choose it to see how much of an over-estimate is due to the relaxation itself;
    it costs a linear program for each output and side.

    Sound whatever HiGHS does: a bound is not its optimum but what its multipliers prove (Neumaier and Shcherbina
    2004), with the rounding of that evaluation added. For affine operators, ReLU, LeakyReLU and MaxPool; always in
    float64; not differentiable.

    `time_limit`, in seconds, is for each output and side. `status` is `solved`; `timeout` where the limit came first;
    `infeasible` or `failed` where HiGHS erred. The bound is then that of the other methods: still proven.
    """

    name: ClassVar[str] = "lp"
    attains: ClassVar[bool] = False
    time_limit: float | None = None

    def __post_init__(self) -> None:
        check_limits(self.name, self.time_limit)

    @property
    def engine(self) -> str:
        return "highs"

    def encoded(self, program: Program, low: Floats, high: Floats) -> LinearProgram:
        return triangles(program, low, high)

    def solved(self, side: Side, instance: Instance, problem: object, child: Child) -> Side:
        assert isinstance(problem, LinearProgram)
        found: Optimum = child.ask("relaxation", cost_of(-side.row, problem), time_limit=self.time_limit)
        return replace(side.lowered(-found.bound), status=str(found.ended))

    def kind_of(self, gaps: Floats, status: npt.NDArray[np.str_]) -> Kind:
        return Kind.SOUND

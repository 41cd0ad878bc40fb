"""`milp`: the network as a mixed-integer program by big-M, with our own bounds as M."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from reachbox.errors import InputError
from reachbox.reach.encoding import Instance, Side, SolverMethod, big_m
from reachbox.reach.encoding.linear import cost_of
from reachbox.reach.encoding.method import check_limits, exact_kind
from reachbox.reach.program import Floats, Program
from reachbox.reach.result import Kind
from reachbox.solvers import Child, Ended, LinearProgram, Optimum


@dataclass(frozen=True)
class Milp(SolverMethod):
    """The exact box by mixed-integer programming (paper, Sec. 3.1): big-M, solved by HiGHS or Gurobi.

    Choose it to check `exact`, or for networks with many inputs and few units whose sign is open. M is the end of each
    unit's range, the tightest of `interval`, `crown` and `dual`, which decides the cost.

    A solver works to tolerances, and can claim a bound that some point of the box passes. Three things keep such a
    claim out of the result. Every incumbent is moved into the box and evaluated again by the network itself:
    `inner_lower`, `inner_upper` are attained. A claimed bound that an attained value passes by more than `tolerance`
    is refused, status `contradiction`. And, unless `verified` is False, the bound that is reported is not the
    solver's: it is proven by a branch and bound over the same program whose bounds come from multipliers alone
    (Neumaier and Shcherbina 2004) and hold whatever a solver does. This costs about as much again; without it
    `lower` and `upper` are the solver's own dual bounds, sound up to its tolerances.

    `solver` is `highs`, or `gurobi` where gurobipy is installed. `time_limit`, in seconds, is for each output and
    side, the proof included. `status` is `solved` if bound and attained value are at most `tolerance` apart; `timeout`
    where the limit came first; `gap` where the proof leaves more; `infeasible`, which no network is, `contradiction` or
    `failed` where the solver erred. What is not solved has the best bound that is proven. The kind is exact if all is
    solved. For affine operators, ReLU, LeakyReLU and MaxPool; always in float64; not differentiable. Raises
    `UnsupportedError` where the solver is not installed, `SolverError` where it refuses, such as for its licence.
    """

    name: ClassVar[str] = "milp"
    attains: ClassVar[bool] = True
    solver: Literal["highs", "gurobi"] = "highs"
    tolerance: float = 1e-6
    time_limit: float | None = None
    verified: bool = True

    def __post_init__(self) -> None:
        check_limits(self.name, self.time_limit, self.tolerance)
        if self.solver not in ("highs", "gurobi"):
            raise InputError(f"milp: solver highs or gurobi is allowed, found {self.solver!r}")

    @property
    def engine(self) -> str:
        return self.solver

    def encoded(self, program: Program, low: Floats, high: Floats) -> LinearProgram:
        return big_m(program, low, high)

    def solved(self, side: Side, instance: Instance, problem: object, child: Child) -> Side:
        assert isinstance(problem, LinearProgram)
        start, cost = monotonic(), cost_of(-side.row, problem)
        share = None if self.time_limit is None else self.time_limit / 2 if self.verified else self.time_limit
        found: Optimum = child.ask("optimum", cost, time_limit=share)
        if found.point is not None:
            side = instance.with_point(side, found.point[: len(instance.lower)])
        if found.ended in (Ended.INFEASIBLE, Ended.FAILED):
            return replace(side, status=str(found.ended))
        claimed = -found.bound
        if not self.verified:
            return self._trusted(side, claimed, found.ended)
        left = None if self.time_limit is None else max(0.0, self.time_limit - (monotonic() - start))
        best = max(claimed, side.inner) if found.ended == Ended.SOLVED else side.inner
        proof: Optimum = child.ask("proof", cost, -(best + self.tolerance / 2), time_limit=left)
        if proof.point is not None:
            side = instance.with_point(side, proof.point[: len(instance.lower)])
        side = side.lowered(-proof.bound)
        return replace(side, status=self._status(side, claimed, proof.ended))

    def _trusted(self, side: Side, claimed: float, ended: Ended) -> Side:
        """The side with the solver's own bound, unless an attained value contradicts it."""
        if claimed >= side.inner - self.tolerance:
            side = side.lowered(claimed)
        return replace(side, status=self._status(side, claimed, ended))

    def _status(self, side: Side, claimed: float, ended: Ended) -> str:
        is_contradicted = claimed < side.inner - self.tolerance
        if side.gap <= self.tolerance and (self.verified or not is_contradicted):
            return "solved"
        if is_contradicted:
            return "contradiction"
        return "timeout" if ended == Ended.TIMEOUT else "gap"

    def kind_of(self, gaps: Floats, status: npt.NDArray[np.str_]) -> Kind:
        return exact_kind(self.tolerance, gaps, status)

"""HiGHS: linear programs by simplex, and with whole columns by branch and cut."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import highspy
import numpy as np

from reachbox.solvers.problem import Ended, Floats, LinearProgram, Optimum
from reachbox.solvers.proof import prove
from reachbox.solvers.safe_bound import safe_bound

# Tolerances near the limit of float64 make HiGHS wrong, not exact: what it claims is checked instead.
OPTIONS = {
    "output_flag": False,
    "threads": 1,
    "mip_rel_gap": 0.0,
    "mip_abs_gap": 1e-9,
    "mip_feasibility_tolerance": 1e-9,
}
WORDS = {
    highspy.HighsModelStatus.kOptimal: Ended.SOLVED,
    highspy.HighsModelStatus.kTimeLimit: Ended.TIMEOUT,
    highspy.HighsModelStatus.kInfeasible: Ended.INFEASIBLE,
}


class Highs:
    """A problem, whose cost may change from call to call: linear programs go on from where the last one ended."""

    def __init__(self, problem: LinearProgram) -> None:
        self.problem = problem

    @cached_property
    def relaxed(self) -> Any:
        """HiGHS with the problem as a linear program."""
        return _loaded(self.problem, whole=False)

    @cached_property
    def mixed(self) -> Any:
        """HiGHS with the problem as it is."""
        return _loaded(self.problem, whole=True)

    def relaxation(
        self, cost: Floats, time_limit: float, lower: Floats | None = None, upper: Floats | None = None
    ) -> Optimum:
        """The least cost where whole columns may be fractions; `bound` is safe whatever HiGHS says."""
        columns = np.arange(len(cost), dtype=np.int32)
        low = self.problem.lower if lower is None else lower
        high = self.problem.upper if upper is None else upper
        self.relaxed.changeColsCost(len(cost), columns, cost)
        self.relaxed.changeColsBounds(len(cost), columns, low, high)
        ended = _run(self.relaxed, time_limit)
        solution = self.relaxed.getSolution()
        multipliers = np.array(solution.row_dual)
        if ended == Ended.INFEASIBLE:
            multipliers = _ray(self.relaxed, len(self.problem.row_lower))
        if len(multipliers) != len(self.problem.row_lower):
            multipliers = np.zeros(len(self.problem.row_lower))
        bound = safe_bound(self.problem, cost, multipliers, low, high)
        return Optimum(ended, bound, np.array(solution.col_value) if solution.value_valid else None)

    def optimum(self, cost: Floats, time_limit: float) -> Optimum:
        """The least cost with whole columns; `bound` is HiGHS's own dual bound."""
        if not len(self.problem.gates.switch):  # of a plain linear program HiGHS tells no dual bound
            return self.relaxation(cost, time_limit)
        self.mixed.clearSolver()
        self.mixed.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
        ended = _run(self.mixed, time_limit)
        if ended == Ended.INFEASIBLE:  # no network is; presolving has been seen to err
            self.mixed.setOptionValue("presolve", "off")
            ended = _run(self.mixed, time_limit)
            self.mixed.setOptionValue("presolve", "choose")
        information, solution = self.mixed.getInfo(), self.mixed.getSolution()
        bound = information.mip_dual_bound if ended in (Ended.SOLVED, Ended.TIMEOUT) else -np.inf
        return Optimum(ended, float(bound), np.array(solution.col_value) if solution.value_valid else None)

    def proof(self, cost: Floats, goal: float, time_limit: float) -> Optimum:
        """A safe bound of the least cost with whole columns: at least `goal`, unless that is wrong or time passes."""
        return prove(self, cost, goal, time_limit)


def _loaded(problem: LinearProgram, whole: bool) -> Any:
    solver, model = highspy.Highs(), highspy.HighsLp()
    for name, value in OPTIONS.items():
        solver.setOptionValue(name, value)
    model.num_col_, model.num_row_ = len(problem.lower), len(problem.row_lower)
    model.col_cost_ = np.zeros(len(problem.lower))
    model.col_lower_, model.col_upper_ = problem.lower, problem.upper
    model.row_lower_, model.row_upper_ = problem.row_lower, problem.row_upper
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_, model.a_matrix_.index_ = problem.starts, problem.columns
    model.a_matrix_.value_ = problem.values
    if whole:
        kinds = {True: highspy.HighsVarType.kInteger, False: highspy.HighsVarType.kContinuous}
        is_whole = np.isin(np.arange(len(problem.lower)), problem.gates.switch)
        model.integrality_ = [kinds[bool(flag)] for flag in is_whole]
    solver.passModel(model)
    return solver


def _run(solver: Any, time_limit: float) -> Ended:
    # The limit counts HiGHS's clock over all its runs.
    solver.setOptionValue("time_limit", min(1e9, solver.getRunTime() + time_limit))
    solver.run()
    return WORDS.get(solver.getModelStatus(), Ended.FAILED)


def _ray(solver: Any, rows: int) -> Floats:
    """Multipliers that prove that there is no solution: so large that they outweigh any cost."""
    found = solver.getDualRay()
    ray = np.array(found[-1]) if found[1] else np.zeros(rows)
    largest = np.abs(ray).max(initial=0.0)
    return np.asarray(ray * (1e9 / largest) if largest > 0 else ray)

"""Gurobi: branch and cut. Its relaxations and proofs are those of HiGHS, whose multipliers make safe bounds."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import gurobipy
import numpy as np
from scipy.sparse import csr_array

from reachbox.solvers.highs import Highs
from reachbox.solvers.problem import Ended, Floats, LinearProgram, Optimum

# With its default tolerances Gurobi proves bounds that a point of the network passes by 4e-4.
PARAMETERS = {
    "Threads": 1, "MIPGap": 0.0, "MIPGapAbs": 1e-9, "FeasibilityTol": 1e-9, "IntFeasTol": 1e-9, "OptimalityTol": 1e-9,
    "NumericFocus": 2,
}  # fmt: skip
WORDS = {
    gurobipy.GRB.OPTIMAL: Ended.SOLVED,
    gurobipy.GRB.TIME_LIMIT: Ended.TIMEOUT,
    gurobipy.GRB.INFEASIBLE: Ended.INFEASIBLE,
    gurobipy.GRB.INF_OR_UNBD: Ended.INFEASIBLE,
}


class Gurobi(Highs):
    """A problem whose cost may change from call to call."""

    @cached_property
    def loaded(self) -> tuple[Any, Any]:
        """Gurobi's model of the problem, and its variables."""
        return _model(self.problem)

    def optimum(self, cost: Floats, time_limit: float) -> Optimum:
        """The least cost with whole columns; `bound` is Gurobi's own dual bound."""
        model, variables = self.loaded
        model.reset()
        model.setObjective(cost @ variables)
        model.Params.TimeLimit = time_limit
        model.optimize()
        ended = WORDS.get(model.Status, Ended.FAILED)
        bound = model.ObjBound if ended in (Ended.SOLVED, Ended.TIMEOUT) else -np.inf
        point = np.array(variables.X) if model.SolCount else None
        return Optimum(ended, float(bound), point)


def _model(problem: LinearProgram) -> tuple[Any, Any]:
    environment = gurobipy.Env(params={"OutputFlag": 0})
    model = gurobipy.Model(env=environment)
    for name, value in PARAMETERS.items():
        model.setParam(name, value)
    kinds = np.full(len(problem.lower), gurobipy.GRB.CONTINUOUS)
    kinds[problem.gates.switch] = gurobipy.GRB.BINARY
    variables = model.addMVar(len(problem.lower), lb=problem.lower, ub=problem.upper, vtype=kinds)
    matrix = csr_array(
        (problem.values, problem.columns, problem.starts), shape=(len(problem.row_lower), len(problem.lower))
    )
    below, above = np.isfinite(problem.row_lower), np.isfinite(problem.row_upper)
    equal = below & above & (problem.row_lower == problem.row_upper)
    model.addConstr(matrix[equal] @ variables == problem.row_lower[equal])
    model.addConstr(matrix[below & ~equal] @ variables >= problem.row_lower[below & ~equal])
    model.addConstr(matrix[above & ~equal] @ variables <= problem.row_upper[above & ~equal])
    return model, variables

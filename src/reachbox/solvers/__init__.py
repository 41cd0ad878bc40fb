"""Solvers of others at work: HiGHS, Gurobi and Marabou, each in a process of its own that can really be ended.

Nothing here knows of torch, so that such a process starts in a moment. A network reaches a solver as a `LinearProgram`
or as a `ReluSystem`; what comes back of a linear program is proven by arithmetic of our own (`safe_bound`).
"""

from reachbox.solvers.availability import require
from reachbox.solvers.child import Child
from reachbox.solvers.problem import Counterexample, Ended, LinearProgram, Optimum, ReluSystem

__all__ = ["Child", "Counterexample", "Ended", "LinearProgram", "Optimum", "ReluSystem", "require"]

"""Whether a solver can be had, found out without loading it."""

from __future__ import annotations

from importlib.util import find_spec

from reachbox.errors import UnsupportedError

PACKAGES = {"highs": "highspy", "gurobi": "gurobipy", "marabou": "maraboupy"}
EXTRAS = {"gurobi": "reachbox[gurobi]", "marabou": "reachbox[marabou]"}


def require(solver: str) -> None:
    """Raises `UnsupportedError` where the solver's package is not installed; the message says how to get it."""
    package = PACKAGES[solver]
    if find_spec(package) is None:
        raise UnsupportedError(
            f"{solver}: {package} is not installed; install it with pip install '{EXTRAS.get(solver, package)}'"
        )

"""A network as rows and columns that a solver understands, and the way from its answers to a `Reach`."""

from reachbox.reach.encoding.linear import big_m, triangles
from reachbox.reach.encoding.method import SolverMethod
from reachbox.reach.encoding.relu_system import relu_system
from reachbox.reach.encoding.side import Instance, Side

__all__ = ["Instance", "Side", "SolverMethod", "big_m", "relu_system", "triangles"]

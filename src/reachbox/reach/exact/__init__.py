"""The exact box of piecewise linear networks: `Exact` for one network, `exact_stack` for many of one architecture."""

from reachbox.reach.exact.method import Exact
from reachbox.reach.exact.stack import exact_stack

__all__ = ["Exact", "exact_stack"]

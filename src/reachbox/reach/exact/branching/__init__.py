"""Branch and bound on the signs of units, all outputs and both sides of many boxes in one batch."""

from reachbox.reach.exact.branching.search import branch_signs

__all__ = ["branch_signs"]

"""Branch and bound on the signs of units, all outputs and both sides of many boxes in one batch."""

from reachbox.reach.exact.branching.search import branch_signs, rows_above

__all__ = ["branch_signs", "rows_above"]

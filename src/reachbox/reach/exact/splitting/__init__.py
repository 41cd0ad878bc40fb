"""Branch and bound by bisecting the input, in compiled code, for goals over boxes of few varying inputs."""

from reachbox.reach.exact.splitting.problem import Problem, largest_rows, single_rows
from reachbox.reach.exact.splitting.search import Rules
from reachbox.reach.exact.splitting.workers import Search, Workers

__all__ = ["Problem", "Rules", "Search", "Workers", "largest_rows", "single_rows"]

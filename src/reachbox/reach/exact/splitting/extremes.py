"""The extremes of many tasks by splitting: every row of an objective is two goals, itself and its negative."""

from __future__ import annotations

from math import inf
from time import perf_counter

import numpy as np
import torch

from reachbox.reach.exact.batch import Answer, Tasks, evaluated, interval_bounds
from reachbox.reach.exact.enumeration import SOLVED, STOPPED, TOO_MANY_REGIONS
from reachbox.reach.exact.rounding import unit_ranges
from reachbox.reach.exact.splitting.problem import single_rows
from reachbox.reach.exact.splitting.search import Rules
from reachbox.reach.exact.splitting.workers import Search, Workers
from reachbox.reach.program import Program

SHARE = 1 / 16  # of the tolerance, for the search: near an extreme, leaves are enumerated and leave little else


def split_extremes(program: Program, tasks: Tasks, tolerance: float, boxes: int, seconds: float) -> Answer:
    """The answer to every task: what is proven and attained when all is within `tolerance`, or a limit comes first.

    `boxes` is how many each task may search, `seconds` are for all. Bounds are those of intervals at worst.
    """
    rules = Rules(aim=inf, tolerance=tolerance * SHARE, stops=False)
    searches = [_search(program, tasks, number, rules, boxes) for number in range(len(tasks))]
    workers = Workers(searches)
    workers.prepare()
    workers.run(torch.get_num_threads(), perf_counter() + seconds)
    ranges = unit_ranges(program, tasks.networks, tasks.lower, tasks.upper)
    least = np.stack([search.least() for search in searches]).reshape(len(tasks), 2, -1)
    points = np.stack([search.incumbent.point for search in searches])
    points = points.reshape(len(tasks), 2, -1, program.inputs)
    widest = interval_bounds(program, tasks.objectives, *ranges[:2])
    outer = np.stack([np.maximum(least[:, 0], widest[:, 0]), np.minimum(-least[:, 1], widest[:, 1])], axis=1)
    ended = np.array([_ended(search) for search in searches])
    return Answer(outer, evaluated(program, tasks, ranges, points), points, ended, ("splitting",))


def _search(program: Program, tasks: Tasks, number: int, rules: Rules, boxes: int) -> Search:
    rows = np.concatenate([tasks.objectives[number], -tasks.objectives[number]])
    problem = single_rows(program.of_network(int(tasks.networks[number])), rows)
    return Search(problem, tasks.lower[number], tasks.upper[number], rules, most_nodes=boxes)


def _ended(search: Search) -> int:
    if not search.waiting:
        return SOLVED
    return TOO_MANY_REGIONS if search.is_spent else STOPPED

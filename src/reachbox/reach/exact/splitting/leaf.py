"""The end of splitting: a node with few unstable units, whose activation regions are enumerated."""

from __future__ import annotations

import numpy as np

from reachbox.machine_code import compiled
from reachbox.reach.exact.enumeration import Limits, allowances, enumerate_regions
from reachbox.reach.exact.rounding import ULP, block_ranges, widening
from reachbox.reach.exact.splitting.problem import Problem
from reachbox.reach.program import Floats, Integers


@compiled
def enumerate_leaf(
    problem: Problem, size: Floats, low: Floats, high: Floats, goals: Integers, limits: Limits
) -> tuple[int, Floats, Floats]:
    """How the enumeration of a node ended, and of each of its `goals` a proven lower bound and where it is least."""
    leaf, hidden, values = problem.leaf, problem.program.begin[-2], problem.leaf.begin[-1]
    inputs = problem.program.begin[0]
    ranges = np.empty((3, 1, values))
    ranges[0, 0, :hidden], ranges[1, 0, :hidden], ranges[2, 0, :hidden] = low[:hidden], high[:hidden], size[:hidden]
    for block in range(len(problem.program.first) - 1, len(leaf.first)):
        block_ranges(leaf, 0, block, ranges[0, 0], ranges[1, 0], ranges[2, 0])
    rows = np.empty((1, len(goals), problem.leaf_rows.shape[1]))
    for number, goal in enumerate(goals):
        rows[0, number] = problem.leaf_rows[goal]
    network, lower, upper = np.zeros(1, dtype=np.int64), ranges[0, :, :inputs].copy(), ranges[1, :, :inputs].copy()
    extremes, points, took = enumerate_regions(leaf, network, lower, upper, ranges[0], ranges[1], rows, limits)
    slack, cover = allowances(took)
    error, _ = widening(leaf, network, (ranges[0], ranges[1], ranges[2]), rows, slack, cover)
    bounds = np.empty(len(goals))
    for number, goal in enumerate(goals):
        shift = problem.leaf_shifts[goal]
        bound = extremes[0, 0, number] - error[0, number] - shift
        bounds[number] = bound - 4 * ULP * (abs(extremes[0, 0, number]) + error[0, number] + abs(shift))
    return took[0, 0], bounds, points[0, 0]

"""Which engine answers: enumeration of regions where it is cheap, splitting of the input where it explodes."""

from __future__ import annotations

from math import inf
from time import perf_counter

import numpy as np

from reachbox.reach.exact.batch import Answer, Limit, Tasks, compile_enumeration, solve
from reachbox.reach.exact.enumeration import SOLVED, STOPPED
from reachbox.reach.exact.splitting.extremes import split_extremes
from reachbox.reach.program import Program

ENGINES = ("auto", "enumeration", "splitting")
FEW_REGIONS, FEW_VERTICES = 4_000, 20_000
"""What enumeration may take before splitting is expected to be cheaper: as in a leaf of splitting."""


def answer(program: Program, tasks: Tasks, engine: str, tolerance: float, limit: Limit) -> Answer:
    """The answer to every task by an engine; `auto` splits the input of those that are too many for enumeration."""
    seconds = inf if limit.seconds is None else limit.seconds
    if engine == "splitting":
        return split_extremes(program, tasks, tolerance, limit.regions, seconds)
    if engine == "enumeration":
        return solve(program, tasks, limit)
    few = Limit(min(limit.regions, FEW_REGIONS), min(limit.vertices, FEW_VERTICES), limit.seconds)
    compile_enumeration(program, tasks)
    started = perf_counter()
    found = solve(program, tasks, few)
    seconds -= perf_counter() - started
    left = np.flatnonzero((found.ended != SOLVED) & (found.ended != STOPPED))
    if not len(left):
        return found
    return found.with_part(left, split_extremes(program, tasks.part(left), tolerance, limit.regions, seconds))

"""Which engine answers: enumeration of regions where it is cheap, splitting of few inputs, branching of many.

The cost of the first two grows exponentially with the inputs that vary, that of branching with the units whose sign
is open.
"""

from __future__ import annotations

import logging
from math import inf
from time import perf_counter

import numpy as np

from reachbox.reach.exact.batch import Answer, Limit, Tasks, compile_enumeration, joined, solve
from reachbox.reach.exact.branching import branch_signs
from reachbox.reach.exact.enumeration import SOLVED, STOPPED
from reachbox.reach.exact.splitting.extremes import split_extremes
from reachbox.reach.program import Integers, Program

LOG = logging.getLogger(__name__)

ENGINES = ("auto", "enumeration", "splitting", "branching")
MOST_ENUMERATED, MOST_SPLIT = 12, 8
"""With more inputs that vary, enumeration or splitting would cost more than branching."""
FEW_REGIONS, FEW_VERTICES = 4_000, 20_000
"""What enumeration may take before splitting is expected to be cheaper: as in a leaf of splitting."""


def answer(program: Program, tasks: Tasks, engine: str, tolerance: float, limit: Limit) -> Answer:
    """The answer to every task by an engine, `auto` by the one whose cost is expected to be least."""
    seconds = inf if limit.seconds is None else limit.seconds
    if engine == "splitting":
        return split_extremes(program, tasks, tolerance, limit.regions, seconds)
    if engine == "enumeration":
        return solve(program, tasks, limit)
    if engine == "branching":
        return branch_signs(program, tasks, tolerance, limit.regions, seconds)
    return _cheapest(program, tasks, tolerance, limit, seconds)


def varying_inputs(tasks: Tasks) -> Integers:
    """How many inputs vary in each task."""
    return np.asarray((tasks.lower < tasks.upper).sum(1))


def _cheapest(program: Program, tasks: Tasks, tolerance: float, limit: Limit, seconds: float) -> Answer:
    """Enumeration as long as it meets few regions; the rest by splitting, or by branching if many inputs vary."""
    varying = varying_inputs(tasks)
    is_few = varying <= MOST_ENUMERATED
    if not is_few.any():
        return branch_signs(program, tasks, tolerance, limit.regions, seconds)
    if not is_few.all():
        many, few = np.flatnonzero(~is_few), np.flatnonzero(is_few)
        started = perf_counter()
        answers = [_cheapest(program, tasks.part(few), tolerance, limit, seconds)]
        seconds = max(0.0, seconds - (perf_counter() - started))
        answers.append(branch_signs(program, tasks.part(many), tolerance, limit.regions, seconds))
        return joined(answers, np.concatenate([few, many]))
    compile_enumeration(program, tasks)
    started = perf_counter()
    regions, vertices = min(limit.regions, FEW_REGIONS), min(limit.vertices, FEW_VERTICES)
    found = solve(program, tasks, Limit(regions, vertices, limit.seconds))
    is_left = (found.ended != SOLVED) & (found.ended != STOPPED)
    LOG.info("exact: enumeration answers %d of %d boxes", len(is_left) - is_left.sum(), len(is_left))
    for name, engine, is_chosen in (
        ("splitting", split_extremes, varying <= MOST_SPLIT),
        ("branching", branch_signs, varying > MOST_SPLIT),
    ):
        left = np.flatnonzero(is_left & is_chosen)
        if len(left):
            LOG.info("exact: %d boxes are left to %s", len(left), name)
            over = max(0.0, seconds - (perf_counter() - started))
            found = found.with_part(left, engine(program, tasks.part(left), tolerance, limit.regions, over))
    return found

"""Which engine answers: enumeration of regions where it is cheap, splitting of few inputs, branching of many.

The cost of the first two grows exponentially with the inputs that vary, that of branching with the units whose sign
is open.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from math import inf
from time import perf_counter

import numpy as np
import numpy.typing as npt

from reachbox.reach.exact.batch import Answer, Limit, Tasks, compile_enumeration, joined, solve
from reachbox.reach.exact.branching import branch_signs
from reachbox.reach.exact.enumeration import SOLVED, STOPPED, TOO_MANY_REGIONS
from reachbox.reach.exact.splitting.extremes import split_extremes
from reachbox.reach.program import Integers, Program

LOG = logging.getLogger(__name__)

ENGINES = ("auto", "enumeration", "splitting", "branching")
MOST_ENUMERATED, MOST_SPLIT = 12, 8
"""With more inputs that vary, enumeration or splitting would cost more than branching."""
BUDGETS = (4_000, 20_000), (64_000, 100_000)
"""Regions and vertices that enumeration may take, one budget after the other, before another engine has its turn.

A region costs some microseconds, a box that is split tenths of a second and more: where the larger budget does not
suffice it has cost about as much as the splitting that follows, and where it does, often a tenth and less.
"""


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
    ends = perf_counter() + seconds
    found = _enumerated(program, tasks, tolerance, limit, ends)
    is_left = _is_left(found)
    LOG.info("exact: enumeration answers %d of %d boxes", len(is_left) - is_left.sum(), len(is_left))
    for name, engine, is_chosen in (
        ("splitting", split_extremes, varying <= MOST_SPLIT),
        ("branching", branch_signs, varying > MOST_SPLIT),
    ):
        left = np.flatnonzero(is_left & is_chosen)
        if len(left):
            LOG.info("exact: %d boxes are left to %s", len(left), name)
            over = max(0.0, ends - perf_counter())
            found = found.with_part(left, engine(program, tasks.part(left), tolerance, limit.regions, over))
    return found


def _enumerated(program: Program, tasks: Tasks, tolerance: float, limit: Limit, ends: float) -> Answer:
    """What enumeration finds within the budgets; a larger one only for what the one before was too small for.

    Many regions leave much to rounding. What is not within the tolerance then is left to the other engines.
    """
    found = solve(program, tasks, _within(limit, BUDGETS[0], ends))
    for budget in BUDGETS[1:]:
        left = np.flatnonzero(_is_left(found))
        if len(left):
            larger = solve(program, tasks.part(left), _within(limit, budget, ends))
            is_loose = (larger.ended == SOLVED) & (larger.gap.max((1, 2)) > tolerance)
            larger = replace(larger, ended=np.where(is_loose, TOO_MANY_REGIONS, larger.ended))
            found = found.with_part(left, larger)
    return found


def _within(limit: Limit, budget: tuple[int, int], ends: float) -> Limit:
    """The budget, as far as the limit allows; the seconds are those that are left."""
    regions, vertices = budget
    seconds = None if ends == inf else max(0.0, ends - perf_counter())
    return Limit(min(limit.regions, regions), min(limit.vertices, vertices), seconds)


def _is_left(found: Answer) -> npt.NDArray[np.bool_]:
    """Which tasks ended for another reason than being done or out of time."""
    return np.asarray((found.ended != SOLVED) & (found.ended != STOPPED))

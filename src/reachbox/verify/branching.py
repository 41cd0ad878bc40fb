"""Decided by branch and bound on the signs of units: for piecewise linear networks of which many inputs vary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reachbox.reach.exact.batch import Tasks
from reachbox.reach.exact.branching import rows_above
from reachbox.reach.exact.splitting import Problem
from reachbox.verify.question import CONFIRMED, LATE, PROVEN, WITHIN_ROUNDING, Question
from reachbox.verify.specification import Floats
from reachbox.verify.unrolled import unrolled
from reachbox.verify.verdict import Verdict, Verification


def by_branching(question: Question) -> Verification | None:
    """The verdict, `unsat` proven with rounding included; None for a network that this is not made for."""
    nodes = 0
    for lower, upper, unsafe in question.specification.by_box():
        if question.is_late:
            return LATE
        problem = unrolled(question.network, unsafe)
        if problem is None:
            return None
        answer = _of_box(question, problem, lower, upper)
        nodes += answer.nodes
        if answer.verdict is not Verdict.UNSAT:
            return replace(answer, nodes=nodes)
    return Verification(Verdict.UNSAT, PROVEN, nodes=nodes)


def _of_box(question: Question, problem: Problem, lower: Floats, upper: Floats) -> Verification:
    tasks = Tasks(np.zeros(1, dtype=np.int64), lower[None].copy(), upper[None].copy(), problem.leaf_rows[None].copy())
    found = rows_above(problem.leaf, tasks, problem.leaf_shifts[None], question.seconds_left)
    if (found.proven > problem.leaf_shifts).all():
        return Verification(Verdict.UNSAT, PROVEN, nodes=found.nodes)
    for goal in np.flatnonzero(found.attained[0] <= problem.leaf_shifts):
        example = question.confirmed(found.points[0, goal])
        if example is not None:
            return Verification(Verdict.SAT, CONFIRMED, example, found.nodes)
    if question.is_late:
        return Verification(LATE.verdict, LATE.reason, nodes=found.nodes)
    return Verification(Verdict.UNKNOWN, WITHIN_ROUNDING, nodes=found.nodes)

"""Decided by branch and bound on the signs of units: for piecewise linear networks of which many inputs vary."""

from __future__ import annotations

import numpy as np

from reachbox.errors import UnsupportedError
from reachbox.reach.exact.batch import Tasks
from reachbox.reach.exact.branching import rows_above
from reachbox.reach.exact.splitting import largest_rows
from reachbox.verify.question import LATE, Question
from reachbox.verify.specification import Floats, HalfSpaces
from reachbox.verify.splitting import MOST_ENTRIES, entries, rows_and_bounds
from reachbox.verify.verdict import Verdict, Verification


def by_branching(question: Question) -> Verification | None:
    """The verdict, `unsat` proven with rounding included; None for a network that this is not made for."""
    if entries(question.network) > MOST_ENTRIES:
        return None
    nodes = 0
    for lower, upper, unsafe in question.specification.by_box():
        if question.is_late:
            return LATE
        try:
            answer = _of_box(question, lower, upper, unsafe)
        except UnsupportedError:
            return None
        nodes += answer.nodes
        if answer.verdict is not Verdict.UNSAT:
            return Verification(answer.verdict, answer.reason, answer.counterexample, nodes)
    return Verification(Verdict.UNSAT, "proven, rounding included", nodes=nodes)


def _of_box(question: Question, lower: Floats, upper: Floats, unsafe: list[HalfSpaces]) -> Verification:
    """The verdict on one box: it is unsafe where the largest row of some alternative is at most its bound."""
    problem = largest_rows(question.network, *rows_and_bounds(unsafe))
    tasks = Tasks(np.zeros(1, dtype=np.int64), lower[None].copy(), upper[None].copy(), problem.leaf_rows[None].copy())
    found = rows_above(problem.leaf, tasks, problem.leaf_shifts[None], question.seconds_left)
    if (found.proven > problem.leaf_shifts).all():
        return Verification(Verdict.UNSAT, "proven, rounding included", nodes=found.nodes)
    for goal in np.flatnonzero(found.attained[0] <= problem.leaf_shifts):
        example = question.confirmed(found.points[0, goal])
        if example is not None:
            return Verification(Verdict.SAT, "a counterexample is confirmed", example, found.nodes)
    if question.is_late:
        return Verification(LATE.verdict, LATE.reason, nodes=found.nodes)
    return Verification(Verdict.UNKNOWN, "undecided within the rounding of the arithmetic", nodes=found.nodes)

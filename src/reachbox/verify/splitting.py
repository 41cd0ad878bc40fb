"""Decided by splitting the input: for piecewise linear networks of which few inputs vary."""

from __future__ import annotations

import torch

from reachbox.reach.exact.splitting import Rules, Search, Workers
from reachbox.verify.question import CONFIRMED, LATE, PROVEN, WITHIN_ROUNDING, Question
from reachbox.verify.specification import Floats
from reachbox.verify.unrolled import unrolled
from reachbox.verify.verdict import Counterexample, Verdict, Verification

FEW_INPUTS = 12


def by_splitting(question: Question) -> Verification | None:
    """The verdict, `unsat` proven with rounding included; None for a network or box that this is not made for."""
    boxes = question.specification.by_box()
    if max(int((lower < upper).sum()) for lower, upper, _ in boxes) > FEW_INPUTS:
        return None
    searches = []
    for lower, upper, unsafe in boxes:
        problem = unrolled(question.network, unsafe)
        if problem is None:
            return None
        rules = Rules(aim=0.0, tolerance=0.0, stops=True)
        searches.append(Search(problem, lower, upper, rules, seed=question.seed))
    found: list[Counterexample] = []

    def judge(_search: Search, point: Floats) -> bool:
        example = question.confirmed(point)
        found.extend([example] if example else [])
        return example is not None

    Workers(searches, judge).run(torch.get_num_threads(), question.deadline)
    nodes = sum(search.nodes_done for search in searches)
    if found:
        return Verification(Verdict.SAT, CONFIRMED, found[0], nodes)
    if all(search.is_closed for search in searches):
        return Verification(Verdict.UNSAT, PROVEN, nodes=nodes)
    if any(search.waiting for search in searches):
        return Verification(LATE.verdict, LATE.reason, nodes=nodes)
    return Verification(Verdict.UNKNOWN, WITHIN_ROUNDING, nodes=nodes)

"""Decided by bounds of the outputs alone: sound methods from the cheapest to the tightest, for any network."""

from __future__ import annotations

import torch

from reachbox.box import Box
from reachbox.errors import UnsupportedError
from reachbox.reach import reach
from reachbox.verify.question import LATE, Question
from reachbox.verify.specification import Floats, HalfSpaces
from reachbox.verify.verdict import Verdict, Verification

METHODS = ("dual", "crown", "alpha")
RESERVE = 1e-9  # of the numbers' size: these methods do not count the rounding of their own arithmetic


def by_bounds(question: Question) -> Verification | None:
    """`unsat` where some row of every alternative is proven to exceed its bound; None otherwise."""
    still_open = question.specification.by_box()
    for method in METHODS:
        remaining = []
        for lower, upper, unsafe in still_open:
            if question.is_late:
                return LATE
            kept = _not_refuted(question, method, lower, upper, unsafe)
            remaining += [(lower, upper, kept)] if kept else []
        still_open = remaining
        if not still_open:
            return Verification(Verdict.UNSAT, f"proven by {method}, up to the rounding of float64")
    return None


def _not_refuted(
    question: Question, method: str, lower: Floats, upper: Floats, unsafe: list[HalfSpaces]
) -> list[HalfSpaces]:
    """The alternatives of a box that a method does not exclude."""
    rows = torch.cat([torch.from_numpy(half_spaces.rows) for half_spaces in unsafe])
    if not len(rows):
        return unsafe
    shape = (1, *question.network.input_shape)
    box = Box(torch.from_numpy(lower).reshape(shape), torch.from_numpy(upper).reshape(shape))
    try:
        with torch.no_grad():
            least = reach(question.network, box, method, objective=rows).lower[0]
    except UnsupportedError:
        return unsafe
    kept, first = [], 0
    for half_spaces in unsafe:
        bounds = torch.from_numpy(half_spaces.bounds)
        found = least[first : first + len(bounds)]
        first += len(bounds)
        if not bool((found > bounds + RESERVE * (1 + bounds.abs() + found.abs())).any()):
            kept.append(half_spaces)
    return kept

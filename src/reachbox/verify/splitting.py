"""Decided by splitting the input: for piecewise linear networks of which few inputs vary."""

from __future__ import annotations

from math import prod

import numpy as np
import torch

from reachbox.errors import UnsupportedError
from reachbox.network import Network
from reachbox.network.operators import Affine
from reachbox.reach.exact.splitting import Rules, Search, Workers, largest_rows
from reachbox.verify.question import LATE, Question
from reachbox.verify.specification import Floats, HalfSpaces
from reachbox.verify.verdict import Counterexample, Verdict, Verification

FEW_INPUTS = 12
MOST_ENTRIES = 30_000_000  # of a network's matrices


def by_splitting(question: Question) -> Verification | None:
    """The verdict, `unsat` proven with rounding included; None for a network or box that this is not made for."""
    boxes = question.specification.by_box()
    varying = max(int((lower < upper).sum()) for lower, upper, _ in boxes)
    if varying > FEW_INPUTS or entries(question.network) > MOST_ENTRIES:
        return None
    try:
        searches = [_search(question, *box) for box in boxes]
    except UnsupportedError:
        return None
    found: list[Counterexample] = []

    def judge(_search: Search, point: Floats) -> bool:
        example = question.confirmed(point)
        found.extend([example] if example else [])
        return example is not None

    Workers(searches, judge).run(torch.get_num_threads(), question.deadline)
    nodes = sum(search.nodes_done for search in searches)
    if found:
        return Verification(Verdict.SAT, "a counterexample is confirmed", found[0], nodes)
    if all(search.is_closed for search in searches):
        return Verification(Verdict.UNSAT, "proven, rounding included", nodes=nodes)
    if any(search.waiting for search in searches):
        return Verification(LATE.verdict, LATE.reason, nodes=nodes)
    return Verification(Verdict.UNKNOWN, "undecided within the rounding of the arithmetic", nodes=nodes)


def entries(network: Network) -> int:
    """How large the matrices of a network's affine operators are together."""
    return sum(
        prod(node.shape) * sum(prod(network.shape_of(value)) for value in node.inputs)
        for node in network.nodes
        if isinstance(node.operator, Affine)
    )


def _search(question: Question, lower: Floats, upper: Floats, unsafe: list[HalfSpaces]) -> Search:
    """One box with all its alternatives."""
    problem = largest_rows(question.network, *rows_and_bounds(unsafe))
    return Search(problem, lower, upper, Rules(aim=0.0, tolerance=0.0, stops=True), seed=question.seed)


def rows_and_bounds(unsafe: list[HalfSpaces]) -> tuple[list[Floats], list[Floats]]:
    """Those of each alternative; where there is no row, all outputs are unsafe, as by the row `0 <= 0`."""
    rows = [
        half_spaces.rows if len(half_spaces.rows) else np.zeros((1, half_spaces.rows.shape[1]))
        for half_spaces in unsafe
    ]
    return rows, [half_spaces.bounds if len(half_spaces.rows) else np.zeros(1) for half_spaces in unsafe]

"""The verb: whether a network can be unsafe, decided by search, bounds and attack."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from math import inf, prod
from time import perf_counter

from reachbox.errors import InputError
from reachbox.network import Network
from reachbox.verify.attack import by_attack
from reachbox.verify.bounds import by_bounds
from reachbox.verify.branching import by_branching
from reachbox.verify.judge import Judge, network_judge
from reachbox.verify.question import LATE, Question
from reachbox.verify.specification import Specification
from reachbox.verify.splitting import by_splitting
from reachbox.verify.verdict import Verdict, Verification

LOG = logging.getLogger(__name__)

STEPS: tuple[Callable[[Question], Verification | None], ...] = (by_splitting, by_bounds, by_attack, by_branching)
"""Taken in turn until one gives a verdict; each gives None where it has none. A further method is one more step."""


def verify(
    network: Network, specification: Specification, *, timeout: float | None = None, judge: Judge | None = None,
    seed: int = 0,
) -> Verification:  # fmt: skip
    """Whether an input of the specification's unsafe set exists: `sat`, `unsat`, or that this is not known.

    For few inputs that vary, up to 12, and piecewise linear networks the input is split until all is decided; `unsat`
    is proven then, rounding included (`docs/exact.md`). Otherwise bounds are tried, whose `unsat` holds over the real
    numbers, up to the rounding of float64; then an attack; then branch and bound on the signs of units, whose `unsat`
    includes the rounding. `sat` is claimed only of an input for which `judge` confirms it: by default the network's
    own evaluation in float32. `timeout` is in seconds; without it a search goes on until all is decided.
    Raises `InputError` where the specification does not fit the network, or the time limit is not a number from 0 on.
    """
    started = perf_counter()
    if timeout is not None and not 0 <= timeout < inf:
        raise InputError(f"timeout: a number of seconds from 0 on is needed, found {timeout:g}")
    _check_counts(network, specification)
    deadline = inf if timeout is None else started + timeout
    answer = _decided(Question(network, specification, judge or network_judge(network), deadline, seed))
    return replace(answer, seconds=perf_counter() - started)


def _check_counts(network: Network, specification: Specification) -> None:
    for words, declared, has in (
        ("inputs X_i", specification.inputs, prod(network.input_shape)),
        ("outputs Y_i", specification.outputs, prod(network.output_shape)),
    ):
        if declared != has:
            raise InputError(f"specification: it declares {declared} {words}, the network has {has}")


def _decided(question: Question) -> Verification:
    if not question.specification.disjuncts:
        return Verification(Verdict.UNSAT, "nothing is unsafe")
    for step in STEPS:
        if question.is_late:
            return LATE
        started = perf_counter()
        answer = step(question)
        ended = "undecided" if answer is None else answer.verdict
        LOG.info("verify: %s after %.3g s of %s", ended, perf_counter() - started, step.__name__.removeprefix("by_"))
        if answer is not None:
            return answer
    return LATE if question.is_late else Verification(Verdict.UNKNOWN, "neither proven nor broken")

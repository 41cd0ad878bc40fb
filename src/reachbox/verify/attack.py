"""The search for an unsafe input by gradient steps, for networks of any operators and any number of inputs."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from reachbox.network import Network
from reachbox.verify.question import CONFIRMED, LATE, Question
from reachbox.verify.specification import Disjunct, Floats
from reachbox.verify.verdict import Verdict, Verification

STARTS, STEPS = 16, 60
FIRST_STEP, LAST_STEP = 0.3, 0.003  # as shares of the box


def by_attack(question: Question) -> Verification | None:
    """`sat` where a point that is found is confirmed; None otherwise."""
    for disjunct in question.specification.disjuncts:
        if question.is_late:
            return LATE
        for point in unsafe_points(question.network, disjunct, question.seed):
            example = question.confirmed(point)
            if example is not None:
                return Verification(Verdict.SAT, CONFIRMED, example)
    return None


def unsafe_points(network: Network, disjunct: Disjunct, seed: int) -> Iterator[Floats]:
    """Points of a disjunct's box whose outputs, in float64, are in its half-spaces.

    From the centre and random points, some of their coordinates on faces, down the largest row; rows are weighed by
    how much they vary over the starts.
    """
    generator = torch.Generator().manual_seed(seed)
    lower, upper = torch.from_numpy(disjunct.lower), torch.from_numpy(disjunct.upper)
    rows, bounds = torch.from_numpy(disjunct.unsafe.rows), torch.from_numpy(disjunct.unsafe.bounds)
    if not len(rows):
        yield disjunct.lower
        return
    share = (torch.rand(STARTS, len(lower), generator=generator, dtype=torch.float64) * 1.5 - 0.25).clamp(0, 1)
    share[0] = 0.5
    point, spread = lower + share * (upper - lower), None
    for step in range(STEPS + 1):
        point = point.detach().requires_grad_()
        values = network(point.reshape(-1, *network.input_shape)).flatten(1) @ rows.T - bounds
        largest = values.detach().amax(1)
        yield from (point[i].detach().numpy().copy() for i in (largest <= 0).nonzero().flatten()[:1])
        if spread is None:
            spread = (values.amax(0) - values.amin(0)).detach().clamp(min=1e-300)
        (gradient,) = torch.autograd.grad((values / spread).amax(1).sum(), point)
        length = FIRST_STEP * (LAST_STEP / FIRST_STEP) ** (step / STEPS)
        point = _stepped(point.detach(), gradient, length, lower, upper)


def _stepped(point: Tensor, gradient: Tensor, length: float, lower: Tensor, upper: Tensor) -> Tensor:
    side = upper - lower
    return torch.minimum(torch.maximum(point - length * side * (gradient * side).sign(), lower), upper)

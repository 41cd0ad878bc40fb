"""`interval`: every value's range from its inputs' ranges, one operator at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.network import Network
from reachbox.network.operators import Affine
from reachbox.reach.method import Method
from reachbox.reach.relaxation import operator_range
from reachbox.reach.result import Kind, Reach
from reachbox.reach.rows import of_objective, substitute

Range: TypeAlias = tuple[Tensor, Tensor]
"""Centre and radius of a value, each `(batch, *shape)`."""

MOST_KINDS = 16
"""Up to here every sample is multiplied with the rows of every kind of objective, which one matrix product does."""


@dataclass(frozen=True)
class Interval(Method):
    """Interval arithmetic: the cheapest sound box, two forward passes. Choose it for speed; `dual` is far tighter.

    Sound over the reals up to rounding; differentiable to weights, input and radius.
    An objective is carried through the affine layers at the network's end before its range is taken.
    """

    name: ClassVar[str] = "interval"
    differentiable: ClassVar[bool] = True

    def bound(self, network: Network, box: Box, objective: Tensor) -> Reach:
        centre, radius = _range_of(network, propagate(network, box), objective)
        return Reach(centre - radius, centre + radius, self.name, Kind.SOUND)


def propagate(network: Network, box: Box) -> list[Range]:
    """Centre and radius of every value of the graph."""
    ranges = [(box.centre, box.radius)]
    for node in network.nodes:
        ranges.append(step(network, len(ranges), ranges))
        assert ranges[-1][0].shape[1:] == node.shape
    return ranges


def step(network: Network, value: int, ranges: list[Range]) -> Range:
    """Centre and radius of one value from those of its node's inputs."""
    node = network.nodes[value - 1]
    inputs = [ranges[source] for source in node.inputs]
    if isinstance(node.operator, Affine):
        centre = node.operator.forward(*(centre for centre, _ in inputs))
        return centre, node.operator.absolute(*(radius for _, radius in inputs))
    lower, upper = operator_range(node.operator, inputs[0][0] - inputs[0][1], inputs[0][0] + inputs[0][1])
    return (lower + upper) / 2, (upper - lower) / 2


def _range_of(network: Network, ranges: list[Range], objective: Tensor) -> Range:
    """Centre and radius of each sample's rows, `(batch, rows)`, by the ranges of the last nonlinear values."""
    objectives, of_sample = _distinct(objective)
    kinds, count, _ = objectives.shape
    weighted: list[Range] = []

    def stop(value: int, coefficients: Tensor) -> tuple[None, Tensor]:
        centre, radius = ranges[value]
        table = coefficients.reshape(kinds, count, -1)
        weighted.append((_weighted(table, of_sample, centre), _weighted(table.abs(), of_sample, radius)))
        return None, coefficients.new_zeros(len(coefficients))

    remaining, constant = substitute(network, network.output, of_objective(network, objectives).coefficients, stop)
    stop(0, remaining)
    centres, radii = zip(*weighted, strict=True)
    return constant.reshape(kinds, count)[of_sample] + sum(centres), torch.stack(radii).sum(0)


def _distinct(objective: Tensor) -> tuple[Tensor, Tensor]:
    """The objectives without repetition, `(kinds, rows, outputs)`, and the number of each sample's, int64 `(batch,)`.

    Samples with the same label have the same margins: their rows go through the network's end once. Objectives that
    carry gradients, or that hardly repeat, stay as they are, one a sample.
    """
    batch = torch.arange(len(objective), device=objective.device)
    if objective.stride(0) == 0:
        return objective[:1], torch.zeros_like(batch)
    if objective.requires_grad:
        return objective, batch
    objectives, of_sample = torch.unique(objective, dim=0, return_inverse=True)
    return (objectives, of_sample) if len(objectives) <= MOST_KINDS else (objective, batch)


def _weighted(table: Tensor, of_sample: Tensor, values: Tensor) -> Tensor:
    """The sums of each sample's values with the weights of its rows, `(batch, rows)`; `table` is `(kinds, rows, n)`."""
    flat = values.flatten(1)
    if len(table) > MOST_KINDS:
        return torch.bmm(table[of_sample], flat.unsqueeze(2)).squeeze(2)
    products = flat @ table.flatten(0, 1).T
    return products.reshape(len(flat), *table.shape[:2])[torch.arange(len(flat), device=flat.device), of_sample]

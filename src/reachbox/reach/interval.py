"""`interval`: every value's range from its inputs' ranges, one operator at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reachbox.box import Box
from reachbox.network import Network
from reachbox.network.operators import Affine
from reachbox.reach.method import Method
from reachbox.reach.relaxation import operator_range
from reachbox.reach.result import Kind, Reach
from reachbox.reach.rows import Rows, of_objective, row_sum, substitute


@dataclass(frozen=True)
class Interval(Method):
    """Interval arithmetic: the cheapest sound box, two forward passes. Choose it for speed; `dual` is far tighter.

    Sound over the reals up to rounding; differentiable to weights, input and radius.
    An objective is carried through the affine layers at the network's end before its range is taken.
    """

    name: ClassVar[str] = "interval"
    differentiable: ClassVar[bool] = True

    def bound(self, network: Network, box: Box, objective: Tensor) -> Reach:
        ranges = propagate(network, box)
        rows = of_objective(network, objective)
        shape = objective.shape[:2]
        centre, radius = (part.reshape(shape) for part in _range_of(network, ranges, rows))
        return Reach(centre - radius, centre + radius, self.name, Kind.SOUND)


def propagate(network: Network, box: Box) -> list[tuple[Tensor, Tensor]]:
    """Centre and radius of every value of the graph."""
    ranges = [(box.centre, box.radius)]
    for node in network.nodes:
        ranges.append(step(network, len(ranges), ranges))
        assert ranges[-1][0].shape[1:] == node.shape
    return ranges


def step(network: Network, value: int, ranges: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Centre and radius of one value from those of its node's inputs."""
    node = network.nodes[value - 1]
    inputs = [ranges[source] for source in node.inputs]
    if isinstance(node.operator, Affine):
        centre = node.operator.forward(*(centre for centre, _ in inputs))
        return centre, node.operator.absolute(*(radius for _, radius in inputs))
    lower, upper = operator_range(node.operator, inputs[0][0] - inputs[0][1], inputs[0][0] + inputs[0][1])
    return (lower + upper) / 2, (upper - lower) / 2


def _range_of(network: Network, ranges: list[tuple[Tensor, Tensor]], rows: Rows) -> tuple[Tensor, Tensor]:
    """Centre and radius of each row, by the ranges of the last nonlinear values."""
    radii = []

    def stop(value: int, coefficients: Tensor) -> tuple[None, Tensor]:
        centre, radius = ranges[value]
        radii.append(row_sum(coefficients.abs() * radius[rows.sample]))
        return None, row_sum(coefficients * centre[rows.sample])

    remaining, constant = substitute(network, network.output, rows.coefficients, stop)
    centre, radius = ranges[0]
    radii.append(row_sum(remaining.abs() * radius[rows.sample]))
    return constant + row_sum(remaining * centre[rows.sample]), sum(radii[1:], start=radii[0])

"""`crown`: back-substitution with a line below and a line above each nonlinear unit, chosen by its own range."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.network import Network
from reachbox.network.operators import Affine
from reachbox.reach.interval import step
from reachbox.reach.method import Method
from reachbox.reach.relaxation import Lines, curved, tight_lines
from reachbox.reach.result import Kind, Reach
from reachbox.reach.rows import Rows, in_chunks, of_objective, row_sum, substitute, units


@dataclass(frozen=True)
class Crown(Method):
    """CROWN (Zhang et al. 2018): often tighter than `dual`, at about twice its cost.

    The lower line of an unstable ReLU has slope 0 or 1, whichever leaves the smaller area; all intermediate bounds are
    computed the same way. Sound over the reals up to rounding; differentiable to weights, input and radius.
    `memory` is the number of bytes that one chunk of rows may take.
    """

    name: ClassVar[str] = "crown"
    differentiable: ClassVar[bool] = True
    memory: int | None = None

    def bound(self, network: Network, box: Box, objective: Tensor) -> Reach:
        relaxed = LinearBounds(network, box, self.memory).grown()
        rows = of_objective(network, objective)
        lower, upper = relaxed.range_of(network.output, rows)
        shape = objective.shape[:2]
        return Reach(lower.reshape(shape), upper.reshape(shape), self.name, Kind.SOUND)


@dataclass(frozen=True)
class LinearBounds:
    """A network with every nonlinear node between two lines: `lines` by the node's value, `ranges` of their inputs."""

    network: Network
    box: Box
    memory: int | None = None
    lines: dict[int, Lines] = field(default_factory=dict)
    ranges: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def grown(self) -> LinearBounds:
        """Finds the lines of all nonlinear nodes, first to last, each from the bounds that the earlier ones give."""
        cheap = [(self.box.centre, self.box.radius)]
        for value, node in enumerate(self.network.nodes, start=1):
            if not isinstance(node.operator, Affine):
                source = node.inputs[0]
                lower, upper = self._input_range(value, *cheap[source])
                self.ranges[value] = lower, upper
                self.lines[value] = tight_lines(node.operator, lower, upper)
                cheap[source] = (lower + upper) / 2, (upper - lower) / 2
            cheap.append(step(self.network, value, cheap))
        return self

    def _input_range(self, consumer: int, centre: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
        """The range of a nonlinear node's input: by rows for units that may be curved, by intervals elsewhere."""
        node = self.network.nodes[consumer - 1]
        value, lower, upper = node.inputs[0], centre - radius, centre + radius
        chosen = curved(node.operator, lower, upper).flatten(1).nonzero()
        if not len(chosen) or value == 0:
            return lower, upper

        def compute(part: slice) -> tuple[Tensor, ...]:
            return self._range_of(value, units(self.network, value, chosen[part], centre))

        low, high = in_chunks(self.network, value, len(chosen), centre, compute, self.memory)
        where = (chosen[:, 0], chosen[:, 1])
        return (
            lower.flatten(1).index_put(where, low).reshape(lower.shape),
            upper.flatten(1).index_put(where, high).reshape(upper.shape),
        )

    def range_of(self, value: int, rows: Rows) -> tuple[Tensor, Tensor]:
        """Lower and upper bound of each row over a value, `(rows,)` each, in chunks."""

        def compute(part: slice) -> tuple[Tensor, ...]:
            return self._range_of(value, Rows(rows.coefficients[part], rows.sample[part]))

        lower, upper = in_chunks(self.network, value, len(rows), rows.coefficients, compute, self.memory)
        return lower, upper

    def _range_of(self, value: int, rows: Rows) -> tuple[Tensor, Tensor]:
        both = Rows(torch.cat([-rows.coefficients, rows.coefficients]), torch.cat([rows.sample, rows.sample]))
        lower, upper = self.above(value, both).chunk(2)
        return -lower, upper

    def above(self, value: int, rows: Rows) -> Tensor:
        """An upper bound of each row over a value, `(rows,)`."""

        def through(current: int, coefficients: Tensor) -> tuple[Tensor, Tensor]:
            before = self.network.shape_of(self.network.nodes[current - 1].inputs[0])
            return self.lines[current].above(coefficients, rows.sample, before)

        remaining, constant = substitute(self.network, value, rows.coefficients, through)
        centre, radius = self.box.centre[rows.sample], self.box.radius[rows.sample]
        return constant + row_sum(remaining * centre) + row_sum(remaining.abs() * radius)

"""Centre and radius on any graph: flat rows of units, chunk by chunk, on any device."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reachbox.box import Box
from reachbox.network import Network
from reachbox.network.operators import Affine
from reachbox.reach.relaxation import Band, band, curved, pick
from reachbox.reach.rows import Rows, in_chunks, of_objective, row_sum, substitute, units


def graph_bound(network: Network, box: Box, objective: Tensor, memory: int | None) -> tuple[Tensor, Tensor]:
    """Centre and radius of the objective `(batch, rows, outputs)` under the dual bound, `(batch, rows)` each."""
    relaxed = _Relaxed(network, box, {}, memory)
    values = relaxed.forward()
    radius = relaxed.radius_of(network.output, of_objective(network, objective)).reshape(objective.shape[:2])
    return (objective @ values[network.output].flatten(1).unsqueeze(-1)).squeeze(-1), radius


@dataclass(frozen=True)
class _Relaxed:
    """The relaxed network while it grows: the band of each nonlinear node found so far, by the node's value."""

    network: Network
    box: Box
    bands: dict[int, Band]
    memory: int | None

    def forward(self) -> list[Tensor]:
        """The centre of every value; fills `bands` on the way."""
        centres, outer = [self.box.centre], [self.box.radius]
        for value, node in enumerate(self.network.nodes, start=1):
            sources = node.inputs
            if isinstance(node.operator, Affine):
                centres.append(node.operator.forward(*(centres[i] for i in sources)))
                outer.append(node.operator.absolute(*(outer[i] for i in sources)))
                continue
            centre = centres[sources[0]]
            radius = self._radius(sources[0], value, centre, outer[sources[0]])
            found = band(node.operator, centre - radius, centre + radius)
            self.bands[value] = found
            centres.append(found.line.value(centre))
            source = found.line.source
            moved = radius if source is None else pick(radius, source)
            outer.append(found.line.slope.abs() * moved + found.radius)
        return centres

    def _radius(self, value: int, consumer: int, centre: Tensor, outer: Tensor) -> Tensor:
        """The radius of a nonlinear node's input: exact for units that may be curved, the outer one elsewhere.

        `outer` contains the dual range, so a unit that is stable over it is stable, and then only that matters.
        """
        operator = self.network.nodes[consumer - 1].operator
        chosen = curved(operator, centre - outer, centre + outer).flatten(1).nonzero()
        if not len(chosen) or value == 0:
            return outer

        def compute(part: slice) -> tuple[Tensor, ...]:
            return (self._radius_of(value, units(self.network, value, chosen[part], centre)),)

        (radii,) = in_chunks(self.network, value, len(chosen), centre, compute, self.memory)
        flat = outer.flatten(1).index_put((chosen[:, 0], chosen[:, 1]), radii)
        return flat.reshape(outer.shape)

    def radius_of(self, value: int, rows: Rows) -> Tensor:
        """The radius of each row over a value, `(rows,)`, in chunks."""

        def compute(part: slice) -> tuple[Tensor, ...]:
            return (self._radius_of(value, Rows(rows.coefficients[part], rows.sample[part])),)

        (radii,) = in_chunks(self.network, value, len(rows), rows.coefficients, compute, self.memory)
        return radii

    def _radius_of(self, value: int, rows: Rows) -> Tensor:
        def through(current: int, coefficients: Tensor) -> tuple[Tensor, Tensor]:
            found = self.bands[current]
            before = self.network.shape_of(self.network.nodes[current - 1].inputs[0])
            slack = row_sum(coefficients.abs() * found.radius[rows.sample])
            return found.line.transposed(coefficients, rows.sample, before), slack

        remaining, slack = substitute(self.network, value, rows.coefficients, through, with_bias=False)
        return slack + row_sum(remaining.abs() * self.box.radius[rows.sample])

"""Centre and radius on any graph, by torch, on any device: rows as patches, without a look at a value on a GPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from reachbox.box import Box
from reachbox.network import Network
from reachbox.network.operators import Affine, Operator, Relu, Source, resolve
from reachbox.reach.dual.patches import EVERYTHING, Lead, Patches
from reachbox.reach.dual.relu import relu_band
from reachbox.reach.dual.replay import Replays
from reachbox.reach.dual.windows import Plan, each_unit, is_first, largest, planned, whole
from reachbox.reach.relaxation import Band, Line, band, curved, pick
from reachbox.reach.rows import MEMORY

NEARLY_ALL = 0.7  # of a layer's units: from here on it is cheaper to take all than to choose
LARGE = 1 << 28  # bytes of a tensor whose kernels take far longer than their launch
ALIVE = 4  # tensors of the largest size that are held at once


def graph_bound(network: Network, box: Box, objective: Tensor, memory: int | None) -> tuple[Tensor, Tensor]:
    """Centre and radius of the objective `(batch, rows, outputs)` under the dual bound, `(batch, rows)` each."""
    weights: list[Tensor] = []

    def noted(source: Source) -> Source:
        weights.append(resolve(source))
        return source

    network.map_sources(noted)
    distinct = objective[:1] if objective.stride(0) == 0 else objective

    def function(low: Tensor, high: Tensor, rows: Tensor, *given: Tensor) -> tuple[Tensor, Tensor]:
        numbers = iter(given)
        return _bound(network.map_sources(lambda source: next(numbers)), Box.trusted(low, high), rows, memory)

    arguments = (box.lower, box.upper, distinct, *weights)
    if (
        memory is not None
        or not box.lower.is_cuda
        or largest(network) * len(box.lower) * box.lower.element_size() > LARGE
    ):
        return function(*arguments)
    replays = network.plans.setdefault("replays", Replays())
    assert isinstance(replays, Replays)
    centre, radius = replays(function, arguments)
    return centre, radius


def _bound(network: Network, box: Box, objective: Tensor, memory: int | None) -> tuple[Tensor, Tensor]:
    """`graph_bound` for an objective of one sample or one each."""
    rows = objective.expand(len(box.lower), -1, -1)
    relaxed = _Relaxed(network, box, _limit(box.lower.device) if memory is None else memory)
    centre = relaxed.forward()
    return (rows @ centre.flatten(1).unsqueeze(-1)).squeeze(-1), relaxed.radius_of(rows)


@dataclass(frozen=True)
class _Relaxed:
    """The relaxed network while it grows: the band of each nonlinear node found so far, by the node's value.

    On a processor, rows are carried for those units alone that may be curved over their outer range, which is cheap.
    On a GPU they are carried for all: nothing waits there for a value, and shapes stay the same from call to call.
    """

    network: Network
    box: Box
    memory: int
    bands: dict[int, Band] = field(default_factory=dict)

    @property
    def chooses(self) -> bool:
        """Whether only some rows are carried."""
        return self.box.lower.device.type == "cpu"

    def forward(self) -> Tensor:
        """The centre of the output; fills `bands` on the way."""
        centres: list[Tensor] = [self.box.centre]
        outer: list[Tensor | None] = [self.box.radius]
        for value, node in enumerate(self.network.nodes, start=1):
            sources = node.inputs
            if isinstance(node.operator, Affine):
                centres.append(node.operator.forward(*(centres[i] for i in sources)))
                known = [radius for i in sources if (radius := outer[i]) is not None]
                needed = len(known) == len(sources) and (self.chooses or is_first(self.network, value))
                outer.append(node.operator.absolute(*known) if needed else None)
                continue
            centre = centres[sources[0]]
            radius = self._radius(sources[0], value, centre, outer[sources[0]])
            found, after = _banded(node.operator, centre, radius)
            self.bands[value] = found
            centres.append(after)
            outer.append(_after(found, radius) if self.chooses else None)
        return centres[self.network.output]

    def _radius(self, value: int, consumer: int, centre: Tensor, outer: Tensor | None) -> Tensor:
        """The radius of a nonlinear node's input: exact for units that may be curved, the outer one elsewhere.

        `outer` contains the dual range, so a unit that is stable over it is stable, and then only that matters.
        """
        if outer is not None and is_first(self.network, value):
            return outer
        if outer is None:
            return self._of_units(value, len(centre))
        operator = self.network.nodes[consumer - 1].operator
        mask = curved(operator, centre - outer, centre + outer).flatten(2 if centre.ndim > 2 else 1)
        chosen = mask.nonzero()
        if len(chosen) > NEARLY_ALL * mask.numel():
            return self._of_units(value, len(centre))
        if not len(chosen):
            return outer
        sample, channel, *place = chosen.unbind(1)
        places = mask[0, 0].numel()
        number = torch.stack([sample * places + (place[0] if place else 0), channel])
        radii = self._of_units(value, len(centre), number)
        flat = outer.reshape(mask.shape).index_put(tuple(chosen.unbind(1)), radii)
        return flat.reshape(outer.shape)

    def _of_units(self, value: int, batch: int, chosen: Tensor | None = None) -> Tensor:
        """The radius of every unit of a value `(batch, *shape)`, or of those chosen `(rows,)`."""
        shape = self.network.shape_of(value)
        channels, *grid = shape
        eye = torch.eye(channels, dtype=self.box.lower.dtype, device=self.box.lower.device)
        units = eye.reshape(channels, *(1 for _ in grid), 1, *(1 for _ in grid), channels)
        rows = Patches(units, each_unit(shape), Lead(batch, tuple(grid), channels, chosen), shape)
        radii = self._in_chunks(value, rows, planned(self.network, value, units=True))
        return radii if chosen is not None else radii.movedim(-1, 1)

    def radius_of(self, objective: Tensor) -> Tensor:
        """The radius of each row of an objective `(batch, rows, outputs)`, `(batch, rows)`."""
        shape, value = self.network.output_shape, self.network.output
        batch, count, _ = objective.shape
        different = objective[:1] if objective.stride(0) == 0 else objective
        coefficients = different.permute(2, 0, 1).reshape(*shape, len(different), count)
        rows = Patches(coefficients, whole(shape), Lead(batch, (), count), shape)
        return self._in_chunks(value, rows, planned(self.network, value, units=False))

    def _in_chunks(self, value: int, rows: Patches, plan: Plan) -> Tensor:
        """The radius of rows over a value, each chunk within the memory limit.

        With more than one, the backward pass computes each again instead of keeping what it needs.
        """
        row = max(1, ALIVE * plan.elements * self.box.lower.element_size())  # 0 where nothing but shapes changes
        parts = rows.lead.split(max(1, self.memory // row))
        if len(parts) == 1 and len(parts[0]) == 1:
            return self._carried(value, rows, plan, EVERYTHING)
        again = torch.is_grad_enabled()

        def found(samples: slice, some: slice) -> Tensor:
            arguments = (value, rows.part(samples, some), plan, samples)
            if not again:
                return self._carried(*arguments)
            radii = checkpoint(self._carried, *arguments, use_reentrant=False, preserve_rng_state=False)
            assert isinstance(radii, Tensor)
            return radii

        return torch.cat([torch.cat([found(*each) for each in some], -1) for some in parts])

    def _carried(self, value: int, rows: Patches, plan: Plan, samples: slice) -> Tensor:
        """The radius of rows of some samples over a value, of the lead's dimensions."""
        pending = {value: rows}
        terms: list[Tensor] = []
        for current in range(value, 0, -1):
            if current not in pending:
                continue
            node, rows = self.network.nodes[current - 1], pending.pop(current)
            before = tuple(self.network.shape_of(source) for source in node.inputs)
            if isinstance(node.operator, Affine):
                parts = rows.through(node.operator, before)
            else:
                found = _of_samples(self.bands[current], samples)
                terms.append(rows.swing(found.radius))
                parts = (rows.through_line(found.line, node.operator, before[0]),)
            for source, part in zip(node.inputs, parts, strict=True):
                part = part.within(plan.windows[source])
                pending[source] = pending[source].plus(part) if source in pending else part
        radius = self.box.radius if samples == EVERYTHING else self.box.radius[samples]
        if 0 in pending:
            terms.append(pending[0].swing(radius))
        return sum(terms[1:], terms[0]) if terms else rows.lead.zeros(radius)


def _banded(operator: Operator, centre: Tensor, radius: Tensor) -> tuple[Band, Tensor]:
    """The band of a nonlinear operator over `centre +- radius`, and its line's value at the centre."""
    if isinstance(operator, Relu) and 0 <= operator.negative_slope <= 1:
        return relu_band(centre, radius, operator.negative_slope)
    found = band(operator, centre - radius, centre + radius)
    return found, found.line.value(centre)


def _after(found: Band, radius: Tensor) -> Tensor:
    """The outer radius after a nonlinear node, from the radius before it."""
    source = found.line.source
    return found.line.slope.abs() * (radius if source is None else pick(radius, source)) + found.radius


def _of_samples(found: Band, samples: slice) -> Band:
    if samples == EVERYTHING:
        return found
    line = found.line
    source = None if line.source is None else line.source[samples]
    return Band(Line(line.slope[samples], line.offset[samples], source), found.radius[samples])


@cache
def _limit(device: torch.device) -> int:
    """Bytes that rows may take where nothing else is said: an eighth of a GPU's memory."""
    if device.type != "cuda":
        return MEMORY
    return int(torch.cuda.get_device_properties(device).total_memory) // 8

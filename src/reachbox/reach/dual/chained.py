"""Centre and radius on a chain: the centre by torch, the radius of rows by the compiled kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.network import Network
from reachbox.network.operators import Affine, Relu
from reachbox.reach.dual.bend import Bend
from reachbox.reach.dual.chain import Chain, weights_of
from reachbox.reach.dual.compiled import BYTES, RadiusOfRows, blocks_of_objective, blocks_of_units
from reachbox.reach.dual.dense import dense_bound, is_small_and_dense


def chain_bound(network: Network, chain: Chain, box: Box, objective: Tensor) -> tuple[Tensor, Tensor]:
    """Centre and radius of the objective `(batch, rows, outputs)` under the dual bound, `(batch, rows)` each."""
    if is_small_and_dense(chain):
        return dense_bound(network, chain, box, objective)
    grown = _Chain(network, chain, box)
    output = grown.forward()
    centre = (objective @ output.flatten(1).unsqueeze(-1)).squeeze(-1)
    return centre, grown.radius_of_objective(objective)


class _Chain:
    """The relaxed chain while it grows: slopes and radii of every level so far, as the kernels want them."""

    def __init__(self, network: Network, chain: Chain, box: Box) -> None:
        self.network, self.chain, self.box = network, chain, box
        self.lanes = BYTES // box.lower.element_size()
        self.weights = weights_of(chain, network, self.lanes)
        radius = _channels_last(box.radius, chain.layers[0].before).flatten(1)
        self.slopes, self.radii = [torch.zeros_like(radius)], [radius]
        self.no_objective = radius.new_zeros(1, 1, 1)

    def forward(self) -> Tensor:
        """The centre of the output; fills slopes and radii on the way."""
        centre, outer, level = self.box.centre, self.box.radius, 0
        layers = iter(self.chain.layers)
        ends = {layer.nodes[-1] for layer in self.chain.layers}
        for index, node in enumerate(self.network.nodes):
            if isinstance(node.operator, Affine):
                centre = node.operator.forward(centre)
                with torch.set_grad_enabled(torch.is_grad_enabled() and level <= 1 and len(self.slopes) == 1):
                    outer = node.operator.absolute(outer)
                if index in ends:
                    level += 1
                    layer = next(layers)
                    if layer.activation is None:
                        self._pass(level)
                continue
            assert isinstance(node.operator, Relu)
            centre, outer = self._bent(level, centre, outer, node.operator.negative_slope)
        return centre

    def _pass(self, level: int) -> None:
        """A level without activation: every coefficient goes on as it is."""
        size = torch.Size(self.chain.layers[level - 1].after).numel()
        ones = self.radii[0].new_ones(len(self.radii[0]), size)
        self.slopes.append(ones)
        self.radii.append(torch.zeros_like(ones))

    def _bent(self, level: int, centre: Tensor, outer: Tensor, below: float) -> tuple[Tensor, Tensor]:
        """Centre and outer radius behind a level's activation; slopes and radii there are appended.

        The radius is exact where the unit may be unstable, the outer one elsewhere; see `graph.py`.
        """
        grid = self.chain.layers[level - 1].after
        blocks = rows = None
        if level > 1:
            mask = _channels_last(centre.detach().abs() < outer, grid)
            if bool(mask.any()):
                blocks = blocks_of_units(level, _filled_up(mask, self.lanes).numpy(), self.lanes)
                rows = self._rows(self.no_objective, blocks)
        flat = (len(centre), grid[0], -1)
        after, slope, slack, behind = Bend.apply(centre.reshape(flat), outer.reshape(flat), rows, blocks, below)  # type: ignore[no-untyped-call]
        self.slopes.append(slope)
        self.radii.append(slack)
        return after.reshape(centre.shape), behind.reshape(centre.shape)

    def radius_of_objective(self, objective: Tensor) -> Tensor:
        """The radius of each row of an objective over the outputs, `(batch, rows)`."""
        batch, count, _ = objective.shape
        grid = self.chain.layers[-1].after
        turned = _channels_last(objective.reshape(batch * count, *grid), grid).reshape(batch, count, -1)
        return self._rows(turned, blocks_of_objective(self.chain, batch, count, self.lanes)).reshape(batch, count)

    def _rows(self, objective: Tensor, blocks: Any) -> Tensor:
        slopes, radii = torch.cat(self.slopes, dim=1), torch.cat(self.radii, dim=1)
        rows = RadiusOfRows.apply(self.weights, slopes, radii, objective, self.chain, blocks)  # type: ignore[no-untyped-call]
        assert isinstance(rows, Tensor)
        return rows


def _channels_last(value: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """`(batch, ...)` as `(batch, height, width, channels)`."""
    return value.reshape(-1, *grid).permute(0, 2, 3, 1)


def _filled_up(mask: Tensor, lanes: int) -> Tensor:
    """Units chosen `(batch, height, width, channels)`, with all channels where that takes no more vectors of lanes."""
    channels = mask.shape[-1]
    vectors = (mask.sum(-1, keepdim=True) + lanes - 1) // lanes
    return mask | (vectors == -(-channels // lanes))

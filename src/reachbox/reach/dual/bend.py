"""What a ReLU does to a level of a chain, compiled: `ReluBand` in one pass, laid out as the compiled rows want it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from reachbox.machine_code import compiled
from reachbox.reach.dual.compiled import Blocks
from reachbox.reach.dual.layout import Array
from reachbox.reach.dual.one_relu import gradient_of_lines, lines_around


class Bend(torch.autograd.Function):
    """Centre and radius of a level to those behind its ReLU, or LeakyReLU of slope `below`; see `ReluBand`.

    `centre` and `radius` are `(batch, channels, positions)`. Where `blocks` are given, `rows` are the radii of their
    units, and `radius` holds for the others and passes no gradient on. Gives the centre behind; slope and slack
    `(batch, positions * channels)`, channels last; and, without gradients, a radius behind.
    """

    @staticmethod
    def forward(
        ctx: Any, centre: Tensor, radius: Tensor, rows: Tensor | None, blocks: Blocks | None, below: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        middle, around = (np.ascontiguousarray(part.detach().numpy()) for part in (centre, radius))
        if rows is not None and blocks is not None:
            around = around.copy()
            _put(around, blocks.places, blocks.units, rows.detach().numpy())
        after, behind = np.empty((2, *middle.shape), middle.dtype)
        slope, slack = np.empty((2, len(middle), middle[0].size), middle.dtype)
        _bend(middle, around, middle.dtype.type(below), after, slope, slack, behind)
        ctx.middle, ctx.around, ctx.slope, ctx.blocks, ctx.below = middle, around, slope, blocks, below
        found = tuple(map(torch.from_numpy, (after, slope, slack, behind)))
        ctx.mark_non_differentiable(found[3])
        return found  # type: ignore[return-value]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *of_found: Tensor) -> tuple[Tensor | None, ...]:
        of_after, of_slope, of_slack = (np.ascontiguousarray(part.numpy()) for part in of_found[:3])
        of_centre, of_radius = np.empty((2, *ctx.middle.shape), ctx.middle.dtype)
        below = ctx.middle.dtype.type(ctx.below)
        _unbend(ctx.middle, ctx.around, ctx.slope, below, of_after, of_slope, of_slack, of_centre, of_radius)
        if ctx.blocks is None:
            return torch.from_numpy(of_centre), torch.from_numpy(of_radius), None, None, None
        of_rows = of_radius[ctx.blocks.places[:, 0], ctx.blocks.units, ctx.blocks.places[:, 1]]
        return torch.from_numpy(of_centre), None, torch.from_numpy(of_rows), None, None


@compiled
def _put(radius: Array, places: Array, units: Array, rows: Array) -> None:
    """The radii of rows where they belong."""
    for i in range(len(rows)):
        radius[places[i, 0], units[i], places[i, 1]] = rows[i]


@compiled
def _bend(centre: Array, radius: Array, below: float, after: Array, slope: Array, slack: Array, behind: Array) -> None:
    samples, channels, positions = centre.shape
    for sample in range(samples):
        for channel in range(channels):
            for position in range(positions):
                c, rho = centre[sample, channel, position], radius[sample, channel, position]
                steep, least = lines_around(c, rho, below)
                after[sample, channel, position] = steep * c + least
                behind[sample, channel, position] = steep * rho + least
                unit = position * channels + channel
                slope[sample, unit], slack[sample, unit] = steep, least


@compiled
def _unbend(
    centre: Array, radius: Array, slope: Array, below: float, of_after: Array, of_slope: Array, of_slack: Array,
    of_centre: Array, of_radius: Array,
) -> None:  # fmt: skip
    samples, channels, positions = centre.shape
    for sample in range(samples):
        for channel in range(channels):
            for position in range(positions):
                c, rho = centre[sample, channel, position], radius[sample, channel, position]
                pulled, unit = of_after[sample, channel, position], position * channels + channel
                to_centre, to_radius = gradient_of_lines(
                    c, rho, below, of_slope[sample, unit] + pulled * c, of_slack[sample, unit] + pulled
                )
                of_centre[sample, channel, position] = slope[sample, unit] * pulled + to_centre
                of_radius[sample, channel, position] = to_radius

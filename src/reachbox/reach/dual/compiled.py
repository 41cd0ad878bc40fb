"""The radius of rows through a chain, by the compiled kernels, with gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from reachbox.reach.dual import kernels, layout
from reachbox.reach.dual.chain import Chain, geometry_of
from reachbox.reach.dual.layout import Batch, Gradients

BYTES = 64  # of one vector


@dataclass(frozen=True)
class Blocks:
    """Rows grouped for the kernels: those of one sample and one position side by side, `lanes` at most.

    The rows start at level `top`; `places` has each one's sample and position, `(rows, 2)`, `units` its channel, or
    its number in the objective.
    """

    top: int
    places: npt.NDArray[np.int64]
    units: npt.NDArray[np.int64]
    lanes: int

    @cached_property
    def table(self) -> npt.NDArray[np.int64]:
        """The blocks as the kernels read them, `(blocks, 4)`; see `layout`."""
        count = len(self.units)
        numbers = np.arange(count)
        within = numbers - np.maximum.accumulate(np.where(self._starts_group, numbers, 0))
        first = np.flatnonzero(within % self.lanes == 0)
        sizes = np.diff(first, append=count)
        return np.column_stack([self.places[first], first, sizes]).astype(np.int64)

    @cached_property
    def _starts_group(self) -> npt.NDArray[np.bool_]:
        """Whether a row is the first one of its sample and position."""
        starts = np.ones(len(self.units), np.bool_)
        starts[1:] = (self.places[1:] != self.places[:-1]).any(1)
        return starts

    def chosen(self, mask: npt.NDArray[np.bool_]) -> Blocks:
        """Some of the rows, grouped anew."""
        return Blocks(self.top, self.places[mask], self.units[mask], self.lanes)

    def filled_up(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """`mask` with all rows of a group where that takes no more blocks: neighbouring rows are read as one vector."""
        if not len(mask):
            return mask
        first = np.flatnonzero(self._starts_group)
        total = np.diff(first, append=len(mask))
        wanted = np.add.reduceat(mask.astype(np.int64), first)
        kept: npt.NDArray[np.bool_] = mask | np.repeat(-(-wanted // self.lanes) == -(-total // self.lanes), total)
        return kept


def blocks_of_units(level: int, chosen: npt.NDArray[np.bool_], lanes: int) -> Blocks:
    """One row for each unit chosen at a level, `(batch, height, width, channels)`."""
    sample, position, channel = chosen.reshape(len(chosen), -1, chosen.shape[-1]).nonzero()
    return Blocks(level - 1, np.stack([sample, position], axis=1), np.ascontiguousarray(channel), lanes)


def blocks_of_objective(chain: Chain, batch: int, rows: int, lanes: int) -> Blocks:
    """All rows of an objective over the outputs."""
    places = np.stack([np.repeat(np.arange(batch), rows), np.full(batch * rows, -1)], axis=1)
    return Blocks(len(chain.layers), places, np.tile(np.arange(rows), batch), lanes)


class RadiusOfRows(torch.autograd.Function):
    """`(rows,)` radii of a chain's rows, differentiable to weights, slopes, radii and objective."""

    @staticmethod
    def forward(
        ctx: Any, weights: Tensor, slopes: Tensor, radii: Tensor, objective: Tensor, chain: Chain, blocks: Blocks
    ) -> Tensor:
        tensors = (weights, objective, slopes, radii)
        plain, rows_objective, row_slopes, row_radii = (
            np.ascontiguousarray(tensor.detach().numpy()) for tensor in tensors
        )
        geometry = geometry_of(chain, BYTES // plain.itemsize)
        turned = _turned(geometry, plain, blocks.top)
        batch = Batch(geometry, plain, turned, rows_objective, row_slopes, row_radii)
        found = np.empty(len(blocks.units), plain.dtype)
        scratch = scratch_for(batch, blocks.top, torch.get_num_threads())
        kernels.radii_of_rows(batch, blocks.top, blocks.table, blocks.units, scratch, found)
        ctx.batch, ctx.blocks, ctx.scratch = batch, blocks, scratch
        return torch.from_numpy(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_found: Tensor) -> tuple[Tensor | None, ...]:
        gradient = np.ascontiguousarray(of_found.numpy())
        moved = ctx.blocks.filled_up(gradient != 0)  # a unit that turned out to be stable passes none on
        batch, blocks, scratch = ctx.batch, ctx.blocks.chosen(moved), ctx.scratch
        into = _no_gradients(batch, len(scratch))
        kernels.gradients_of_radii(batch, blocks.top, blocks.table, blocks.units, scratch, gradient[moved], into)
        weights = into.weights.sum(0)
        _add_turned(batch.geo, into.turned.sum(0), blocks.top, weights)
        _add_lane_sums(batch.geo, into.lane_sums.sum(0).reshape(-1, blocks.lanes).sum(1), weights)
        shares = np.where(batch.slopes == 0, 1, batch.slopes)  # by which the coefficients were multiplied
        parts = (weights, into.slopes.sum(0) / shares, into.radii.sum(0) / shares, into.objective)
        return (*(torch.from_numpy(part) for part in parts), None, None)


def scratch_for(batch: Batch, top: int, threads: int) -> npt.NDArray[Any]:
    """Room for each thread: two vectors, coefficients and gradients of every level, one position's gradient turned."""
    lanes = BYTES // batch.weights.itemsize
    widest = int((batch.geo[:, layout.IN] * (batch.geo[:, layout.LANE_SUMS] < 0)).max())
    size = 2 * lanes + 2 * int(batch.geo[top + 1, layout.VALUES]) + widest * lanes
    return np.empty((threads, size), batch.weights.dtype)


def _no_gradients(batch: Batch, threads: int) -> Gradients:
    """Zeros for each thread."""
    lanes = BYTES // batch.weights.itemsize
    shapes = (
        (threads, len(batch.weights)), (threads, len(batch.turned)),
        (threads, int(batch.geo[-1, layout.LANE_SUMS]) * lanes), batch.objective.shape, (threads, *batch.slopes.shape),
        (threads, *batch.radii.shape),
    )  # fmt: skip
    return Gradients(*(np.zeros(shape, batch.weights.dtype) for shape in shapes))


def _turned(geometry: npt.NDArray[np.int64], weights: npt.NDArray[Any], top: int) -> npt.NDArray[Any]:
    """The weights that rows from `top` on meet, each layer's matrix transposed, and a vector to spare."""
    turned = np.zeros(len(weights) + BYTES // weights.itemsize, weights.dtype)
    for plain, other in _layers(geometry, weights, turned, top):
        other[:] = plain.T
    return turned


def _add_turned(geometry: npt.NDArray[np.int64], turned: npt.NDArray[Any], top: int, weights: npt.NDArray[Any]) -> None:
    """The gradient of the first weights that rows from `top` on meet, added where it belongs."""
    if top + 2 < len(geometry):
        *_, (plain, other) = _layers(geometry, weights, turned, top)
        plain += other.T


def _layers(
    geometry: npt.NDArray[np.int64], weights: npt.NDArray[Any], turned: npt.NDArray[Any], top: int
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """Views of each layer's weights up to `top + 1`, `(out, columns)` and turned `(columns, out)`."""
    for row in range(1, min(top + 2, len(geometry) - 1)):
        first, end = geometry[row, layout.WEIGHTS], geometry[row + 1, layout.WEIGHTS]
        outputs = geometry[row, layout.OUT]
        yield weights[first:end].reshape(outputs, -1), turned[first:end].reshape(-1, outputs)


def _add_lane_sums(geometry: npt.NDArray[np.int64], sums: npt.NDArray[Any], total: npt.NDArray[Any]) -> None:
    """Puts the weight gradients that were kept lane by lane where they belong."""
    for row in range(1, len(geometry) - 1):
        first = geometry[row, layout.LANE_SUMS]
        if first >= 0:
            start = geometry[row, layout.WEIGHTS]
            size = geometry[row + 1, layout.WEIGHTS] - start
            total[start : start + size] += sums[first : first + size]

"""The radius of rows through a chain, by the compiled kernels, with gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from reachbox.reach.dual import kernels, layout
from reachbox.reach.dual.chain import Chain, geometry_of
from reachbox.reach.dual.layout import Gradients, Rows

BYTES = 64  # of one vector


@dataclass(frozen=True)
class Blocks:
    """Rows grouped for the kernels; `radii_of_rows` tells what the columns are."""

    top: int
    blocks: npt.NDArray[np.int64]
    units: npt.NDArray[np.int64]


def blocks_of_units(chain: Chain, level: int, chosen: npt.NDArray[np.bool_], lanes: int) -> Blocks:
    """One row for each unit chosen at a level, `(batch, height, width, channels)`: those of one position together."""
    batch = len(chosen)
    flat = chosen.reshape(batch, -1, chosen.shape[-1])
    channel = flat.nonzero()[2]
    counts = flat.sum(-1)
    groups = np.argwhere(counts)
    sizes = counts[groups[:, 0], groups[:, 1]]
    return Blocks(level - 1, _cut(groups, sizes, lanes), channel.astype(np.int64))


def blocks_of_objective(chain: Chain, batch: int, rows: int, lanes: int) -> Blocks:
    """All rows of an objective over the outputs."""
    groups = np.stack([np.arange(batch), np.full(batch, -1)], axis=1)
    blocks = _cut(groups, np.full(batch, rows), lanes)
    return Blocks(len(chain.layers), blocks, np.tile(np.arange(rows), batch))


def _cut(groups: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], lanes: int) -> npt.NDArray[np.int64]:
    """Groups `(sample, position)` of rows that follow each other, cut into blocks of at most `lanes`."""
    pieces = -(-sizes // lanes)
    owner = np.repeat(np.arange(len(groups)), pieces)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    first = (np.cumsum(sizes) - sizes)[owner] + number * lanes
    count = np.minimum(sizes[owner] - number * lanes, lanes)
    return np.concatenate([groups[owner], first[:, None], count[:, None]], axis=1).astype(np.int64)


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
        rows = Rows(
            geometry, plain, _turned(geometry, plain, blocks.top), rows_objective, row_slopes, row_radii,
            np.empty(row_slopes.shape, np.int64),
            np.empty((len(row_slopes), geometry[blocks.top + 1, layout.POSITIONS]), np.int64),
        )  # fmt: skip
        layout.list_active(rows, blocks.top)
        found = np.empty(len(blocks.units), plain.dtype)
        scratch = scratch_for(rows, blocks.top, torch.get_num_threads())
        kernels.radii_of_rows(rows, blocks.top, blocks.blocks, blocks.units, scratch, found)
        ctx.rows, ctx.blocks, ctx.scratch = rows, blocks, scratch
        return torch.from_numpy(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_found: Tensor) -> tuple[Tensor | None, ...]:
        rows, blocks, scratch = ctx.rows, ctx.blocks, ctx.scratch
        threads, lanes = len(scratch), BYTES // rows.weights.itemsize
        into = Gradients(
            *(np.zeros(shape, rows.weights.dtype) for shape in (
                (threads, len(rows.weights)), (threads, int(rows.geo[-1, layout.LANE_SUMS]) * lanes),
                rows.objective.shape, (threads, *rows.slopes.shape), (threads, *rows.radii.shape),
            ))
        )  # fmt: skip
        gradient = np.ascontiguousarray(of_found.numpy())
        kernels.gradients_of_radii(rows, blocks.top, blocks.blocks, blocks.units, scratch, gradient, into)
        weights = into.weights.sum(0)
        _add_lane_sums(rows.geo, into.lane_sums.sum(0).reshape(-1, lanes).sum(1), weights)
        parts = (weights, into.slopes.sum(0), into.radii.sum(0), into.objective)
        return (*(torch.from_numpy(part) for part in parts), None, None)


def scratch_for(rows: Rows, top: int, threads: int) -> npt.NDArray[Any]:
    """Room for each thread: two vectors, coefficients and gradients of every level, one position's gradient turned."""
    lanes = BYTES // rows.weights.itemsize
    widest = int((rows.geo[:, layout.IN] * (rows.geo[:, layout.LANE_SUMS] < 0)).max())
    size = 2 * lanes + 2 * int(rows.geo[top + 1, layout.VALUES]) + widest * lanes
    return np.empty((threads, size), rows.weights.dtype)


def _turned(geometry: npt.NDArray[np.int64], weights: npt.NDArray[Any], top: int) -> npt.NDArray[Any]:
    """The weights of the layers up to `top` with input channels before output channels."""
    turned = np.empty_like(weights)
    for row in range(1, top + 1):
        first, end = geometry[row, layout.WEIGHTS], geometry[row + 1, layout.WEIGHTS]
        outputs, inputs = geometry[row, layout.OUT], geometry[row, layout.IN]
        plain = weights[first:end].reshape(-1, outputs, inputs)
        turned[first:end].reshape(-1, inputs, outputs)[:] = plain.transpose(0, 2, 1)
    return turned


def _add_lane_sums(geometry: npt.NDArray[np.int64], sums: npt.NDArray[Any], total: npt.NDArray[Any]) -> None:
    """Puts the weight gradients that were kept lane by lane where they belong."""
    for row in range(1, len(geometry) - 1):
        first = geometry[row, layout.LANE_SUMS]
        if first >= 0:
            start = geometry[row, layout.WEIGHTS]
            size = geometry[row + 1, layout.WEIGHTS] - start
            total[start : start + size] += sums[first : first + size]

"""Rows carried backwards through a network: what a linear function of one value is as a function of the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from reachbox.network import Network
from reachbox.network.operators import Affine

Relaxed: TypeAlias = Callable[[int, Tensor], tuple[Tensor | None, Tensor]]
"""`(value, rows)` at a nonlinear node's result to rows at its input (None: stop here) and a constant for each row."""

MEMORY = 1 << 29  # bytes that one chunk of rows may take


@dataclass(frozen=True)
class Rows:
    """Linear functions of one value, each of one sample: `coefficients` `(rows, *shape)`, `sample` int64 `(rows,)`."""

    coefficients: Tensor
    sample: Tensor

    def __len__(self) -> int:
        return len(self.sample)

    def __neg__(self) -> Rows:
        return Rows(-self.coefficients, self.sample)


def units(network: Network, value: int, chosen: Tensor, like: Tensor) -> Rows:
    """One row for each pair `(sample, unit)` in `chosen`, int64 `(rows, 2)`: the unit itself."""
    shape = network.shape_of(value)
    coefficients = like.new_zeros(len(chosen), prod(shape)).scatter_(1, chosen[:, 1:], 1.0)
    return Rows(coefficients.reshape(-1, *shape), chosen[:, 0])


def of_objective(network: Network, objective: Tensor) -> Rows:
    """The rows of an objective `(batch, rows, outputs)` over the network's output, sample by sample."""
    batch, count, _ = objective.shape
    sample = torch.arange(batch, device=objective.device).repeat_interleave(count)
    return Rows(objective.reshape(batch * count, *network.output_shape), sample)


def substitute(
    network: Network, value: int, coefficients: Tensor, relaxed: Relaxed, *, with_bias: bool = True
) -> tuple[Tensor, Tensor]:
    """Rows over `value` as rows over the network's input `(rows, *input_shape)` and a constant `(rows,)`."""
    constant = coefficients.new_zeros(len(coefficients))
    pending = {value: coefficients}
    for current in range(value, 0, -1):
        if current not in pending:
            continue
        node, rows = network.nodes[current - 1], pending.pop(current)
        parts: tuple[Tensor | None, ...]
        if isinstance(node.operator, Affine):
            parts = node.operator.transposed(rows)
            constant = constant + node.operator.constant(rows) if with_bias else constant
        else:
            part, extra = relaxed(current, rows)
            parts, constant = (part,), constant + extra
        for source, part in zip(node.inputs, parts, strict=True):
            if part is not None:
                pending[source] = pending[source] + part if source in pending else part
    if 0 in pending:
        return pending[0], constant
    return coefficients.new_zeros(len(coefficients), *network.input_shape), constant


def row_sum(rows: Tensor) -> Tensor:
    """The sum over all but the first dimension."""
    return rows.flatten(1).sum(1)


def in_chunks(
    network: Network, value: int, count: int, like: Tensor, compute: Callable[[slice], tuple[Tensor, ...]],
    memory: int | None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """`compute` over slices of `count` rows, each within `memory` bytes, joined.

    With more than one slice, the backward pass computes each again instead of keeping what it needs.
    """
    slices = list(_slices(network, value, count, like, MEMORY if memory is None else memory))
    if len(slices) == 1:
        return compute(slices[0])
    if torch.is_grad_enabled():
        parts = [checkpoint(compute, part, use_reentrant=False, preserve_rng_state=False) for part in slices]
    else:
        parts = [compute(part) for part in slices]
    return tuple(torch.cat(columns) for columns in zip(*parts, strict=True))


def _slices(network: Network, value: int, count: int, like: Tensor, memory: int) -> Iterator[slice]:
    largest = max(prod(network.shape_of(v)) for v in range(value + 1))
    row = 6 * largest * like.element_size()  # a row, its absolute value, slopes and products are alive at once
    step = max(1, memory // row)
    for start in range(0, max(count, 1), step):
        yield slice(start, min(start + step, count))

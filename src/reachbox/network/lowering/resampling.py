"""Layers that change the spatial sizes linearly: upsampling, adaptive averages, transposed convolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from reachbox.network.graph import Builder
from reachbox.network.lowering.arrangement import rearrange
from reachbox.network.lowering.windows import Pads
from reachbox.network.operators import Convolution, Linear, Source, resolve


def resample(builder: Builder, name: str, value: int, matrices: Sequence[Tensor]) -> int:
    """Each of the last dimensions multiplied by a matrix of its own, `(after, before)`; copies are moved as such."""
    first = len(builder.shape_of(value)) - len(matrices)
    for axis, matrix in enumerate(matrices, start=first):
        if not torch.equal(matrix, torch.eye(len(matrix), dtype=matrix.dtype)):
            value = _along(builder, f"{name}.{axis}", value, axis + 1, matrix)
    return value


def _along(builder: Builder, name: str, value: int, axis: int, matrix: Tensor) -> int:
    """A matrix applied to dimension `axis`, counted with the batch."""
    chosen = matrix.argmax(1)
    if torch.equal(matrix, functional.one_hot(chosen, matrix.shape[1]).to(matrix.dtype)):
        return rearrange(builder, name, value, lambda x: x.index_select(axis, chosen))
    last = rearrange(builder, f"{name}.last", value, lambda x: x.movedim(axis, -1))
    product = builder.add(name, Linear(matrix), last)
    return rearrange(builder, f"{name}.back", product, lambda x: x.movedim(-1, axis))


def transposed_convolution(
    builder: Builder, name: str, value: int, weight: Source, bias: Source | None, *,
    stride: Sequence[int], padding: Pads, dilation: Sequence[int], groups: int,
) -> int:  # fmt: skip
    """The transpose of a convolution with `weight` `(in, out / groups, *kernel)`: its result is `padding` smaller.

    It is a convolution of the value with zeros put between its elements, by the flipped kernel. A negative padding
    makes the result larger.
    """
    dimensions = len(stride)
    spans = [step * (width - 1) for step, width in zip(dilation, resolve(weight).shape[2:], strict=True)]
    pads = tuple((span - low, span - high) for span, (low, high) in zip(spans, padding, strict=True))
    crops = min(map(min, pads)) < 0
    added, cut = ([limit(pad, 0) for pair in reversed(pads) for pad in pair] for limit in (max, min))

    def with_zeros(x: Tensor) -> Tensor:
        sizes = [(size - 1) * step + 1 for size, step in zip(x.shape[2:], stride, strict=True)]
        spread = x.new_zeros(*x.shape[:2], *sizes)
        spread[(slice(None), slice(None), *(slice(None, None, step) for step in stride))] = x
        return functional.pad(functional.pad(spread, added), cut) if crops else spread

    def flipped() -> Tensor:
        kernel = resolve(weight)
        grouped = kernel.reshape(groups, -1, *kernel.shape[1:])
        return grouped.transpose(1, 2).flatten(0, 1).flip(tuple(range(2, 2 + dimensions)))

    spread = rearrange(builder, f"{name}.spread", value, with_zeros)
    around = ((0, 0),) * dimensions if crops else pads
    sizes = builder.shape_of(spread)[1:]
    layer = Convolution(flipped, bias, (1,) * dimensions, around, tuple(dilation), groups, sizes)
    return builder.add(name, layer, spread)

"""Functions of patches with gradients of their own, which take far less memory than those torch would derive."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from reachbox.reach.dual.windows import Sliding


class Overlap(torch.autograd.Function):
    """The transpose of taking sliding windows: `(channels, *kernel, *places, *rest)` to `(channels, *span, *rest)`.

    What stands at tap `t` of place `p` is added at `stride * p + dilation * t`.
    """

    @staticmethod
    def forward(ctx: Any, columns: Tensor, slidings: tuple[Sliding, ...]) -> Tensor:
        ctx.shape, ctx.slidings = columns.shape, slidings
        for dimension in reversed(range(len(slidings))):  # the last one first: the others stay where they are
            columns = _overlapped(columns, 1 + dimension, 2 + 2 * dimension, slidings[dimension])
        return columns

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        gradient = gradient.contiguous()
        steps, count = gradient.stride(), len(ctx.slidings)
        along = list(zip(steps[1 : 1 + count], ctx.slidings, strict=True))
        taps = [step * sliding.dilation for step, sliding in along]
        places = [step * sliding.stride for step, sliding in along]
        return gradient.as_strided(ctx.shape, (steps[0], *taps, *places, *steps[1 + count :])), None


def _overlapped(columns: Tensor, taps: int, places: int, sliding: Sliding) -> Tensor:
    """One dimension: axis `taps` goes, axis `places` becomes the span. Taps of one stride are added at once."""
    count, stride = columns.shape[places], sliding.stride
    together = stride if sliding.dilation == 1 else 1
    blocks = -(-sliding.kernel // together)
    columns = columns.movedim(taps, places)  # now (..., places, taps, ...)
    before, after = columns.shape[: places - 1], columns.shape[places + 1 :]
    if together == 1:
        span = (count - 1) * stride + sliding.dilation * (sliding.kernel - 1) + 1
        total = columns.new_zeros(*before, span, *after)
        for tap in range(sliding.kernel):
            first = tap * sliding.dilation
            index = (*(slice(None),) * len(before), slice(first, first + (count - 1) * stride + 1, stride))
            total[index] += columns.select(places, tap)
        return total
    total = columns.new_zeros(*before, count + blocks - 1, stride, *after)
    for block in range(blocks):
        part = columns.narrow(places, block * stride, min(stride, sliding.kernel - block * stride))
        total.narrow(places - 1, block, count).narrow(places, 0, part.shape[places]).add_(part)
    span = (count - 1) * stride + sliding.kernel
    return total.flatten(places - 1, places).narrow(places - 1, 0, span)


class AbsoluteSum(torch.autograd.Function):
    """`sum |rows| * radius` over the first `summed` dimensions; `radius` broadcasts against `rows`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, radius: Tensor, summed: int) -> Tensor:
        ctx.save_for_backward(rows, radius)
        return (rows.abs() * radius).sum(tuple(range(summed)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        rows, radius = ctx.saved_tensors
        of_rows = of_radius = None
        if ctx.needs_input_grad[0]:
            of_rows = (rows.sign() * (radius * gradient)).sum_to_size(rows.shape)
        if ctx.needs_input_grad[1]:
            of_radius = (rows.abs() * gradient).sum_to_size(radius.shape)
        return of_rows, of_radius, None


class Chosen(torch.autograd.Function):
    """Columns of a table `(entries, columns)` by their numbers `(rows,)`."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, number: Tensor) -> Tensor:
        ctx.save_for_backward(number)
        ctx.columns = table.shape[1]
        return table.index_select(1, number)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (number,) = ctx.saved_tensors
        summed = torch.ops.aten.embedding_dense_backward(gradient.T.contiguous(), number, ctx.columns, -1, False)
        return summed.T, None

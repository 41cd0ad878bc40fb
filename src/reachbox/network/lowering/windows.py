"""Layers of windows that slide over the spatial dimensions: average and max pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from reachbox.errors import InputError
from reachbox.network.graph import Builder
from reachbox.network.operators import Convolution, MaxPool, Scale

Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Window:
    """A window that slides over the spatial dimensions; `rounds_up` allows a last one that hangs over the end."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Pads
    dilation: tuple[int, ...]
    rounds_up: bool = False

    def padding_for(self, sizes: Sequence[int]) -> Pads:
        """The padding, with as much added after the end as a window that hangs over needs."""
        if not self.rounds_up:
            return self.padding
        extended = []
        settings = zip(sizes, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        for size, width, step, (low, high), gap in settings:
            span = gap * (width - 1) + 1
            count = -(-(size + low + high - span) // step) + 1
            if (count - 1) * step >= size + low:  # the last one must start inside the input or the padding before it
                count -= 1
            extended.append((low, max(high, (count - 1) * step + span - size - low)))
        return tuple(extended)


def average_pool(
    builder: Builder, name: str, value: int, window: Window, *, counts_padding: bool = True, divisor: int | None = None
) -> int:
    """Average pooling: a convolution of each channel with ones, then the share of each window."""
    channels, *sizes = builder.shape_of(value)
    if len(sizes) != len(window.kernel):
        shape = (channels, *sizes)
        raise InputError(f"node {name!r}: pooling over {len(window.kernel)} dimensions does not fit {shape}")
    weight = torch.ones(channels, 1, *window.kernel, dtype=torch.float64) / prod(window.kernel)
    pads = window.padding_for(sizes)
    summed = Convolution(weight, None, window.stride, pads, window.dilation, channels, tuple(sizes))
    pooled = builder.add(name, summed, value)
    if divisor:
        counts = torch.full(builder.shape_of(pooled)[1:], divisor, dtype=torch.float64)
    else:
        counts = _counted(window, sizes, builder.shape_of(pooled)[1:], counts_padding)
    if bool((counts == prod(window.kernel)).all()):
        return pooled
    return builder.add(f"{name}.share", Scale((prod(window.kernel) / counts).unsqueeze(0)), pooled)


def _counted(window: Window, sizes: Sequence[int], windows: Sequence[int], counts_padding: bool) -> Tensor:
    """How many elements each window averages over: those of the input, and the declared padding if that counts."""
    counts = torch.ones((), dtype=torch.float64)
    settings = zip(sizes, windows, window.kernel, window.stride, window.dilation, window.padding, strict=True)
    for size, number, width, step, gap, declared in settings:
        low, high = declared if counts_padding else (0, 0)
        places = (torch.arange(number) * step - declared[0]).unsqueeze(1) + gap * torch.arange(width)
        counts = counts.unsqueeze(-1) * ((places >= -low) & (places < size + high)).sum(1)
    return counts


def max_pool(builder: Builder, name: str, value: int, window: Window) -> int:
    """Max pooling with explicit padding."""
    shape = builder.shape_of(value)
    pool = MaxPool(window.kernel, window.stride, window.padding_for(shape[1:]), window.dilation, shape)
    return builder.add(name, pool, value)

"""What the readers of torch and ONNX share: common layers as combinations of the few operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from reachbox.errors import InputError, UnsupportedError
from reachbox.network.graph import Builder
from reachbox.network.operators import (
    Add,
    Convolution,
    Linear,
    MaxPool,
    Rearrange,
    Relu,
    Reshape,
    Scale,
    Source,
    resolve,
)

Pads = tuple[tuple[int, int], ...]

LARGEST_LIMIT = 1e6

SUPPORTED = (
    "supported: linear, convolution, batch norm, average and max pooling, ReLU, LeakyReLU, hardtanh, clamp, abs, "
    "sigmoid, tanh, dropout, arithmetic with constants, sums, means, concatenation, reshaping, slicing, padding"
)


def rearrange(builder: Builder, name: str, value: int, move: Callable[[Tensor], Tensor]) -> int:
    """A node that moves elements as `move` does; `move` takes and gives tensors with a batch dimension."""
    index = trace_index(name, builder.shape_of(value), move)
    return place(builder, name, value, index)


def trace_index(name: str, shape: tuple[int, ...], move: Callable[[Tensor], Tensor]) -> Tensor:
    """Where each element of `move`'s result comes from in the flattened features; -1 for a zero put in."""
    size = prod(shape)
    probe = torch.arange(1, 2 * size + 1).reshape(2, *shape)
    moved = move(probe)
    kept_apart = moved.ndim > 0 and len(moved) == 2
    if not kept_apart or not torch.equal(moved[0] + size * (moved[0] > 0), moved[1]) or int(moved[0].max()) > size:
        raise UnsupportedError(f"node {name!r}: it mixes or drops samples; the first dimension must stay the batch")
    return moved[0].clone() - 1


def place(builder: Builder, name: str, value: int, index: Tensor) -> int:
    """The simplest node that takes element `index[i]` for each element of its result."""
    shape = builder.shape_of(value)
    if not torch.equal(index.flatten(), torch.arange(prod(shape))):
        return builder.add(name, Rearrange(index, shape), value)
    return value if tuple(index.shape) == shape else builder.add(name, Reshape(shape, tuple(index.shape)), value)


@dataclass(frozen=True)
class Statistics:
    """What batch norm holds of each channel; `weight` and `bias` may be missing."""

    mean: Source
    variance: Source
    weight: Source | None
    bias: Source | None
    epsilon: float


def batch_norm(builder: Builder, name: str, value: int, of: Statistics) -> int:
    """Batch norm with running statistics, which is a scale and a shift of each channel."""
    channels = (-1,) + (1,) * (len(builder.shape_of(value)) - 1)

    def scale() -> Tensor:
        inverse = (resolve(of.variance) + of.epsilon).rsqrt()
        return (inverse if of.weight is None else inverse * resolve(of.weight)).reshape(channels)

    def shift() -> Tensor:
        moved = -resolve(of.mean).reshape(channels) * scale()
        return moved if of.bias is None else moved + resolve(of.bias).reshape(channels)

    return builder.add(name, Scale(scale, shift), value)


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


def reduce(builder: Builder, name: str, value: int, axes: Sequence[int], keeps: bool, average: bool) -> int:
    """Sum or mean over feature axes (0 is the first after the batch)."""
    shape = builder.shape_of(value)
    axes = sorted({axis % len(shape) for axis in axes})
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    size = prod(shape[axis] for axis in axes)
    last = rearrange(
        builder, f"{name}.gather", value,
        lambda x: x.permute(0, *(a + 1 for a in kept), *(a + 1 for a in axes)).flatten(len(kept) + 1),
    )  # fmt: skip
    ones = torch.ones(1, size, dtype=torch.float64) / (size if average else 1)
    summed = builder.add(name, Linear(ones), last)
    after = tuple(1 if axis in axes else n for axis, n in enumerate(shape) if keeps or axis in kept)
    return rearrange(builder, f"{name}.shape", summed, lambda x: x.reshape(len(x), *after))


def clamp(builder: Builder, name: str, value: int, low: float | None, high: float | None) -> int:
    """`min(max(x, low), high)` by ReLUs: `low + relu(x - low)`, then `high - relu(high - x)`.

    A limit far beyond the values would swallow their digits, so it is refused.
    """
    for limit in (low, high):
        if limit is not None and abs(limit) > LARGEST_LIMIT:
            raise UnsupportedError(
                f"node {name!r}: a clamp at {limit:g} is too far out, up to {LARGEST_LIMIT:g} is fine"
            )
    if low is not None:
        value = _shifted(builder, f"{name}.above", value, 1.0, -low)
        value = builder.add(name, Relu(), value)
        value = _shifted(builder, f"{name}.low", value, 1.0, low)
    if high is not None:
        value = _shifted(builder, f"{name}.below", value, -1.0, high)
        value = builder.add(f"{name}.relu", Relu(), value)
        value = _shifted(builder, f"{name}.high", value, -1.0, high)
    return value


def _shifted(builder: Builder, name: str, value: int, scale: float, shift: float) -> int:
    if scale == 1 and shift == 0:
        return value
    return builder.add(name, Scale(torch.tensor(scale, dtype=torch.float64), torch.tensor(shift).double()), value)


def combine(builder: Builder, name: str, values: Sequence[int]) -> int:
    """The sum of values whose shapes broadcast against each other."""
    shape = np.broadcast_shapes(*(builder.shape_of(value) for value in values))
    expanded = [rearrange(builder, f"{name}.expand", value, lambda x: _expanded(x, tuple(shape))) for value in values]
    return builder.add(name, Add(len(expanded)), *expanded)


def _expanded(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    aligned = x.reshape(len(x), *(1,) * (len(shape) - x.ndim + 1), *x.shape[1:])
    return aligned.expand(len(x), *shape)


def scale_and_shift(
    builder: Builder, name: str, value: int, scale: Source | None = None, shift: Source | None = None
) -> int:
    """`scale * x + shift` with constants whose shape may be larger than the value's features.

    A leading dimension of size 1 in a constant stands for the batch.
    """
    shape = builder.shape_of(value)
    sources = [None if source is None else _without_batch(name, source, len(shape)) for source in (scale, shift)]
    full = np.broadcast_shapes(shape, *(resolve(source).shape for source in sources if source is not None))
    expanded = rearrange(builder, f"{name}.expand", value, lambda x: _expanded(x, tuple(full)))
    return builder.add(name, Scale(sources[0], sources[1]), expanded)


def _without_batch(name: str, source: Source, features: int) -> Source:
    constant = resolve(source)
    if constant.ndim <= features:
        return source
    if constant.shape[0] != 1:
        raise UnsupportedError(
            f"node {name!r}: a constant of shape {tuple(constant.shape)} differs from sample to sample; "
            f"one value for all samples is needed"
        )
    return lambda: resolve(source).squeeze(0)

"""Layers that act on each element: batch norm, arithmetic with constants, sums, clamps, the larger of two values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reachbox.errors import UnsupportedError
from reachbox.network.graph import Builder
from reachbox.network.lowering.arrangement import broadcast, rearrange
from reachbox.network.operators import Add, Relu, Scale, Source, resolve

LARGEST_LIMIT = 1e6


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
    factor, offset = (torch.tensor(number, dtype=torch.float64) for number in (scale, shift))
    return builder.add(name, Scale(factor, offset), value)


def combine(builder: Builder, name: str, values: Sequence[int]) -> int:
    """The sum of values whose shapes broadcast against each other."""
    shape = np.broadcast_shapes(*(builder.shape_of(value) for value in values))
    expanded = [rearrange(builder, f"{name}.expand", value, lambda x: broadcast(x, tuple(shape))) for value in values]
    return builder.add(name, Add(len(expanded)), *expanded)


def scale_and_shift(
    builder: Builder, name: str, value: int, scale: Source | None = None, shift: Source | None = None
) -> int:
    """`scale * x + shift` with constants whose shape may be larger than the value's features.

    A leading dimension of size 1 in a constant stands for the batch.
    """
    shape = builder.shape_of(value)
    sources = [None if source is None else _without_batch(name, source, len(shape)) for source in (scale, shift)]
    full = np.broadcast_shapes(shape, *(resolve(source).shape for source in sources if source is not None))
    expanded = rearrange(builder, f"{name}.expand", value, lambda x: broadcast(x, tuple(full)))
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


def extreme(builder: Builder, name: str, value: int, other: int | Source, is_maximum: bool) -> int:
    """`max(value, other)` as `other + relu(value - other)`, or `min` likewise; `other` is a value or a constant."""
    sign = 1.0 if is_maximum else -1.0
    if isinstance(other, int):
        terms = [
            _shifted(builder, f"{name}.value", value, sign, 0.0),
            _shifted(builder, f"{name}.other", other, -sign, 0.0),
        ]
        excess = builder.add(f"{name}.relu", Relu(), combine(builder, f"{name}.difference", terms))
        return combine(builder, name, [other, _shifted(builder, f"{name}.excess", excess, sign, 0.0)])
    scale = None if is_maximum else torch.tensor(sign, dtype=torch.float64)
    difference = scale_and_shift(builder, f"{name}.difference", value, scale, lambda: -sign * resolve(other))
    excess = builder.add(f"{name}.relu", Relu(), difference)
    return scale_and_shift(builder, name, excess, scale, other)


def sloped(builder: Builder, name: str, value: int, slope: Source) -> int:
    """PReLU, `slope x + (1 - slope) relu(x)`, with slopes that broadcast to the features."""
    steep = scale_and_shift(builder, f"{name}.slope", value, slope)
    excess = builder.add(f"{name}.relu", Relu(), value)
    rest = scale_and_shift(builder, f"{name}.excess", excess, lambda: 1 - resolve(slope).double())
    return combine(builder, name, [steep, rest])

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
    """`min(max(x, low), high)`."""
    limits = [None if limit is None else torch.tensor(limit, dtype=torch.float64) for limit in (low, high)]
    for side, limit, is_maximum in zip(("low", "high"), limits, (True, False), strict=True):
        if limit is not None:
            value = extreme(builder, f"{name}.{side}", value, limit, is_maximum)
    return value


def extreme(builder: Builder, name: str, value: int, other: int | Source, is_maximum: bool) -> int:
    """`max(value, other)` as `other + relu(value - other)`, or `min` as `other - relu(other - value)`.

    `other` is a value or a constant. A constant far beyond the values would swallow their digits, so it is refused.
    """
    sign = None if is_maximum else torch.tensor(-1.0, dtype=torch.float64)
    if isinstance(other, int):
        opposite = torch.tensor(-1.0, dtype=torch.float64) if is_maximum else None
        ahead = scale_and_shift(builder, f"{name}.value", value, sign)
        behind = scale_and_shift(builder, f"{name}.other", other, opposite)
        excess = builder.add(f"{name}.relu", Relu(), combine(builder, f"{name}.difference", [ahead, behind]))
        return combine(builder, name, [other, scale_and_shift(builder, f"{name}.excess", excess, sign)])
    _check_limits(name, resolve(other))
    limit = None if isinstance(other, Tensor) and other.ndim == 0 and not other else other
    shift = limit if limit is None or not is_maximum else lambda: -resolve(other)
    difference = scale_and_shift(builder, f"{name}.difference", value, sign, shift)
    excess = builder.add(f"{name}.relu", Relu(), difference)
    return scale_and_shift(builder, name, excess, sign, limit)


def _check_limits(name: str, limits: Tensor) -> None:
    far = limits.detach().flatten()
    far = far[far.abs() > LARGEST_LIMIT]
    if len(far):
        raise UnsupportedError(
            f"node {name!r}: a limit at {far[0].item():g} is too far out, up to {LARGEST_LIMIT:g} is fine"
        )


def combine(builder: Builder, name: str, values: Sequence[int]) -> int:
    """The sum of values whose shapes broadcast against each other."""
    shape = np.broadcast_shapes(*(builder.shape_of(value) for value in values))
    expanded = [rearrange(builder, f"{name}.expand", value, lambda x: broadcast(x, tuple(shape))) for value in values]
    return builder.add(name, Add(len(expanded)), *expanded)


def scale_and_shift(
    builder: Builder, name: str, value: int, scale: Source | None = None, shift: Source | None = None
) -> int:
    """`scale * x + shift` with constants whose shape may be larger than the value's features; None means 1 or 0.

    A leading dimension of size 1 in a constant stands for the batch.
    """
    shape = builder.shape_of(value)
    sources = [None if source is None else _without_batch(name, source, len(shape)) for source in (scale, shift)]
    full = np.broadcast_shapes(shape, *(resolve(source).shape for source in sources if source is not None))
    expanded = rearrange(builder, f"{name}.expand", value, lambda x: broadcast(x, tuple(full)))
    if scale is None and shift is None:
        return expanded
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


def sloped(builder: Builder, name: str, value: int, slope: Source) -> int:
    """PReLU, `slope x + (1 - slope) relu(x)`, with slopes that broadcast to the features."""
    steep = scale_and_shift(builder, f"{name}.slope", value, slope)
    excess = builder.add(f"{name}.relu", Relu(), value)
    rest = scale_and_shift(builder, f"{name}.excess", excess, lambda: 1 - resolve(slope).double())
    return combine(builder, name, [steep, rest])

"""Sums, means, largest and smallest elements over whole dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal, TypeAlias

import torch

from reachbox.network.graph import Builder
from reachbox.network.lowering.arrangement import rearrange
from reachbox.network.operators import Linear, MaxPool, Operator, Scale

NEGATIVE = Scale(torch.tensor(-1.0, dtype=torch.float64))
Reduction: TypeAlias = Literal["sum", "mean", "max", "min"]


def reduce(builder: Builder, name: str, value: int, axes: Sequence[int], keeps: bool, kind: Reduction) -> int:
    """Sum, mean, largest or smallest element over feature axes (0 is the first after the batch)."""
    if kind == "min":
        turned = builder.add(f"{name}.turned", NEGATIVE, value)
        return builder.add(name, NEGATIVE, reduce(builder, f"{name}.max", turned, axes, keeps, "max"))
    shape = builder.shape_of(value)
    axes = sorted({axis % len(shape) for axis in axes})
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    size = prod(shape[axis] for axis in axes)
    outer = (prod(shape[axis] for axis in kept),) if kind == "max" else tuple(shape[axis] for axis in kept)
    last = rearrange(
        builder, f"{name}.gather", value,
        lambda x: x.permute(0, *(a + 1 for a in kept), *(a + 1 for a in axes)).reshape(len(x), *outer, size),
    )  # fmt: skip
    reduced = builder.add(name, _over_the_last(kind, size, (*outer, size)), last)
    after = tuple(1 if axis in axes else n for axis, n in enumerate(shape) if keeps or axis in kept)
    return rearrange(builder, f"{name}.shape", reduced, lambda x: x.reshape(len(x), *after))


def _over_the_last(kind: Reduction, size: int, shape: tuple[int, ...]) -> Operator:
    if kind == "max":
        return MaxPool((size,), (1,), ((0, 0),), (1,), shape)
    return Linear(torch.ones(1, size, dtype=torch.float64) / (size if kind == "mean" else 1))

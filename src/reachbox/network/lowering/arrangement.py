"""Whatever only moves elements, as one node: found by moving their numbers."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor

from reachbox.errors import UnsupportedError
from reachbox.network.graph import Builder
from reachbox.network.operators import Rearrange, Reshape


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


def broadcast(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Samples `x` broadcast to features of `shape`."""
    aligned = x.reshape(len(x), *(1,) * (len(shape) - x.ndim + 1), *x.shape[1:])
    return aligned.expand(len(x), *shape)

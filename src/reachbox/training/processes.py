"""Data parallel training: every process takes its part of each mini-batch, and all take the same step.

Start `torchrun --nproc-per-node 2 -m reachbox train ...`, or any program that opens torch's process group and calls
`train`. Weights, losses and metrics are those of one process, up to rounding. What layers of the module draw or
average on their own, such as `torch.nn.Dropout` and batch norm in training mode, is of each process's part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed

Value = TypeVar("Value")


@dataclass(frozen=True)
class Part:
    """The samples of a mini-batch of `total` that this process has: every `processes`-th, from the `rank`-th on."""

    total: int
    rank: int = 0
    processes: int = 1

    def of(self, values: Tensor) -> Tensor:
        """Those of the whole mini-batch's `values`, `(total, ...)`, that belong to the samples of this process."""
        return values[self.rank :: self.processes]

    def places(self, indices: Tensor) -> Tensor:
        """Where in this part those of the mini-batch's `indices` stand that are in it."""
        return indices[indices % self.processes == self.rank] // self.processes


_present: ContextVar[Part | None] = ContextVar("part", default=None)


def present_part(samples: int) -> Part:
    """What the `samples` that an objective was given are a part of: all there is, unless a loop has dealt them out.

    Random draws are made for the whole mini-batch, alike in all processes, so that their number does not matter.
    """
    return _present.get() or Part(samples)


@contextmanager
def dealt(part: Part) -> Iterator[None]:
    """What `present_part` tells for as long as the context lasts."""
    token = _present.set(part)
    try:
        yield
    finally:
        _present.reset(token)


@dataclass(frozen=True)
class Processes:
    """The processes that train together: how many, and which one this is."""

    rank: int = 0
    count: int = 1

    @classmethod
    def present(cls) -> Processes:
        """Those of torch's process group; one alone where there is none."""
        if not distributed.is_available() or not distributed.is_initialized():
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this is the process that measures, writes and speaks."""
        return self.rank == 0

    def part(self, total: int) -> Part:
        """The part of this process of a mini-batch."""
        return Part(total, self.rank, self.count)

    def summed(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over the processes."""
        if self.count > 1:
            tensor = tensor.clone()
            distributed.all_reduce(tensor)
        return tensor

    def sum_gradients(self, weights: list[Tensor]) -> None:
        """Replaces every gradient by its sum over the processes."""
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        if self.count == 1 or not gradients:
            return
        summed = self.summed(torch.cat([gradient.flatten() for gradient in gradients]))
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, values in zip(gradients, torch.split(summed, sizes), strict=True):
            gradient.copy_(values.view_as(gradient))

    def share_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Overwrites tensors with those of the first process."""
        if self.count > 1:
            for tensor in tensors.values():
                distributed.broadcast(tensor, 0)

    def told(self, value: Value) -> Value:
        """The value that the first process has."""
        if self.count == 1:
            return value
        holder: list[Value] = [value]
        distributed.broadcast_object_list(holder, 0)
        return holder[0]

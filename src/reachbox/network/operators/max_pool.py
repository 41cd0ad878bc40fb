"""The largest element of each window."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import torch
from torch import Tensor

from reachbox.errors import InputError
from reachbox.network.operators.operator import Operator, Shape


@dataclass(frozen=True, eq=False)
class MaxPool(Operator):
    """Maximum over sliding windows of each channel; `padding` is `(before, after)` for each spatial dimension.

    Padding never wins. Where the output's size was rounded up, the reader has put the difference into `after`.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    before: Shape

    def output_shape(self, *shapes: Shape) -> Shape:
        if shapes[0] != self.before or len(self.before) != len(self.kernel) + 1:
            raise InputError(f"MaxPool: {len(self.kernel)} spatial dimensions of {self.before} do not fit {shapes[0]}")
        return (self.before[0], *(len(starts) for starts in self._starts))

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.gather(inputs[0], -torch.inf).amax(-1)

    def gather(self, x: Tensor, outside: float) -> Tensor:
        """The elements of every window, `(batch, *output shape, window)`; `outside` stands for padding."""
        windows = self.windows_on(x.device)
        picked = x.flatten(1)[:, windows.clamp(min=0)]
        return torch.where(windows >= 0, picked, outside)

    def windows_on(self, device: torch.device) -> Tensor:
        """`windows` on a device, taken there once."""
        if device not in self._windows_on:
            self._windows_on[device] = self.windows.to(device)
        return self._windows_on[device]

    @cached_property
    def _windows_on(self) -> dict[torch.device, Tensor]:
        return {}

    @cached_property
    def windows(self) -> Tensor:
        """Index into the flattened input for each element of each window, -1 for padding; int64."""
        channels, *sizes = self.before
        grid = torch.arange(channels * torch.Size(sizes).numel()).reshape(self.before)
        axes = [
            torch.tensor([[start + step * offset for offset in range(width)] for start in starts])
            for starts, step, width in zip(self._starts, self.dilation, self.kernel, strict=True)
        ]
        picks = []
        for offsets in product(*(range(width) for width in self.kernel)):
            positions = [axis[:, offset] for axis, offset in zip(axes, offsets, strict=True)]
            index, inside = grid, torch.ones((), dtype=torch.bool)
            for dimension, (position, size) in enumerate(zip(positions, sizes, strict=True), start=1):
                index = index.index_select(dimension, position.clamp(0, size - 1))
                valid = (position >= 0) & (position < size)
                inside = inside.unsqueeze(-1) & valid
            picks.append(torch.where(inside, index, -1))
        return torch.stack(picks, dim=-1)

    @property
    def _starts(self) -> list[range]:
        """The first position of each window along each spatial dimension."""
        return [
            range(-low, size + high - step * (width - 1), stride)
            for size, (low, high), step, width, stride in zip(
                self.before[1:], self.padding, self.dilation, self.kernel, self.stride, strict=True
            )
        ]

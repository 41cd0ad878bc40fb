"""Convolution over one, two or three spatial dimensions: any stride, dilation, groups and padding."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from torch import Tensor
from torch.nn import functional

from reachbox.errors import InputError
from reachbox.network.operators.operator import Affine, Shape, Source, resolve

FORWARD = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


@dataclass(frozen=True, eq=False)
class Convolution(Affine):
    """Cross-correlation with `weight` `(out, in / groups, *kernel)`; `padding` is `(before, after)` for each dimension.

    `spatial` is the input's size in each spatial dimension: the transpose needs it.
    """

    weight: Source
    bias: Source | None
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int
    spatial: tuple[int, ...]

    def output_shape(self, *shapes: Shape) -> Shape:
        outputs, inputs, *kernel = resolve(self.weight).shape
        if len(shapes[0]) != len(kernel) + 1 or shapes[0][0] != inputs * self.groups:
            raise InputError(
                f"Convolution: {inputs * self.groups} channels and {len(kernel)} spatial dimensions are needed, "
                f"found shape {shapes[0]}"
            )
        if shapes[0][1:] != self.spatial or outputs % self.groups:
            raise InputError(
                f"Convolution: spatial size {self.spatial} and outputs divisible by {self.groups} groups are needed, "
                f"found {shapes[0]} and {outputs} outputs"
            )
        sizes = tuple(
            (size + sum(pad) - step * (width - 1) - 1) // stride + 1
            for size, pad, step, width, stride in zip(
                shapes[0][1:], self.padding, self.dilation, kernel, self.stride, strict=True
            )
        )
        if min(sizes) < 1:
            raise InputError(f"Convolution: a kernel of {tuple(kernel)} does not fit into {shapes[0]}")
        return (outputs, *sizes)

    def forward(self, *inputs: Tensor) -> Tensor:
        bias = None if self.bias is None else resolve(self.bias)
        return self._convolve(inputs[0], resolve(self.weight), bias)

    def absolute(self, *radii: Tensor) -> Tensor:
        return self._convolve(radii[0], resolve(self.weight).abs(), None)

    def transposed(self, rows: Tensor) -> tuple[Tensor, ...]:
        spread = TRANSPOSED[len(self.stride)](
            rows, resolve(self.weight), stride=self.stride, groups=self.groups, dilation=self.dilation
        )
        crop = [
            (-before, before + size - reached)
            for (before, _), size, reached in zip(self.padding, self.spatial, spread.shape[2:], strict=True)
        ]
        return (functional.pad(spread, _last_first(crop)),)

    def constant(self, rows: Tensor) -> Tensor:
        return super().constant(rows) if self.bias is None else rows.flatten(2).sum(2) @ resolve(self.bias)

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        convolve = FORWARD[len(self.stride)]
        if all(before == after for before, after in self.padding):
            padding = tuple(before for before, _ in self.padding)
            return convolve(x, weight, bias, self.stride, padding, self.dilation, self.groups)
        padded = functional.pad(x, _last_first(self.padding))
        return convolve(padded, weight, bias, self.stride, 0, self.dilation, self.groups)


def _last_first(padding: tuple[tuple[int, int], ...] | list[tuple[int, int]]) -> list[int]:
    """The order of `torch.nn.functional.pad`: the last dimension comes first."""
    return list(chain.from_iterable(reversed(padding)))

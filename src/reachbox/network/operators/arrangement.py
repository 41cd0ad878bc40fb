"""Affine operators that only move elements: reshape, any rearrangement by an index, concatenation."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from reachbox.errors import InputError
from reachbox.network.operators.operator import Affine, Shape


@dataclass(frozen=True, eq=False)
class Reshape(Affine):
    """The same elements in the same order, in another shape."""

    before: Shape
    after: Shape

    def output_shape(self, *shapes: Shape) -> Shape:
        if shapes[0] != self.before or prod(self.before) != prod(self.after):
            raise InputError(f"Reshape: {self.before} to {self.after} does not fit {shapes[0]}")
        return self.after

    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].reshape(-1, *self.after)

    def absolute(self, *radii: Tensor) -> Tensor:
        return self.forward(*radii)

    def transposed(self, rows: Tensor) -> tuple[Tensor, ...]:
        return (rows.reshape(-1, *self.before),)


@dataclass(frozen=True, eq=False)
class Rearrange(Affine):
    """Element `i` of the result is element `index[i]` of the flattened input, or 0 where `index[i]` is -1.

    Transposition, slicing, padding with zeros, expansion and flips are all of this kind.
    `index` is int64 of the result's shape.
    """

    index: Tensor
    before: Shape

    def output_shape(self, *shapes: Shape) -> Shape:
        if shapes[0] != self.before:
            raise InputError(f"Rearrange: a shape of {self.before} is needed, found {shapes[0]}")
        return tuple(self.index.shape)

    def forward(self, *inputs: Tensor) -> Tensor:
        index = self.index.flatten()
        moved = inputs[0].flatten(1)[:, index.clamp(min=0)]
        return torch.where(index >= 0, moved, 0).reshape(-1, *self.index.shape)

    def absolute(self, *radii: Tensor) -> Tensor:
        return self.forward(*radii)

    def transposed(self, rows: Tensor) -> tuple[Tensor, ...]:
        index = self.index.flatten()
        kept = torch.where(index >= 0, rows.flatten(1), 0)
        total = rows.new_zeros(len(rows), prod(self.before)).index_add(1, index.clamp(min=0), kept)
        return (total.reshape(-1, *self.before),)


@dataclass(frozen=True, eq=False)
class Concatenate(Affine):
    """Values side by side along feature dimension `axis`, whose sizes are `sizes`."""

    axis: int
    sizes: tuple[int, ...]

    def output_shape(self, *shapes: Shape) -> Shape:
        rest = {shape[: self.axis] + shape[self.axis + 1 :] for shape in shapes}
        if len(rest) != 1 or tuple(shape[self.axis] for shape in shapes) != self.sizes:
            raise InputError(f"Concatenate: sizes {self.sizes} along axis {self.axis} do not fit {shapes}")
        return (*shapes[0][: self.axis], sum(self.sizes), *shapes[0][self.axis + 1 :])

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.cat(inputs, dim=self.axis + 1)

    def absolute(self, *radii: Tensor) -> Tensor:
        return self.forward(*radii)

    def transposed(self, rows: Tensor) -> tuple[Tensor, ...]:
        return torch.split(rows, list(self.sizes), dim=self.axis + 1)

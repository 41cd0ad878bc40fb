"""Affine operators that act on each element by itself: scale and shift (batch norm among them), and addition."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reachbox.errors import InputError
from reachbox.network.operators.operator import Affine, Shape, Source, resolve


@dataclass(frozen=True, eq=False)
class Scale(Affine):
    """`scale * x + shift`, both broadcast over the features (never over the batch); None means 1 or 0."""

    scale: Source | None = None
    shift: Source | None = None

    def output_shape(self, *shapes: Shape) -> Shape:
        for source in (self.scale, self.shift):
            sizes = () if source is None else tuple(resolve(source).shape)
            aligned = shapes[0][len(shapes[0]) - len(sizes) :]
            if len(sizes) > len(shapes[0]) or any(s not in (1, size) for s, size in zip(sizes, aligned, strict=True)):
                raise InputError(f"Scale: {sizes} does not broadcast to {shapes[0]}")
        return shapes[0]

    def forward(self, *inputs: Tensor) -> Tensor:
        scaled = inputs[0] if self.scale is None else inputs[0] * resolve(self.scale)
        return scaled if self.shift is None else scaled + resolve(self.shift)

    def absolute(self, *radii: Tensor) -> Tensor:
        return radii[0] if self.scale is None else radii[0] * resolve(self.scale).abs()

    def transposed(self, rows: Tensor) -> tuple[Tensor, ...]:
        return (rows if self.scale is None else rows * resolve(self.scale),)

    def constant(self, rows: Tensor) -> Tensor:
        return super().constant(rows) if self.shift is None else (rows * resolve(self.shift)).flatten(1).sum(1)


@dataclass(frozen=True, eq=False)
class Add(Affine):
    """The sum of two or more values of one shape."""

    terms: int = 2

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes) != self.terms or len(set(shapes)) != 1:
            raise InputError(f"Add: {self.terms} values of one shape are needed, found {shapes}")
        return shapes[0]

    def forward(self, *inputs: Tensor) -> Tensor:
        total = inputs[0]
        for term in inputs[1:]:
            total = total + term
        return total

    def absolute(self, *radii: Tensor) -> Tensor:
        return self.forward(*radii)

    def transposed(self, rows: Tensor) -> tuple[Tensor, ...]:
        return (rows,) * self.terms

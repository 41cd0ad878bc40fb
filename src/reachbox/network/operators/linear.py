"""A matrix applied to the last dimension."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from reachbox.errors import InputError
from reachbox.network.operators.operator import Affine, Shape, Source, resolve


@dataclass(frozen=True, eq=False)
class Linear(Affine):
    """`x W^T + b` over the last dimension; `weight` is `(outputs, inputs)`, `bias` `(outputs,)` or None."""

    weight: Source
    bias: Source | None = None

    def output_shape(self, *shapes: Shape) -> Shape:
        outputs, inputs = resolve(self.weight).shape
        if not shapes[0] or shapes[0][-1] != inputs:
            raise InputError(f"Linear: a last dimension of {inputs} is needed, found shape {shapes[0]}")
        return (*shapes[0][:-1], outputs)

    def forward(self, *inputs: Tensor) -> Tensor:
        bias = None if self.bias is None else resolve(self.bias)
        return functional.linear(inputs[0], resolve(self.weight), bias)

    def absolute(self, *radii: Tensor) -> Tensor:
        return functional.linear(radii[0], resolve(self.weight).abs())

    def transposed(self, rows: Tensor) -> tuple[Tensor, ...]:
        return (rows @ resolve(self.weight),)

    def constant(self, rows: Tensor) -> Tensor:
        if self.bias is None:
            return super().constant(rows)
        return (rows @ resolve(self.bias)).flatten(1).sum(1) if rows.ndim > 2 else rows @ resolve(self.bias)

"""What an operator is: a function of batched tensors, and for an affine one its matrix without ever building it."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from typing import Self, TypeAlias

import torch
from torch import Tensor

Shape: TypeAlias = tuple[int, ...]
Source: TypeAlias = "Tensor | Callable[[], Tensor]"
"""A weight: the tensor itself, or a call that gives its present value (a module's live parameter)."""


def resolve(source: Source) -> Tensor:
    """The present value of a weight."""
    return source if isinstance(source, Tensor) else source()


class Operator(ABC):
    """One node's function. Tensors carry a leading batch dimension; shapes do not."""

    @abstractmethod
    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the result for inputs of these shapes; raises `InputError` where they do not fit."""

    @abstractmethod
    def forward(self, *inputs: Tensor) -> Tensor:
        """The value for a batch of inputs."""

    @property
    def name(self) -> str:
        """The operator's name in messages and files."""
        return type(self).__name__

    def sources(self) -> dict[str, Source]:
        """The weights by field name."""
        fields = {name: getattr(self, name) for name in _field_names(type(self))}
        return {name: value for name, value in fields.items() if isinstance(value, Tensor) or callable(value)}

    def map_sources(self, change: Callable[[Source], Source]) -> Self:
        """The same operator with every weight replaced by `change(weight)`."""
        changed = {name: change(source) for name, source in self.sources().items()}
        return dataclasses.replace(self, **changed) if changed else self  # type: ignore[type-var]


@cache
def _field_names(kind: type[Operator]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))  # type: ignore[arg-type]


class Affine(Operator):
    """`A x + b`, known by how `A`, `|A|` and its transpose act."""

    @abstractmethod
    def absolute(self, *radii: Tensor) -> Tensor:
        """`|A| r`: how far the result can move when each input moves by its radius."""

    @abstractmethod
    def transposed(self, rows: Tensor) -> tuple[Tensor, ...]:
        """`rows A`, one tensor for each input; `rows` is `(rows, *output shape)`."""

    def constant(self, rows: Tensor) -> Tensor:
        """`rows b`, shape `(rows,)`."""
        return rows.new_zeros(len(rows))


class Activation(Operator):
    """An elementwise nonlinear function `f`, known by how far it strays from a line over an interval."""

    def output_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    @abstractmethod
    def extremes(self, slope: Tensor, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        """Minimum and maximum of `f(z) - slope * z` over `lower <= z <= upper`, elementwise."""

    def range(self, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        """Minimum and maximum of `f(z)` over `lower <= z <= upper`, elementwise."""
        return self.extremes(torch.zeros_like(lower), lower, upper)

    @abstractmethod
    def tight_slopes(self, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        """Slopes of a good line below and a good line above `f` over the interval (Zhang et al. 2018, CROWN)."""

    @abstractmethod
    def curved(self, lower: Tensor, upper: Tensor) -> Tensor:
        """Whether `f` is not affine over the interval, bool."""

    @abstractmethod
    def derivative(self, z: Tensor) -> Tensor:
        """A derivative of `f` (any subgradient at a kink)."""

    @property
    @abstractmethod
    def slopes(self) -> tuple[float, float]:
        """The least and the largest derivative; the best line below or above has a slope between them."""

    @property
    def is_convex(self) -> bool:
        """Whether the chord is the best line above, whatever follows."""
        return False

    @property
    def is_concave(self) -> bool:
        """Whether the chord is the best line below, whatever follows."""
        return False

    def chord(self, lower: Tensor, upper: Tensor) -> Tensor:
        """Slope of the line through the graph's two ends; the derivative where the interval is (nearly) a point."""
        width = upper - lower
        scale = torch.maximum(lower.abs(), upper.abs())
        narrow = width <= 1e3 * torch.finfo(width.dtype).eps * scale
        safe = torch.where(narrow, torch.ones_like(width), width)
        rise = self.forward(upper) - self.forward(lower)
        return torch.where(narrow, self.derivative(lower + width / 2), rise / safe)

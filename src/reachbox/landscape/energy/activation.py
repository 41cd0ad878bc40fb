"""Activations with their first two derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reachbox.errors import InputError
from reachbox.landscape.energy import bends
from reachbox.landscape.energy.energy import Array


@dataclass(frozen=True)
class Activation:
    """An elementwise function `f` of a perceptron's hidden units."""

    kind: ClassVar[int]
    is_odd: ClassVar[bool] = False
    """Whether `f(-z) = -f(z)`, so that a unit and its negative are the same."""

    @property
    def bend_width(self) -> float:
        """How far from 0 the bend of a smoothed kink reaches."""
        return 0.0

    def derivatives(self, z: Array) -> tuple[Array, Array, Array]:
        """`f(z)`, `f'(z)` and `f''(z)`, in the shape of `z`."""
        flat = np.ascontiguousarray(z, dtype=np.float64).reshape(1, -1)
        value, slope, curvature = np.empty_like(flat), np.empty_like(flat), np.empty_like(flat)
        bends.bend(self.kind, self.bend_width, flat, value, slope, curvature)
        return value.reshape(z.shape), slope.reshape(z.shape), curvature.reshape(z.shape)


@dataclass(frozen=True)
class Tanh(Activation):
    """The hyperbolic tangent."""

    kind: ClassVar[int] = bends.TANH
    is_odd: ClassVar[bool] = True


@dataclass(frozen=True)
class Softplus(Activation):
    """`log(1 + exp(z))`."""

    kind: ClassVar[int] = bends.SOFTPLUS


@dataclass(frozen=True)
class ReLU(Activation):
    """`max(z, 0)`, with slope 0 at the kink, and everywhere the curvature of the piece that holds `z`, which is 0."""

    kind: ClassVar[int] = bends.RELU


@dataclass(frozen=True)
class SmoothedReLU(Activation):
    """ReLU with its kink replaced by a twice differentiable bend over `0 < z < width`.

    The smoothing is one-sided: value and slope are exactly 0 for `z <= 0`, so that a dead unit stays inert and causes
    no spurious curvature. The slope is `3 t^2 - 2 t^3` with `t = z / width`; beyond the bend the value is
    `z - width / 2`.
    """

    kind: ClassVar[int] = bends.SMOOTHED_RELU
    width: float

    def __post_init__(self) -> None:
        if not self.width > 0:
            raise InputError(f"smoothed ReLU: the width must be positive, found {self.width}; use ReLU for width 0")

    @property
    def bend_width(self) -> float:
        return self.width

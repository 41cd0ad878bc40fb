"""Activations with their first two derivatives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from reachbox.errors import InputError
from reachbox.landscape.energy.energy import Array


class Activation(ABC):
    """An elementwise function `f`."""

    @abstractmethod
    def value_and_slope(self, z: Array) -> tuple[Array, Array]:
        """`f(z)` and `f'(z)`."""

    @abstractmethod
    def curvature(self, z: Array, value: Array, slope: Array) -> Array:
        """`f''(z)`, where `f(z)` and `f'(z)` are known already; for ReLU that of the piece that holds `z`."""

    @property
    def is_odd(self) -> bool:
        """Whether `f(-z) = -f(z)`, so that a unit and its negative are the same."""
        return False


@dataclass(frozen=True)
class Tanh(Activation):
    """The hyperbolic tangent."""

    def value_and_slope(self, z: Array) -> tuple[Array, Array]:
        value: Array = np.tanh(z)
        return value, 1 - value * value

    def curvature(self, z: Array, value: Array, slope: Array) -> Array:
        return -2 * value * slope

    @property
    def is_odd(self) -> bool:
        return True


@dataclass(frozen=True)
class ReLU(Activation):
    """`max(z, 0)`, with slope 0 at the kink and no curvature."""

    def value_and_slope(self, z: Array) -> tuple[Array, Array]:
        return np.maximum(z, 0), (z > 0).astype(np.float64)

    def curvature(self, z: Array, value: Array, slope: Array) -> Array:
        return np.zeros_like(z)


@dataclass(frozen=True)
class SmoothedReLU(Activation):
    """ReLU with its kink replaced by a twice differentiable bend over `0 < z < width`.

    The smoothing is one-sided: value and slope are exactly 0 for `z <= 0`, so that a dead unit stays inert and causes
    no spurious curvature. The slope is `3 t^2 - 2 t^3` with `t = z / width`; beyond the bend the value is
    `z - width / 2`.
    """

    width: float

    def __post_init__(self) -> None:
        if not self.width > 0:
            raise InputError(f"smoothed ReLU: the width must be positive, found {self.width}; use ReLU for width 0")

    def value_and_slope(self, z: Array) -> tuple[Array, Array]:
        t = np.clip(z / self.width, 0, 1)
        square = t * t
        value = self.width * square * t * (1 - t / 2) + np.maximum(z - self.width, 0)
        return value, square * (3 - 2 * t)

    def curvature(self, z: Array, value: Array, slope: Array) -> Array:
        t = np.clip(z / self.width, 0, 1)
        return 6 / self.width * t * (1 - t)

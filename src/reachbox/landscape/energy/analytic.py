"""Two surfaces in the plane whose minima and transition states are known."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from reachbox.landscape.energy.energy import Array, Energy


class PlaneEnergy(Energy):
    """A surface over a rectangle of the plane. Every point is its own symmetric copy."""

    lower: ClassVar[tuple[float, float]]
    upper: ClassVar[tuple[float, float]]

    @abstractmethod
    def second_derivatives(self, points: Array) -> Array:
        """The second derivatives, `(replicas, 2, 2)`."""

    @property
    def dimension(self) -> int:
        return 2

    def hessian_vector(self, points: Array, vectors: Array) -> Array:
        return np.asarray(np.einsum("rij,rj->ri", self.second_derivatives(points), vectors))

    def random_points(self, count: int, generator: np.random.Generator) -> Array:
        return generator.uniform(self.lower, self.upper, (count, 2))

    def invariant(self, points: Array) -> Array:
        return points

    def describe(self) -> dict[str, object]:
        return {"surface": type(self).__name__}


class Camelback(PlaneEnergy):
    """The six-hump camelback: six minima in three pairs, seven transition states, two maxima (Dixon & Szego 1978)."""

    lower = (-2.5, -1.5)
    upper = (2.5, 1.5)

    def value_and_gradient(self, points: Array) -> tuple[Array, Array]:
        x, y = points.T
        values = 4 * x**2 - 2.1 * x**4 + x**6 / 3 + x * y - 4 * y**2 + 4 * y**4
        gradients = np.stack([8 * x - 8.4 * x**3 + 2 * x**5 + y, x - 8 * y + 16 * y**3], axis=1)
        return values, gradients

    def second_derivatives(self, points: Array) -> Array:
        x, y = points.T
        one = np.ones_like(x)
        rows = [[8 - 25.2 * x**2 + 10 * x**4, one], [one, 48 * y**2 - 8]]
        return np.moveaxis(np.array(rows), 2, 0)


class MuellerBrown(PlaneEnergy):
    """A sum of four Gaussian wells and ridges: three minima joined by two transition states (Mueller & Brown 1979)."""

    lower = (-1.5, -0.5)
    upper = (1.2, 2.0)
    height = np.array([-200.0, -100.0, -170.0, 15.0])
    centre = np.array([[1.0, 0.0], [0.0, 0.5], [-0.5, 1.5], [-1.0, 1.0]])
    curvature = np.array(
        [
            [[-2.0, 0.0], [0.0, -20.0]],
            [[-2.0, 0.0], [0.0, -20.0]],
            [[-13.0, 11.0], [11.0, -13.0]],
            [[1.4, 0.6], [0.6, 1.4]],
        ]
    )
    """Second derivatives of each exponent: `[[2a, b], [b, 2c]]` for `a dx^2 + b dx dy + c dy^2`."""

    def _terms(self, points: Array) -> tuple[Array, Array]:
        """Each Gaussian's value `(replicas, 4)` and the slope of its exponent `(replicas, 4, 2)`."""
        offset = points[:, None] - self.centre
        slope = np.einsum("kij,rkj->rki", self.curvature, offset)
        return self.height * np.exp((slope * offset).sum(2) / 2), slope

    def value_and_gradient(self, points: Array) -> tuple[Array, Array]:
        values, slope = self._terms(points)
        return values.sum(1), np.einsum("rk,rki->ri", values, slope)

    def second_derivatives(self, points: Array) -> Array:
        values, slope = self._terms(points)
        bends = np.einsum("rki,rkj->rkij", slope, slope) + self.curvature
        return np.asarray(np.einsum("rk,rkij->rij", values, bends))

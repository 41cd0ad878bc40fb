"""What an energy is: a smooth function of many variables, evaluated for many replicas at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]

HESSIAN_ROWS_AT_ONCE = 64


class Energy(ABC):
    """A surface to explore. Points are float64 arrays `(replicas, dimension)`, one row a replica.

    Two methods define the surface; the others tell what is known about its symmetry and scale, and default to nothing.
    An energy is immutable and can be pickled, so that workers can be sent one.
    """

    @property
    @abstractmethod
    def dimension(self) -> int:
        """How many variables a point has."""

    @abstractmethod
    def value_and_gradient(self, points: Array) -> tuple[Array, Array]:
        """Energies `(replicas,)` and gradients `(replicas, dimension)`."""

    @abstractmethod
    def hessian_vector(self, points: Array, vectors: Array) -> Array:
        """The exact Hessian at each point times that row's vector, `(replicas, dimension)`."""

    def hessian(self, point: Array) -> Array:
        """The full Hessian at one point `(dimension,)`: row by row from products with unit vectors, and symmetric."""
        rows = np.empty((self.dimension, self.dimension))
        for begin in range(0, self.dimension, HESSIAN_ROWS_AT_ONCE):
            units = np.eye(self.dimension)[begin : begin + HESSIAN_ROWS_AT_ONCE]
            rows[begin : begin + len(units)] = self.hessian_vector(np.tile(point, (len(units), 1)), units)
        return np.asarray((rows + rows.T) / 2)

    @abstractmethod
    def random_points(self, count: int, generator: np.random.Generator) -> Array:
        """Starting points spread over the part of the surface that matters, `(count, dimension)`."""

    def symmetric_points(self, count: int, generator: np.random.Generator) -> Array:
        """Starting points that a symmetry of the energy leaves where they are, `(count, dimension)`.

        Gradients, and products of the Hessian with them, share the symmetry, so that searches stay within a space of
        few variables, where rare points are not rare. Where no symmetry is known, any starting points.
        """
        return self.random_points(count, generator)

    @abstractmethod
    def describe(self) -> dict[str, object]:
        """What distinguishes this problem from another, as JSON values; stored with every result."""

    def zero_modes(self, points: Array) -> Array:
        """Orthonormal directions of a continuous symmetry of the energy, `(replicas, modes, dimension)`."""
        return np.zeros((len(points), 0, self.dimension))

    def invariant(self, points: Array) -> Array:
        """Numbers that symmetric copies of a point share and other points do not, `(replicas, numbers)`.

        Points are the same where energy and invariant agree; without numbers the energy alone decides.
        """
        return np.zeros((len(points), 0))

    def align(self, point: Array, reference: Array) -> Array:
        """The symmetric copy of `point` that lies nearest to `reference`, both `(dimension,)`."""
        return point

    def kinks(self, points: Array) -> npt.NDArray[np.int64]:
        """At how many kinks of the energy each point lies, `(replicas,)`."""
        return np.zeros(len(points), dtype=np.int64)

    def revived(self, points: Array, generator: np.random.Generator) -> Array:
        """The points with some of the variables that have fallen idle set going again; a move to leave a minimum by."""
        return points

    def moves(self, points: Array, generator: np.random.Generator) -> tuple[Array, Array]:
        """Each point midway on a move that suits the surface, and the direction of the move: where climbs begin.

        Without anything known about the surface, nowhere but at the point, and in any direction.
        """
        return points.copy(), generator.standard_normal(points.shape)

    def scales(self, points: Array) -> Array:
        """How far a typical move goes in each variable, `(replicas, dimension)`."""
        return np.ones_like(points)


def perturb(energy: Energy, points: Array, size: float | Array, generator: np.random.Generator) -> Array:
    """Gaussian moves of `size` typical moves in each variable; `size` is a number or one for each replica."""
    sizes = np.broadcast_to(np.asarray(size, dtype=np.float64), (len(points),))[:, None]
    return points + sizes * energy.scales(points) * generator.standard_normal(points.shape)

"""Clusters of atoms held together by the Lennard-Jones potential, in reduced units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reachbox.errors import InputError
from reachbox.landscape.energy.cluster_symmetry import nearest_copy, pair_distances, rigid_motions
from reachbox.landscape.energy.energy import Array, Energy
from reachbox.landscape.energy.point_groups import symmetric_atoms
from reachbox.machine_code import compiled


@dataclass(frozen=True)
class LennardJones(Energy):
    """`4 sum (r^-12 - r^-6)` over the pairs of `atoms` atoms; a point lists `x, y, z` of each.

    Copies under translation, rotation, inversion and exchange of atoms are the same point. Source of published counts:
    Doye & Wales, J. Chem. Phys. 116, 3777 (2002).
    """

    atoms: int

    def __post_init__(self) -> None:
        if self.atoms < 3:
            raise InputError(f"Lennard-Jones cluster: at least 3 atoms are needed, found {self.atoms}")

    @property
    def dimension(self) -> int:
        return 3 * self.atoms

    def value_and_gradient(self, points: Array) -> tuple[Array, Array]:
        values, gradients = np.zeros(len(points)), np.zeros_like(points)
        _add_pairs(points, values, gradients)
        return values, gradients

    def hessian_vector(self, points: Array, vectors: Array) -> Array:
        products = np.zeros_like(points)
        _add_pair_products(points, vectors, products)
        return products

    def random_points(self, count: int, generator: np.random.Generator) -> Array:
        """Uniform in a ball of the cluster's density; every other one flattened, the flattest ten thousand times.

        Flat starts lead to buckled planes, which hardly any round start reaches.
        """
        directions = generator.standard_normal((count, self.atoms, 3))
        directions /= np.linalg.norm(directions, axis=2, keepdims=True)
        radius = self.atoms ** (1 / 3) * np.cbrt(generator.random((count, self.atoms, 1)))
        points = radius * directions
        points[::2, :, 2] *= 10 ** generator.uniform(-4, 0, (len(points[::2]), 1))
        return np.asarray(points.reshape(count, self.dimension))

    def symmetric_points(self, count: int, generator: np.random.Generator) -> Array:
        """Clusters of a random point group, about as large as random ones."""
        radius = self.atoms ** (1 / 3)
        clusters = [symmetric_atoms(self.atoms, radius, generator) for _ in range(count)]
        return np.stack(clusters).reshape(count, self.dimension)

    def zero_modes(self, points: Array) -> Array:
        return rigid_motions(points)

    def invariant(self, points: Array) -> Array:
        return pair_distances(points)

    def align(self, point: Array, reference: Array) -> Array:
        return nearest_copy(point, reference)

    def describe(self) -> dict[str, object]:
        return {"surface": "LennardJones", "atoms": self.atoms}


@compiled
def _add_pairs(points: Array, values: Array, gradients: Array) -> None:
    replicas, coordinates = points.shape
    for r in range(replicas):
        for i in range(0, coordinates, 3):
            for j in range(i + 3, coordinates, 3):
                x = points[r, i] - points[r, j]
                y = points[r, i + 1] - points[r, j + 1]
                z = points[r, i + 2] - points[r, j + 2]
                inverse = 1.0 / (x * x + y * y + z * z)
                sixth = inverse * inverse * inverse
                values[r] += 4.0 * sixth * (sixth - 1.0)
                slope = 24.0 * inverse * sixth * (1.0 - 2.0 * sixth)  # phi'(r) / r
                for axis, offset in enumerate((x, y, z)):
                    gradients[r, i + axis] += slope * offset
                    gradients[r, j + axis] -= slope * offset


@compiled
def _add_pair_products(points: Array, vectors: Array, products: Array) -> None:
    replicas, coordinates = points.shape
    for r in range(replicas):
        for i in range(0, coordinates, 3):
            for j in range(i + 3, coordinates, 3):
                x = points[r, i] - points[r, j]
                y = points[r, i + 1] - points[r, j + 1]
                z = points[r, i + 2] - points[r, j + 2]
                inverse = 1.0 / (x * x + y * y + z * z)
                sixth = inverse * inverse * inverse
                slope = 24.0 * inverse * sixth * (1.0 - 2.0 * sixth)
                bend = 96.0 * inverse * inverse * sixth * (7.0 * sixth - 2.0)  # (phi'' - phi' / r) / r^2
                along = 0.0
                for axis, offset in enumerate((x, y, z)):
                    along += offset * (vectors[r, i + axis] - vectors[r, j + axis])
                for axis, offset in enumerate((x, y, z)):
                    change = slope * (vectors[r, i + axis] - vectors[r, j + axis]) + bend * along * offset
                    products[r, i + axis] += change
                    products[r, j + axis] -= change

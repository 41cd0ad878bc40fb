"""Arrangements of atoms with a symmetry: each atom stands with all its images under a point group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from reachbox.landscape.energy.energy import Array

MIRROR, UPRIGHT_MIRROR, HALF_TURN = np.diag([1.0, 1.0, -1.0]), np.diag([1.0, -1.0, 1.0]), np.diag([1.0, -1.0, -1.0])
CLOSEST, SAME, TRIES = 0.5, 1e-6, 25


def symmetric_atoms(atoms: int, radius: float, generator: np.random.Generator) -> Array:
    """So many atoms of a random point group about the origin, `(atoms, 3)`, no two of them close.

    Atoms lie in general, or on an axis, in a plane or at the centre of the group, up to about `radius` from the origin.
    All groups with an axis of order 1 to `atoms - 1` are drawn alike; one of them has no symmetry.
    """
    while True:
        groups = _groups(int(generator.integers(1, max(2, atoms))))
        placed = _filled(groups[int(generator.integers(len(groups)))], atoms, radius, generator)
        if placed is not None:
            return placed


@dataclass(frozen=True, eq=False)
class PointGroup:
    """The operations of a group, and the projection on what each leaves where it is; both `(operations, 3, 3)`."""

    operations: Array
    projections: Array

    @classmethod
    def generated_by(cls, *generators: Array) -> PointGroup:
        """All products of the generators."""
        found = [np.eye(3)]
        for operation in found:  # grows as it goes
            products = (generator @ operation for generator in generators)
            found += [product for product in products if not any(np.allclose(product, known) for known in found)]
        return cls(np.stack(found), np.stack([_projection(operation) for operation in found]))


@lru_cache
def _groups(order: int) -> Sequence[PointGroup]:
    """Those whose main axis is of an order: C, Cv, Ch, S, D, Dh and Dd in Schoenflies' words."""
    turn, improper = _rotation(2 * np.pi / order), _rotation(np.pi / order) @ MIRROR
    generators = [(turn,), (turn, UPRIGHT_MIRROR), (turn, MIRROR), (improper,), (turn, HALF_TURN)]
    generators += [(turn, HALF_TURN, MIRROR), (improper, HALF_TURN)]
    return [PointGroup.generated_by(*operations) for operations in generators]


def _rotation(angle: float) -> Array:
    """A turn about the third axis."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _projection(operation: Array) -> Array:
    """On the axis, the plane or the point that an operation leaves where it is: the mean of its powers."""
    powers = [np.eye(3)]
    while not np.allclose(power := powers[-1] @ operation, np.eye(3)):
        powers.append(power)
    return np.asarray(np.mean(powers, axis=0))


def _filled(group: PointGroup, atoms: int, radius: float, generator: np.random.Generator) -> Array | None:
    """Orbits that together have so many atoms; None where none was found."""
    placed = np.empty((0, 3))
    for _ in range(TRIES):
        orbit = _orbit(group, radius * generator.standard_normal(3) / np.sqrt(3), generator)
        if len(placed) + len(orbit) > atoms:
            continue
        together = np.concatenate([placed, orbit])
        if _distances(together).min() > CLOSEST:
            placed = together
        if len(placed) == atoms:
            return placed
    return None


def _orbit(group: PointGroup, place: Array, generator: np.random.Generator) -> Array:
    """The images of a place, or of its projection on what one of the operations leaves where it is."""
    if generator.random() < 0.5:
        place = group.projections[generator.integers(len(group.projections))] @ place
    images = group.operations @ place
    is_new = ~np.triu(_distances(images) < SAME, k=1).any(axis=0)
    return np.asarray(images[is_new])


def _distances(places: Array) -> Array:
    """Between all pairs, infinite from a place to itself."""
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    np.fill_diagonal(apart, np.inf)
    return np.asarray(apart)

"""The symmetry of a cluster of identical atoms: rigid motions, inversion, exchange of atoms."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from reachbox.landscape.energy.energy import Array

STARTING_ROTATIONS = 60
MATCHING_ROUNDS = 30


def rigid_motions(points: Array) -> Array:
    """An orthonormal basis of translations and infinitesimal rotations, `(replicas, 6, dimension)`.

    All six must be independent: the atoms do not lie on a line.
    """
    atoms = points.reshape(len(points), points.shape[1] // 3, 3)
    centred = atoms - atoms.mean(axis=1, keepdims=True)
    moves = np.zeros((len(points), 6, *atoms.shape[1:]))
    for axis in range(3):
        unit = np.eye(3)[axis]
        moves[:, axis] = unit
        moves[:, 3 + axis] = np.cross(unit, centred)
    basis, _ = np.linalg.qr(np.swapaxes(moves.reshape(len(points), 6, points.shape[1]), 1, 2))
    return np.ascontiguousarray(np.swapaxes(basis, 1, 2))


def pair_distances(points: Array) -> Array:
    """All distances between two atoms in ascending order, `(replicas, pairs)`."""
    atoms = points.reshape(len(points), points.shape[1] // 3, 3)
    first, second = np.triu_indices(atoms.shape[1], k=1)
    return np.sort(np.linalg.norm(atoms[:, first] - atoms[:, second], axis=2), axis=1)


def nearest_copy(point: Array, reference: Array) -> Array:
    """The copy of `point` nearest to `reference` that was found, both `(dimension,)`.

    From many starting rotations, with and without inversion, Hungarian matching of atoms and Kabsch's rotation take
    turns until the matching rests. The best of these is returned: a local optimum where the search missed a better one.
    """
    target = reference.reshape(-1, 3)
    centre = target.mean(axis=0)
    fixed = target - centre
    atoms = point.reshape(-1, 3) - point.reshape(-1, 3).mean(axis=0)
    rotations = [np.eye(3), *Rotation.random(STARTING_ROTATIONS - 1, rng=np.random.default_rng(0)).as_matrix()]
    copies = [_matched(sign * atoms @ rotation.T, fixed) for sign in (1, -1) for rotation in rotations]
    best = min(copies, key=lambda copy: float(np.square(copy - fixed).sum()))
    return np.asarray(best + centre).ravel()


def _matched(atoms: Array, fixed: Array) -> Array:
    """Alternate matching and rotation from where `atoms` lie."""
    order = np.arange(len(atoms))
    for _ in range(MATCHING_ROUNDS):
        _, choice = linear_sum_assignment(cdist(fixed, atoms, "sqeuclidean"))
        rotation, _ = Rotation.align_vectors(fixed, atoms[choice])
        atoms = np.asarray(rotation.apply(atoms[choice]))
        if np.array_equal(choice, order):
            break
    return atoms

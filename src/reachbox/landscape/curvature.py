"""How an energy bends at a point: its lowest modes by Hessian-vector products, and its inertia."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reachbox.errors import InputError
from reachbox.landscape.energy import Array, Energy

HESSIAN_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Inertia:
    """How many eigenvalues of the Hessian lie below, within and above `threshold`, zero modes of symmetry left out."""

    negative: int
    zero: int
    positive: int
    threshold: float

    @property
    def is_minimum(self) -> bool:
        """No direction leads down, and none is flat."""
        return self.negative == 0 and self.zero == 0

    @property
    def is_transition_state(self) -> bool:
        """Exactly one direction leads down, and none is flat."""
        return self.negative == 1 and self.zero == 0


def hessian(energy: Energy, point: Array) -> Array:
    """The full Hessian at `point`, `(dimension, dimension)`, row by row from products with unit vectors."""
    rows = np.empty((energy.dimension, energy.dimension))
    for begin in range(0, energy.dimension, HESSIAN_ROWS_AT_ONCE):
        units = np.eye(energy.dimension)[begin : begin + HESSIAN_ROWS_AT_ONCE]
        rows[begin : begin + len(units)] = energy.hessian_vector(np.tile(point, (len(units), 1)), units)
    return np.asarray((rows + rows.T) / 2)


def eigenvalues(energy: Energy, point: Array) -> Array:
    """The Hessian's eigenvalues at `point` in ascending order, those of the energy's continuous symmetries left out."""
    modes = energy.zero_modes(point[None])[0]
    matrix = hessian(energy, point)
    if len(modes) == 0:
        return np.asarray(np.linalg.eigvalsh(matrix))
    complete, _ = np.linalg.qr(modes.T, mode="complete")
    rest = complete[:, len(modes) :]
    return np.asarray(np.linalg.eigvalsh(rest.T @ matrix @ rest))


def inertia(energy: Energy, point: Array, threshold: float = 1e-7) -> Inertia:
    """The signs of the curvature at `point`, by all of the Hessian's eigenvalues.

    Raises `InputError` for a negative threshold.
    """
    if not threshold >= 0:
        raise InputError(f"inertia: the threshold must not be negative, found {threshold}")
    values = eigenvalues(energy, point)
    negative, positive = int((values < -threshold).sum()), int((values > threshold).sum())
    return Inertia(negative, len(values) - negative - positive, positive, threshold)


@dataclass(frozen=True)
class Modes:
    """The lowest eigenpair of each replica's Hessian that was found: `values` `(replicas,)`, `vectors` of unit length.

    `residuals` is the norm of `H v - value v`: the value is that close to some eigenvalue.
    """

    values: Array
    vectors: Array
    residuals: Array


def lowest_modes(energy: Energy, points: Array, guesses: Array, iterations: int, tolerance: float) -> Modes:
    """The lowest eigenpair at each point, by LOBPCG with one vector, from `guesses` `(replicas, dimension)`.

    Orthogonal to the energy's zero modes. Stops after `iterations` products, or once every residual is below
    `tolerance` times its eigenvalue (or times 1, where the eigenvalue is smaller). Source: Knyazev 2001.
    """
    project = _off(energy.zero_modes(points))
    vectors = _normalised(project(guesses))
    images = project(energy.hessian_vector(points, vectors))
    before = image_before = np.zeros((len(points), 0, energy.dimension))
    for _ in range(iterations):
        values = (vectors * images).sum(axis=1)
        residuals = images - values[:, None] * vectors
        norms = np.linalg.norm(residuals, axis=1)
        if np.all(norms <= tolerance * np.maximum(1.0, np.abs(values))):
            break
        search = _normalised(project(residuals))
        image = project(energy.hessian_vector(points, search))
        basis = np.concatenate([vectors[:, None], search[:, None], before], axis=1)
        basis_image = np.concatenate([images[:, None], image[:, None], image_before], axis=1)
        vectors, images, before, image_before = _rayleigh_ritz(basis, basis_image)
    values = (vectors * images).sum(axis=1)
    return Modes(values, vectors, np.linalg.norm(images - values[:, None] * vectors, axis=1))


def _off(modes: Array) -> Callable[[Array], Array]:
    """The projection onto what is orthogonal to `modes` `(replicas, modes, dimension)`."""
    if modes.shape[1] == 0:
        return lambda vectors: vectors
    return lambda vectors: vectors - ((modes @ vectors[:, :, None]).swapaxes(1, 2) @ modes)[:, 0]


def _normalised(vectors: Array) -> Array:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1.0))


def _rayleigh_ritz(basis: Array, image: Array) -> tuple[Array, Array, Array, Array]:
    """The lowest Ritz vector in each basis `(replicas, vectors, dimension)` and the next search direction, with images.

    The basis is made orthonormal by its Gram matrix; directions that it (nearly) repeats are dropped.
    """
    gram, transform = np.linalg.eigh(basis @ basis.swapaxes(1, 2))
    kept = gram > 1e-10 * gram[:, -1:]
    transform = transform * np.where(kept, 1 / np.sqrt(np.where(kept, gram, 1.0)), 0.0)[:, None, :]
    projected = transform.swapaxes(1, 2) @ (basis @ image.swapaxes(1, 2)) @ transform
    ceiling = 1 + np.abs(projected).sum(axis=(1, 2))
    dropped = np.eye(kept.shape[1]) * np.where(kept, 0.0, ceiling[:, None])[:, None, :]
    _, rotation = np.linalg.eigh((projected + projected.swapaxes(1, 2)) / 2 + dropped)
    weights = (transform @ rotation[:, :, :1]).swapaxes(1, 2)
    scale = np.linalg.norm(weights @ basis, axis=2, keepdims=True)
    weights /= np.where(scale > 0, scale, 1.0)
    vector, vector_image = (weights @ basis)[:, 0], (weights @ image)[:, 0]
    search, search_image = weights[:, :, 1:] @ basis[:, 1:], weights[:, :, 1:] @ image[:, 1:]
    length = np.linalg.norm(search, axis=2, keepdims=True)
    length = np.where(length > 0, length, 1.0)
    return vector, vector_image, search / length, search_image / length

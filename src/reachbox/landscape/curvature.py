"""How an energy bends at a point: its lowest modes by Hessian-vector products, and its inertia."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reachbox.errors import InputError
from reachbox.landscape.condensed.condense import condense, has_equal_units
from reachbox.landscape.condensed.unit_spectrum import spectrum_of_equal_units
from reachbox.landscape.energy import Array, Energy, PerceptronEnergy

SOFT = 1e-5


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
    """The full Hessian at `point`, `(dimension, dimension)`."""
    return energy.hessian(point)


def eigenvalues(energy: Energy, point: Array) -> Array:
    """The Hessian's eigenvalues at `point` in ascending order, those of the energy's continuous symmetries left out."""
    return _spectrum(energy, point)[0]


def inertia(energy: Energy, point: Array, threshold: float = 1e-7) -> Inertia:
    """The signs of the curvature at `point`, by all of the Hessian's eigenvalues.

    Raises `InputError` for a negative threshold.
    """
    return certificate(energy, point, threshold).inertia


@dataclass(frozen=True, eq=False)
class Certificate:
    """What all eigenvalues tell of a stationary point; `soft` are those below `SOFT`, ascending.

    `error` is how far the energy is from that of the stationary point beside it by Newton's model, half of `g H^-1 g`:
    an estimate, infinite where the Hessian is singular.
    """

    inertia: Inertia
    error: float
    soft: Array


def certificate(energy: Energy, point: Array, threshold: float = 1e-7) -> Certificate:
    """The inertia at `point` with what stands behind it. Raises `InputError` for a negative threshold."""
    if not threshold >= 0:
        raise InputError(f"inertia: the threshold must not be negative, found {threshold}")
    values, error = _spectrum(energy, point)
    negative, positive = int((values < -threshold).sum()), int((values > threshold).sum())
    signs = Inertia(negative, len(values) - negative - positive, positive, threshold)
    return Certificate(signs, error, values[values < SOFT])


def _spectrum(energy: Energy, point: Array) -> tuple[Array, float]:
    """All eigenvalues, ascending, and the energy's error; of small matrices where units are equal to rounding."""
    if isinstance(energy, PerceptronEnergy) and has_equal_units(energy, point):
        condensed = condense(energy, point, tolerance=0.0)
        _, gradients = condensed.energy.value_and_gradient(condensed.point[None])
        return spectrum_of_equal_units(condensed), _decrement(condensed.energy.hessian(condensed.point), gradients[0])
    matrix, rigid = hessian(energy, point), energy.zero_modes(point[None])[0]
    error = _decrement(matrix + rigid.T @ rigid, energy.value_and_gradient(point[None])[1][0])
    return _eigenvalues(matrix, rigid), error


def _decrement(matrix: Array, gradient: Array) -> float:
    coupled = _coupled(matrix)
    alone = np.diag(matrix)[~coupled]
    try:
        step = np.linalg.solve(matrix[np.ix_(coupled, coupled)], gradient[coupled])
    except np.linalg.LinAlgError:
        return float("inf")
    if not alone.all():
        return float("inf")
    return 0.5 * abs(float(gradient[coupled] @ step + (np.square(gradient[~coupled]) / alone).sum()))


def _eigenvalues(matrix: Array, rigid: Array) -> Array:
    """In ascending order; what couples to nothing, such as an idle unit's weight, is an eigenvector itself."""
    if len(rigid):
        complete, _ = np.linalg.qr(rigid.T, mode="complete")
        rest = complete[:, len(rigid) :]
        return np.asarray(np.linalg.eigvalsh(rest.T @ matrix @ rest))
    coupled = _coupled(matrix)
    bends = np.linalg.eigvalsh(matrix[np.ix_(coupled, coupled)])
    return np.sort(np.concatenate([bends, np.diag(matrix)[~coupled]]))


def _coupled(matrix: Array) -> npt.NDArray[np.bool_]:
    return np.asarray((matrix != np.diag(np.diag(matrix))).any(axis=1))


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
    `tolerance` times its eigenvalue. Source: Knyazev 2001.
    """
    project = _off(energy.zero_modes(points))
    vectors = _normalised(project(guesses))
    images = project(energy.hessian_vector(points, vectors))
    before = image_before = np.zeros((len(points), 0, energy.dimension))
    for _ in range(iterations):
        values = (vectors * images).sum(axis=1)
        residuals = images - values[:, None] * vectors
        norms = np.linalg.norm(residuals, axis=1)
        if np.all(norms <= tolerance * np.abs(values)):
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

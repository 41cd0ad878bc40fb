"""The doubly nudged elastic band: a chain of images between two minima that settles onto a path over the barriers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reachbox.errors import InputError
from reachbox.landscape.descent.minimise import Minimiser, descend
from reachbox.landscape.energy import Array, Energy


@dataclass(frozen=True)
class ElasticBand:
    """Options of the band: `images` between the ends, the `spring` constant, and when to stop.

    A band is there to find good starting points for eigenvector following; it need not converge.
    """

    images: int = 20
    spring: float = 10.0
    rms: float = 1e-2
    max_steps: int = 200
    max_step: float = 0.1

    def __post_init__(self) -> None:
        if self.images < 1 or not (self.spring > 0 and self.rms > 0 and self.max_step > 0):
            raise InputError(f"elastic band: at least one image and positive settings are needed, found {self}")


@dataclass(frozen=True)
class Band:
    """Relaxed bands with their ends: `points` `(bands, images + 2, dimension)`, `energies` `(bands, images + 2)`."""

    points: Array
    energies: Array

    def summits(self) -> tuple[Array, Array]:
        """The images of all bands that are higher than both neighbours, and unit tangents; `(summits, dimension)`.

        Where to start climbing to transition states, and along which mode.
        """
        inner = self.energies[:, 1:-1]
        rows, columns = np.nonzero((inner > self.energies[:, :-2]) & (inner > self.energies[:, 2:]))
        tangents = self.points[rows, columns + 2] - self.points[rows, columns]
        lengths = np.linalg.norm(tangents, axis=1, keepdims=True)
        return self.points[rows, columns + 1], tangents / np.maximum(lengths, np.finfo(float).tiny)


def elastic_bands(energy: Energy, firsts: Array, seconds: Array, options: ElasticBand | None = None) -> Band:
    """Relax a band between each pair of points `(bands, dimension)` (Trygubenko & Wales 2004).

    Each second point is replaced by its symmetric copy nearest to the first: without it a band runs through the
    exchange of atoms or hidden units, and its barriers mean nothing.
    """
    if firsts.shape != seconds.shape or firsts.ndim != 2 or firsts.shape[1] != energy.dimension:
        raise InputError(
            f"elastic band: two arrays (bands, {energy.dimension}) are needed, found {firsts.shape}, {seconds.shape}"
        )
    options = options or ElasticBand()
    aligned = [energy.align(second, first) for first, second in zip(firsts, seconds, strict=True)]
    ends = np.stack([firsts, np.reshape(aligned, firsts.shape)], axis=1)
    shares = np.linspace(0, 1, options.images + 2)[None, 1:-1, None]
    starts = (ends[:, :1] * (1 - shares) + ends[:, 1:] * shares).reshape(len(ends), -1)
    minimiser = Minimiser(
        rms=options.rms,
        max_steps=options.max_steps,
        max_step=options.max_step * np.sqrt(options.images),
        max_rise=np.inf,
    )

    def objective(points: Array, rows: npt.NDArray[np.intp]) -> tuple[Array, Array]:
        inner = points.reshape(len(rows), options.images, energy.dimension)
        band, energies, gradients = _evaluated(energy, ends[rows], inner)
        forces = _nudged(band, energies, gradients, options.spring)
        return energies[:, 1:-1].sum(axis=1), forces.reshape(points.shape)

    inner = descend(objective, starts, minimiser).points.reshape(len(ends), options.images, energy.dimension)
    points, energies, _ = _evaluated(energy, ends, inner)
    return Band(points, energies)


def _evaluated(energy: Energy, ends: Array, inner: Array) -> tuple[Array, Array, Array]:
    """The whole bands, the energies of all images, and the gradients of the inner ones."""
    band = np.concatenate([ends[:, :1], inner, ends[:, 1:]], axis=1)
    energies, gradients = energy.value_and_gradient(band.reshape(-1, energy.dimension))
    return band, energies.reshape(band.shape[:2]), gradients.reshape(band.shape)[:, 1:-1]


def _nudged(band: Array, energies: Array, gradients: Array, spring: float) -> Array:
    """The gradient that each inner image follows downhill.

    Across the path: the true gradient, and of the springs what does not act against it. Along the path: the springs,
    which keep the images apart.
    """
    tangents = _tangents(band, energies)
    behind, ahead = band[:, 1:-1] - band[:, :-2], band[:, 2:] - band[:, 1:-1]
    lengths = np.linalg.norm(ahead, axis=2, keepdims=True) - np.linalg.norm(behind, axis=2, keepdims=True)
    across = _without(gradients, tangents)
    springs = _without(spring * (behind - ahead), tangents)
    return np.asarray(across - spring * lengths * tangents + _without(springs, _unit(across)))


def _tangents(band: Array, energies: Array) -> Array:
    """Unit tangents that point to the higher neighbour, weighted at extremes (Henkelman & Jonsson 2000)."""
    behind, ahead = band[:, 1:-1] - band[:, :-2], band[:, 2:] - band[:, 1:-1]
    rise, fall = (energies[:, 2:] - energies[:, 1:-1])[..., None], (energies[:, 1:-1] - energies[:, :-2])[..., None]
    more, less = np.maximum(np.abs(rise), np.abs(fall)), np.minimum(np.abs(rise), np.abs(fall))
    forward_is_higher = rise + fall > 0
    weighted = np.where(forward_is_higher, more * ahead + less * behind, less * ahead + more * behind)
    monotone = np.where(rise > 0, ahead, behind)
    return _unit(np.where(rise * fall > 0, monotone, weighted))


def _unit(vectors: Array) -> Array:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(float).tiny))


def _without(vectors: Array, directions: Array) -> Array:
    """The part of each vector orthogonal to its unit direction."""
    return np.asarray(vectors - (vectors * directions).sum(axis=-1, keepdims=True) * directions)

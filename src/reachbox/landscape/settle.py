"""The certificate of a minimum: no push along a direction of negative curvature leads further down."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from reachbox.errors import InputError
from reachbox.landscape.curvature import hessian
from reachbox.landscape.descent.minimise import Minimiser, minimise
from reachbox.landscape.energy import Array, Energy
from reachbox.landscape.stationary_point import StationaryPoint, certified, stationary_points


@dataclass(frozen=True)
class Settling:
    """How to push: by `push` both ways along every eigenvector below `-threshold`, at most `max_rounds` times.

    A point has settled when no push that is quenched again ends lower by more than `drop`.
    """

    threshold: float = 1e-7
    push: float = 0.1
    drop: float = 1e-7
    max_rounds: int = 10
    minimiser: Minimiser = field(default_factory=lambda: Minimiser(rms=1e-6, max_step=0.5, memory=20))

    def __post_init__(self) -> None:
        if not (self.threshold >= 0 and self.push > 0 and self.drop > 0 and self.max_rounds > 0):
            raise InputError(f"settling: push, drop and rounds must be positive, threshold not negative, found {self}")


@dataclass(frozen=True, eq=False)
class Settled:
    """A minimum with its certificate. `drop` is by how much the last round's pushes still lowered the energy.

    `is_settled` is the claim: the gradient is small, and `drop` is no more than was asked for.
    """

    found: StationaryPoint
    drop: float
    rounds: int
    is_settled: bool


def settle(energy: Energy, point: Array, options: Settling | None = None) -> Settled:
    """Quench, push off whatever negative curvature is left, and quench again, until nothing leads further down.

    A quench can end at a saddle that it approaches along an invariant plane: where two hidden units are equal, or one
    is idle. `point` is `(dimension,)`. The full Hessian is diagonalised once a round.
    """
    options = options or Settling()
    quench = minimise(energy, point[None], options.minimiser)
    here, height, converged = quench.points[0], float(quench.energies[0]), bool(quench.converged[0])
    drop, rounds = np.inf, 0
    while rounds < options.max_rounds:
        rounds += 1
        lower, below, reached = _pushed(energy, here, height, options)
        drop = height - below
        if drop <= options.drop:
            break
        here, height, converged = lower, below, reached
    (found,) = stationary_points(energy, here[None])
    found = certified(energy, found, options.threshold)
    return Settled(found, drop, rounds, converged and drop <= options.drop)


def _pushed(energy: Energy, point: Array, height: float, options: Settling) -> tuple[Array, float, bool]:
    """The lowest end of all pushes, its energy, and whether its quench converged; the point itself without any."""
    modes = _negative_modes(energy, point, options.threshold)
    if len(modes) == 0:
        return point, height, True
    starts = np.concatenate([point + options.push * modes, point - options.push * modes])
    ends = minimise(energy, starts, options.minimiser)
    best = int(np.argmin(ends.energies))
    return ends.points[best], float(ends.energies[best]), bool(ends.converged[best])


def _negative_modes(energy: Energy, point: Array, threshold: float) -> Array:
    """The Hessian's eigenvectors with eigenvalues below `-threshold`, `(modes, dimension)`, symmetry's left out."""
    rigid = energy.zero_modes(point[None])[0]
    values, vectors = np.linalg.eigh(hessian(energy, point) + rigid.T @ rigid)
    return np.ascontiguousarray(vectors[:, values < -threshold].T)

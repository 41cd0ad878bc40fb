"""ReLU networks on a smoothed loss: minima and transition states, followed as the smoothing shrinks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from reachbox.errors import InputError
from reachbox.landscape.condensed.condense import condense
from reachbox.landscape.condensed.condensed_search import Condensing, descend_condensed
from reachbox.landscape.descent.newton import Newton, newton_climb
from reachbox.landscape.energy import Array, Energy, PerceptronEnergy, ReLU, SmoothedReLU

WIDTH_RATIO = 0.7
NARROWEST = 1e-3
LEAST_OVERLAP = 0.9
LEAST_CURVATURE = 1e-7


@dataclass(frozen=True)
class Smoothing:
    """How to follow a minimum: the `widths` of the bend, from wide to narrow, and how to descend at each."""

    widths: tuple[float, ...] = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
    condensing: Condensing = field(default_factory=Condensing)

    def __post_init__(self) -> None:
        falling = all(later < earlier for earlier, later in pairwise(self.widths))
        if not (self.widths and falling and self.widths[-1] > 0):
            raise InputError(f"smoothing: positive widths from wide to narrow are needed, found {self.widths}")


@dataclass(frozen=True)
class Followed:
    """Minima followed down: `points` `(replicas, dimension)`; `energies`, `rms` and `widths` `(replicas,)`.

    Energy and RMS gradient are those of the loss at the width reached. All three are infinite for a replica that
    converged at no width, and its point is its start.
    """

    points: Array
    energies: Array
    rms: Array
    widths: Array


def smoothed(network: Energy, width: float) -> PerceptronEnergy:
    """The same loss with ReLU bent smoothly over `width`; raises `InputError` for another energy or activation."""
    if not isinstance(network, PerceptronEnergy) or not isinstance(network.activation, ReLU | SmoothedReLU):
        found = getattr(network, "activation", type(network).__name__)
        raise InputError(f"smoothing: a PerceptronEnergy with ReLU is needed, found {found}")
    return replace(network, activation=SmoothedReLU(width))


def follow_minima(
    network: Energy, starts: Array, options: Smoothing | None = None, widest: Array | None = None
) -> Followed:
    """Descend from each start at the widest bend, and follow each minimum as far down in width as it converges.

    `widest` `(replicas,)` is where each begins, by default the widest of all; another width leads to other minima.

    The low minima of a ReLU loss lie on kinks, where a quench of the loss itself stalls at a gradient that is not
    small. The bend turns a kink into a valley with a bottom. A width at which a replica does not converge is passed
    on the way to narrower ones.
    """
    options = options or Smoothing()
    result = Followed(starts.astype(np.float64), *(np.full(len(starts), np.inf) for _ in range(3)))
    for row, point in enumerate(starts):
        begin = np.inf if widest is None else widest[row]
        for width in (width for width in options.widths if width <= begin or width == options.widths[-1]):
            condensed, quench = descend_condensed(smoothed(network, width), point, options.condensing)
            point = condensed.lift(quench.points)[0]
            if quench.converged[0]:
                result.points[row], result.widths[row] = point, width
                share = condensed.energy.dimension / network.dimension  # the weights left out have no gradient
                result.energies[row], result.rms[row] = quench.energies[0], quench.rms[0] * np.sqrt(share)
    return result


def follow_state(network: Energy, point: Array, mode: Array, width: float, newton: Newton) -> float:
    """The narrowest bend down to which a transition state can be followed from `width`, by steps of a third.

    A step counts where Newton's method converges, the Hessian has exactly one negative eigenvalue, and the eigenvector
    overlaps by more than 0.9 with that of the step before: without the last a search slips to other states.
    """
    reached, point, mode = width, point[None], mode[None]
    while reached * WIDTH_RATIO >= NARROWEST:
        energy = smoothed(network, reached * WIDTH_RATIO)
        condensed = condense(energy, point[0], tolerance=0.0)
        before = condensed.restrict(mode)
        end = newton_climb(condensed.energy, condensed.point[None], before, newton)
        values, vectors = np.linalg.eigh(condensed.energy.hessian(end.points[0]))
        overlap = float(np.abs(before[0] @ vectors[:, 0])) / max(float(np.linalg.norm(mode)), np.finfo(float).tiny)
        is_strict = values[0] < -LEAST_CURVATURE and values[1] > LEAST_CURVATURE
        if not (end.converged[0] and is_strict and overlap > LEAST_OVERLAP):
            break
        reached, point, mode = reached * WIDTH_RATIO, condensed.lift(end.points), condensed.lift(vectors[:, :1].T)
    return reached

"""Minima of ReLU networks: found on a smoothed loss, and followed as the smoothing shrinks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from reachbox.errors import InputError
from reachbox.landscape.energy import Array, Energy, PerceptronEnergy, ReLU, SmoothedReLU
from reachbox.landscape.minimise import Minimiser, minimise


@dataclass(frozen=True)
class Smoothing:
    """How to follow a minimum: the `widths` of the bend, from wide to narrow, and the minimiser at each."""

    widths: tuple[float, ...] = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
    minimiser: Minimiser = field(default_factory=lambda: Minimiser(rms=1e-6, max_step=0.5, memory=20))

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


def follow_minima(network: Energy, starts: Array, options: Smoothing | None = None) -> Followed:
    """Minimise from each start at the widest bend, and follow each minimum as far down in width as it converges.

    The low minima of a ReLU loss lie on kinks, where a quench of the loss itself stalls at a gradient that is not
    small. The bend turns a kink into a valley with a bottom.
    """
    options = options or Smoothing()
    result = Followed(starts.astype(np.float64), *(np.full(len(starts), np.inf) for _ in range(3)))
    active = np.arange(len(starts))
    for width in options.widths:
        quench = minimise(smoothed(network, width), result.points[active], options.minimiser)
        active, kept = active[quench.converged], quench.rows(quench.converged)
        result.points[active], result.energies[active] = kept.points, kept.energies
        result.rms[active], result.widths[active] = kept.rms, width
    return result

"""Minima of ReLU networks: found on a smoothed loss, and followed as the smoothing shrinks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from reachbox.errors import InputError
from reachbox.landscape.condense import PARALLEL, Condensed, condense
from reachbox.landscape.energy import Array, Energy, PerceptronEnergy, ReLU, SmoothedReLU
from reachbox.landscape.minimise import Minimiser, Quench, minimise
from reachbox.landscape.newton import Newton, newton_descent

ROUNDS = 12


@dataclass(frozen=True)
class Smoothing:
    """How to follow a minimum: the `widths` of the bend, from wide to narrow, and how to descend at each.

    A descent takes turns: idle and parallel units are left out, `minimiser` goes as far as it gets, and where few
    variables are left, `newton_variables` at most, Newton's method does the rest. `parallel` is the angle in radians.
    """

    widths: tuple[float, ...] = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
    minimiser: Minimiser = field(default_factory=lambda: Minimiser(rms=1e-7, max_steps=600, max_step=0.5, memory=20))
    newton: Newton = field(default_factory=lambda: Newton(rms=1e-7, max_steps=100))
    newton_variables: int = 400
    parallel: float = PARALLEL

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
            condensed, quench = descend_condensed(smoothed(network, width), point, options)
            point = condensed.lift(quench.points)[0]
            if quench.converged[0]:
                result.points[row], result.widths[row] = point, width
                share = condensed.energy.dimension / network.dimension  # the weights left out have no gradient
                result.energies[row], result.rms[row] = quench.energies[0], quench.rms[0] * np.sqrt(share)
    return result


def descend_condensed(energy: PerceptronEnergy, point: Array, options: Smoothing) -> tuple[Condensed, Quench]:
    """Descend from `point` `(dimension,)` until no unit can be left out any more; the quench is of the smaller one."""
    smaller = condense(energy, point, options.parallel)
    for _ in range(ROUNDS):
        condensed = smaller
        quench = minimise(condensed.energy, condensed.point[None], options.minimiser)
        smaller = condense(energy, condensed.lift(quench.points)[0], options.parallel)
        stays = smaller.energy.dimension == condensed.energy.dimension
        if stays and not quench.converged[0] and condensed.energy.dimension <= options.newton_variables:
            quench = newton_descent(condensed.energy, quench.points, options.newton)
            smaller = condense(energy, condensed.lift(quench.points)[0], options.parallel)
            stays = smaller.energy.dimension == condensed.energy.dimension
        if stays and quench.converged[0]:
            break
    return condensed, quench

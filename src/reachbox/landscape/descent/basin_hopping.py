"""Basin hopping: a random walk from minimum to minimum that prefers low ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from reachbox.errors import InputError
from reachbox.landscape.descent.minimise import Minimiser, Quench, minimise
from reachbox.landscape.energy import Array, Energy, perturb

ADAPTATION = 1.1


@dataclass(frozen=True)
class Hopping:
    """Options of basin hopping (Wales & Doye 1997).

    A hop moves every variable by a Gaussian of `step` typical moves (for a network: of its layer's own scale) and
    minimises. It is accepted by Metropolis' rule at `temperature`, in the energy's units. After every
    `adaptation_interval` hops each walker's step grows or shrinks by a tenth, towards the rate `acceptance`.
    """

    step: float = 0.4
    temperature: float = 0.5
    acceptance: float = 0.5
    adaptation_interval: int = 10
    minimiser: Minimiser = field(default_factory=Minimiser)

    def __post_init__(self) -> None:
        positive = self.step > 0 and self.temperature >= 0 and self.adaptation_interval > 0
        if not (positive and 0 < self.acceptance < 1):
            raise InputError(f"basin hopping: a step > 0 and an acceptance between 0 and 1 are needed, found {self}")


def basin_hopping(
    energy: Energy, starts: Array, generator: np.random.Generator, options: Hopping | None = None
) -> Iterator[Quench]:
    """Walk from each start `(walkers, dimension)` without end; stop by leaving the loop.

    The first quench is that of the starts, every further one that of a hop of each walker, accepted or not: all are
    minima worth knowing. A hop whose quench does not converge is never accepted.
    """
    options = options or Hopping()
    here = minimise(energy, starts, options.minimiser)
    points, energies = here.points.copy(), np.where(here.converged, here.energies, np.inf)
    steps, accepted, hops = np.full(len(starts), options.step), np.zeros(len(starts)), 0
    yield here
    while True:
        quench = minimise(energy, perturb(energy, points, steps, generator), options.minimiser)
        rise = np.where(quench.converged, quench.energies, np.inf) - np.where(np.isfinite(energies), energies, 1e300)
        taken = _metropolis(rise, options.temperature, generator)
        points[taken], energies[taken] = quench.points[taken], quench.energies[taken]
        accepted += taken
        hops += 1
        if hops % options.adaptation_interval == 0:
            rate = accepted / options.adaptation_interval
            steps *= np.where(rate > options.acceptance, ADAPTATION, 1 / ADAPTATION)
            accepted[:] = 0
        yield quench


def _metropolis(rise: Array, temperature: float, generator: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Which rises of the energy are accepted: all that are none, others with probability `exp(-rise / temperature)`."""
    chance = generator.random(len(rise))
    if temperature == 0:
        return np.asarray(rise <= 0)
    return np.asarray(chance < np.exp(-np.maximum(rise, 0) / temperature))

"""What becomes of loosely converged "minima" of a ReLU loss when they are asked to converge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from reachbox.landscape import PerceptronEnergy, Searching, distinct_count, follow_minima, minimise
from reachbox.landscape.energy import Array

LEVELS = (1e-3, 1e-4, 1e-5)


@dataclass(frozen=True)
class Refined:
    """One level: how many of the points converge there, how many energies they have, and how far these fell.

    `distinct` counts the converged at 1e-5; `median_fall` is from the energy at the loosest level.
    """

    name: str
    converged: int
    distinct: int
    median_fall: float


def refine(network: PerceptronEnergy, points: Array) -> Iterator[Refined]:
    """Quench points `(count, dimension)` of a ReLU loss tighter and tighter, then along the smoothed loss.

    Each level starts from the points given. The last row is of the smoothed loss at its narrowest bend, where the
    kinks no longer stall the descent.
    """
    before = network.value_and_gradient(points)[0]
    for level in LEVELS:
        minimiser = replace(Searching.as_published(level).minimiser, rms=level)
        quench = minimise(network, points, minimiser)
        yield _row(f"plain, RMS {level:g}", quench.converged, quench.energies, before)
    followed = follow_minima(network, points)
    narrowest = np.asarray(followed.widths == followed.widths.min())
    yield _row(f"smoothed, bend {followed.widths.min():g}, RMS 1e-7", narrowest, followed.energies, before)


def _row(name: str, chosen: npt.NDArray[np.bool_], energies: Array, before: Array) -> Refined:
    fall = float(np.median(before[chosen] - energies[chosen])) if chosen.any() else 0.0
    return Refined(name, int(chosen.sum()), distinct_count(energies[chosen], 1e-5), fall)

"""A point of vanishing gradient, and when two of them are the same."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, replace

import numpy as np

from reachbox.errors import InputError
from reachbox.landscape.curvature import Inertia, certificate
from reachbox.landscape.descent.minimise import root_mean_square
from reachbox.landscape.energy import Array, Energy


@dataclass(frozen=True, eq=False)
class StationaryPoint:
    """A converged point with its evidence: energy, RMS gradient, and the Hessian's inertia where it was computed.

    `invariant` is what the energy's symmetric copies share, `kinks` how many kinks or bends of ReLU hold a sample.
    `width` is, on a smoothed loss, the narrowest bend down to which the point was followed. `error` estimates how far
    the energy is from that of the exact stationary point, and `soft` holds the Hessian's eigenvalues below 1e-5.
    """

    point: Array
    energy: float
    rms: float
    invariant: Array
    inertia: Inertia | None = None
    kinks: int = 0
    width: float | None = None
    error: float | None = None
    soft: Array | None = None

    def negative_at(self, threshold: float) -> int | None:
        """How many eigenvalues lie below `-threshold`; None where they were not computed."""
        return None if self.soft is None else int((self.soft < -threshold).sum())


def stationary_points(energy: Energy, points: Array) -> list[StationaryPoint]:
    """Energy, RMS gradient and invariant of each point `(replicas, dimension)`; the inertia is not computed."""
    values, gradients = energy.value_and_gradient(points)
    evidence = (values, root_mean_square(gradients), energy.invariant(points), energy.kinks(points))
    return [
        StationaryPoint(point, float(value), float(rms), invariant, kinks=int(kinks))
        for point, value, rms, invariant, kinks in zip(points, *evidence, strict=True)
    ]


def certified(energy: Energy, found: StationaryPoint, threshold: float) -> StationaryPoint:
    """The same point with its inertia, by all eigenvalues of the full Hessian, and its energy's error."""
    evidence = certificate(energy, found.point, threshold)
    return replace(found, inertia=evidence.inertia, error=evidence.error, soft=evidence.soft)


@dataclass(frozen=True)
class Tolerance:
    """Points are the same where energies differ by at most `energy` and no invariant by more than `invariant`."""

    energy: float = 1e-5
    invariant: float = 1e-3

    def __post_init__(self) -> None:
        if not (self.energy > 0 and self.invariant > 0):
            raise InputError(f"tolerance: both numbers must be positive, found {self}")


class Catalogue:
    """The distinct points seen so far, each known by a number; finds a known one by its energy in logarithmic time."""

    def __init__(self, tolerance: Tolerance) -> None:
        self.tolerance = tolerance
        self._entries: list[tuple[float, int, Array]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, point: StationaryPoint) -> int | None:
        """The number of the known point that is nearest in energy among those that are the same, if there is one."""
        low = bisect.bisect_left(self._entries, point.energy - self.tolerance.energy, key=lambda entry: entry[0])
        same = []
        for value, number, invariant in self._entries[low:]:
            if value > point.energy + self.tolerance.energy:
                break
            if np.all(np.abs(invariant - point.invariant) <= self.tolerance.invariant):
                same.append((abs(value - point.energy), number))
        return min(same)[1] if same else None

    def add(self, number: int, point: StationaryPoint) -> None:
        """Enter a point that is not known yet."""
        bisect.insort(self._entries, (point.energy, number, point.invariant), key=lambda entry: entry[0])


def distinct_count(energies: Array, tolerance: float) -> int:
    """How many groups the energies form, each no wider than `tolerance`."""
    return len(group_sizes(energies, tolerance))


def chao1(energies: Array, tolerance: float) -> float:
    """Chao's lower estimate of how many distinct energies exist, from every find of each (Chao 1984, bias-corrected).

    An estimate. It presumes that finds are independent, and counts on those found once and twice.
    """
    sizes = np.array(group_sizes(energies, tolerance))
    once, twice = int((sizes == 1).sum()), int((sizes == 2).sum())
    return len(sizes) + once * (once - 1) / (2 * (twice + 1))


def group_sizes(energies: Array, tolerance: float) -> list[int]:
    """How many energies each group holds, from the lowest group up; a group begins where the last one's width ends."""
    sizes: list[int] = []
    begin = -np.inf
    for energy in np.sort(energies):
        if energy - begin > tolerance:
            begin = energy
            sizes.append(0)
        sizes[-1] += 1
    return sizes

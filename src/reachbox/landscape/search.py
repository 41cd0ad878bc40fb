"""One job's searches, from starting points to certified minima and crossings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from reachbox.errors import InputError
from reachbox.landscape.energy import Array, Energy
from reachbox.landscape.minimise import Minimiser, Quench, minimise
from reachbox.landscape.paths import downhill_ends
from reachbox.landscape.settle import Settling, settle
from reachbox.landscape.smoothing import Smoothing, follow_minima
from reachbox.landscape.stationary_point import Catalogue, StationaryPoint, certified, stationary_points
from reachbox.landscape.transition_states import Climb, EigenvectorFollowing, climb


@dataclass(frozen=True, eq=False)
class Crossing:
    """A transition state and the minima at its two downhill ends, which can be one and the same."""

    state: StationaryPoint
    first: StationaryPoint
    second: StationaryPoint


@dataclass(frozen=True)
class Searching:
    """How to search: the minimiser, the climber, the push off a transition state, and what counts as flat.

    Eigenvalues within `threshold` of zero are flat; a point with such a direction, beyond the zero modes of the
    energy's symmetry, is not kept. Where not `strict`, every converged point is kept, and no inertia is computed:
    counts of such points say nothing about how many minima exist. With `smoothing`, for ReLU networks, quenches from
    random starts follow the width of the bend down to that of the energy. With `settling` a new minimum is pushed off
    its directions of negative curvature first, and kept if it settles, whatever its inertia.
    """

    minimiser: Minimiser = field(default_factory=lambda: Minimiser(rms=1e-7))
    following: EigenvectorFollowing = field(default_factory=EigenvectorFollowing)
    push: float = 0.05
    threshold: float = 1e-3
    strict: bool = True
    smoothing: Smoothing | None = None
    settling: Settling | None = None

    def __post_init__(self) -> None:
        if not (self.push > 0 and self.threshold >= 0):
            raise InputError(f"searching: push must be positive and threshold not negative, found {self}")

    @classmethod
    def for_networks(cls, rms: float = 1e-6) -> Searching:
        """The settings that suit the losses of neural networks with smooth activations."""
        minimiser = Minimiser(rms=rms, max_step=0.5, memory=20)
        return cls(minimiser, EigenvectorFollowing.for_networks(rms), push=0.1, threshold=1e-6)

    @classmethod
    def for_smoothed_relu(cls, width: float, rms: float = 1e-6) -> Searching:
        """Certified minima of a ReLU network, bent smoothly over `width`."""
        own = cls.for_networks(rms)
        widths = tuple(wider for wider in Smoothing().widths if wider > width)
        smoothing = Smoothing((*widths, width), own.minimiser)
        return replace(own, threshold=1e-7, smoothing=smoothing, settling=Settling(minimiser=own.minimiser))

    @classmethod
    def as_published(cls, rms: float = 1e-3) -> Searching:
        """What users of pele do on ReLU networks (paper, Sec. 4.1): one-sided gradients, a loose RMS, no inertia.

        The low minima of such a loss lie on kinks, where no gradient is small: what is found scatters around them, and
        a quench that has not converged after a thousand steps has stalled on one.
        """
        own = cls.for_networks(rms)
        return replace(own, minimiser=replace(own.minimiser, max_steps=1000), strict=False)


class Search:
    """The searches of one job. `minima`, `crossings` and `counts` grow with every call.

    The inertia of a point is computed once: not where the point is known already, and a copy takes that of the same
    point as first met.
    """

    def __init__(self, energy: Energy, options: Searching, minima: Catalogue, states: Catalogue) -> None:
        self.energy = energy
        self.options = options
        self.minima: list[StationaryPoint] = []
        self.crossings: list[Crossing] = []
        self.counts: Counter[str] = Counter()
        self._minima = _Certifier(energy, options, minima)
        self._states = _Certifier(energy, options, states)

    def quench(self, starts: Array) -> None:
        """Minimise each start."""
        if self.options.smoothing is not None:
            starts = follow_minima(self.energy, starts, self.options.smoothing).points
        self.keep(minimise(self.energy, starts, self.options.minimiser))

    def keep(self, quench: Quench) -> None:
        """Keep the minima of a quench that is done."""
        self.counts["searches"] += len(quench.points)
        self.counts["converged"] += int(quench.converged.sum())
        self.minima += [found for found in self._found_minima(quench) if found is not None]

    def climb(self, starts: Array, guesses: Array) -> None:
        """Climb from each start, and walk down both sides of every transition state that is reached."""
        end = climb(self.energy, starts, guesses, self.options.following)
        self.counts["searches"] += len(starts)
        self.counts["converged"] += int(end.converged.sum())
        states, rows = self._found_states(end)
        self.counts["transition_states"] += len(states)
        if not states:
            return
        descent = replace(self.options.minimiser, max_step=self.options.following.tangent.max_step)
        sides = downhill_ends(self.energy, end.points[rows], end.modes[rows], self.options.push, descent)
        pairs = zip(states, *map(self._found_minima, sides), strict=True)
        for state, first, second in pairs:
            self._connect(state, first, second)

    def _connect(self, state: StationaryPoint, first: StationaryPoint | None, second: StationaryPoint | None) -> None:
        """Keep a crossing whose ends are minima below it; of a failed one keep the end that is a minimum."""
        if first is not None and second is not None and max(first.energy, second.energy) < state.energy:
            self.crossings.append(Crossing(state, first, second))
            return
        self.counts["unconnected"] += 1
        self.minima += [found for found in (first, second) if found is not None]

    def _found_minima(self, quench: Quench) -> list[StationaryPoint | None]:
        found = stationary_points(self.energy, quench.points)
        pairs = zip(found, quench.converged, strict=True)
        return [self._checked_minimum(point) if converged else None for point, converged in pairs]

    def _checked_minimum(self, point: StationaryPoint) -> StationaryPoint | None:
        if self.options.settling is None or self._minima.is_known(point):
            checked = self._minima.check(point)
            return checked if self.options.settling is not None or _is_minimum(checked) else None
        settled = settle(self.energy, point.point, self.options.settling)
        self.counts["settled" if settled.is_settled else "unsettled"] += 1
        return self._minima.check(settled.found) if settled.is_settled else None

    def _found_states(self, end: Climb) -> tuple[list[StationaryPoint], npt.NDArray[np.intp]]:
        """The strict transition states, and the rows in which they stand."""
        rows = np.flatnonzero(end.converged)
        checked = [self._states.check(point) for point in stationary_points(self.energy, end.points[rows])]
        strict = [_is_transition_state(point) for point in checked]
        return [point for point, kept in zip(checked, strict, strict=True) if kept], rows[np.array(strict, dtype=bool)]


def _is_minimum(point: StationaryPoint) -> bool:
    return point.inertia is None or point.inertia.is_minimum


def _is_transition_state(point: StationaryPoint) -> bool:
    return point.inertia is None or point.inertia.is_transition_state


class _Certifier:
    """Gives a point its inertia unless the point is known, or inertia is not asked for."""

    def __init__(self, energy: Energy, options: Searching, known: Catalogue) -> None:
        self._energy, self._options, self._known = energy, options, known
        self._met = Catalogue(known.tolerance)
        self._certified: list[StationaryPoint] = []

    def is_known(self, point: StationaryPoint) -> bool:
        """Whether the point was known before or has been met since."""
        return self._known.find(point) is not None or self._met.find(point) is not None

    def check(self, point: StationaryPoint) -> StationaryPoint:
        """The point as it is where it is known, else with its inertia."""
        if not self._options.strict or self._known.find(point) is not None:
            return point
        number = self._met.find(point)
        if number is not None:
            return replace(point, inertia=self._certified[number].inertia)
        self._met.add(len(self._certified), point)
        known_inertia = point.inertia is not None
        self._certified.append(point if known_inertia else certified(self._energy, point, self._options.threshold))
        return self._certified[-1]

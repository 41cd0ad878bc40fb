"""One job's searches, from starting points to certified minima and crossings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from reachbox.errors import InputError
from reachbox.landscape.condensed.condense import condense, is_condensable
from reachbox.landscape.condensed.condensed_search import (
    Condensing,
    climb_condensed,
    condensed_descents,
    condensed_ends,
)
from reachbox.landscape.condensed.smoothing import Smoothing, follow_minima, follow_state
from reachbox.landscape.curvature import lowest_modes
from reachbox.landscape.descent.minimise import Minimiser, Quench, Status, minimise
from reachbox.landscape.descent.newton import Newton
from reachbox.landscape.energy import Array, Energy, PerceptronEnergy
from reachbox.landscape.paths import downhill_ends
from reachbox.landscape.settle import Settled, Settling, settle
from reachbox.landscape.stationary_point import Catalogue, StationaryPoint, certified, stationary_points
from reachbox.landscape.storage.stored import Crossing
from reachbox.landscape.transition_states import Climb, EigenvectorFollowing, climb

WORTH_CONDENSING = 100
"""Weights: a smaller network is searched whole, many replicas at once, unless its kinks are smoothed."""
SADDLES_IN_A_ROW, MODE_ITERATIONS, MODE_TOLERANCE = 5, 200, 1e-2


@dataclass(frozen=True)
class Searching:
    """How to search: the minimiser, the climber, the push off a transition state, and what counts as flat.

    Eigenvalues within `threshold` of zero are flat; a point with such a direction, beyond the zero modes of the
    energy's symmetry, is not kept. Where not `strict`, every converged point is kept, and no inertia is computed:
    counts of such points say nothing about how many minima exist. With `condensing` perceptrons are searched in the
    space of the units that matter, small smooth ones excepted. With `smoothing`, for ReLU networks, quenches from
    random starts follow the width of the bend down to that of the energy. With `settling` a new minimum is pushed off
    its directions of negative curvature first, and kept if it settles, whatever its inertia.
    """

    minimiser: Minimiser = field(default_factory=lambda: Minimiser(rms=1e-7))
    following: EigenvectorFollowing = field(default_factory=EigenvectorFollowing)
    push: float = 0.05
    threshold: float = 1e-3
    strict: bool = True
    condensing: Condensing | None = None
    smoothing: Smoothing | None = None
    settling: Settling | None = None

    def __post_init__(self) -> None:
        if not (self.push > 0 and self.threshold >= 0):
            raise InputError(f"searching: push must be positive and threshold not negative, found {self}")

    @classmethod
    def for_networks(cls, rms: float = 1e-6) -> Searching:
        """The settings that suit the losses of neural networks with smooth activations.

        Minima are quenched ten times tighter than `rms`, to which transition states converge.
        """
        minimiser = Minimiser(rms=rms, max_step=0.5, memory=20)
        descent = replace(Condensing().minimiser, rms=rms / 10)
        condensing = Condensing(descent, Newton(rms=rms / 10, max_steps=100))
        following = EigenvectorFollowing.for_networks(rms)
        return cls(minimiser, following, push=0.1, threshold=1e-6, condensing=condensing)

    @classmethod
    def for_smoothed_relu(cls, width: float, rms: float = 1e-7) -> Searching:
        """Certified minima and transition states of a ReLU network, bent smoothly over `width`."""
        own = cls.for_networks(rms)
        widths = tuple(wider for wider in Smoothing().widths if wider > width)
        assert own.condensing is not None
        smoothing = Smoothing((*widths, width), own.condensing)
        settling = Settling(minimiser=own.minimiser)
        return replace(own, threshold=1e-7, smoothing=smoothing, settling=settling)

    @classmethod
    def as_published(cls, rms: float = 1e-3) -> Searching:
        """What users of pele do on ReLU networks (paper, Sec. 4.1): one-sided gradients, a loose RMS, no inertia.

        The low minima of such a loss lie on kinks, where no gradient is small: what is found scatters around them, and
        a quench that has not converged after a thousand steps has stalled on one.
        """
        own = cls.for_networks(rms)
        return replace(own, minimiser=replace(own.minimiser, max_steps=1000), strict=False, condensing=None)


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
        worth = options.smoothing is not None or energy.dimension > WORTH_CONDENSING
        self._condensing = options.condensing if worth and is_condensable(energy) else None
        self._minima = _Certifier(energy, options, minima)
        self._states = _Certifier(energy, options, states)

    def quench(self, starts: Array, widest: Array | None = None) -> None:
        """Minimise each start; on a smoothed loss from the bend `widest` `(replicas,)` of each down to its own."""
        if self.options.smoothing is None:
            self.keep(self._descended(starts))
            return
        followed = follow_minima(self.energy, starts, self.options.smoothing, widest)
        reached = followed.widths == self.options.smoothing.widths[-1]
        status = np.where(reached, Status.CONVERGED, Status.STALLED)
        self.keep(Quench(followed.points, followed.energies, followed.rms, status, np.zeros(len(starts), np.int64)))

    def keep(self, quench: Quench) -> None:
        """Keep the minima of a quench that is done."""
        self.counts["searches"] += len(quench.points)
        self.counts["converged"] += int(quench.converged.sum())
        self.minima += [found for found in self._found_minima(quench) if found is not None]

    def climb(self, starts: Array, guesses: Array) -> None:
        """Climb from each start, and walk down both sides of every new transition state that is reached."""
        end = self._climbed(starts, guesses)
        self.counts["searches"] += len(starts)
        self.counts["converged"] += int(end.converged.sum())
        states, rows = self._new_states(end)
        if not states:
            return
        sides = [self._off_saddles(side) for side in self._ends(end.points[rows], end.modes[rows])]
        pairs = zip(states, end.modes[rows], *map(self._found_minima, sides), strict=True)
        for state, mode, first, second in pairs:
            self._connect(state, mode, first, second)

    def _descended(self, starts: Array) -> Quench:
        if self._condensing is None:
            return minimise(self.energy, starts, self.options.minimiser)
        return condensed_descents(self._network, starts, self._condensing)

    def _climbed(self, starts: Array, guesses: Array) -> Climb:
        if self._condensing is None:
            return climb(self.energy, starts, guesses, self.options.following)
        newton = replace(self._condensing.newton, rms=self.options.minimiser.rms)
        return climb_condensed(self._network, starts, guesses, self.options.following, newton)

    def _ends(self, states: Array, modes: Array) -> tuple[Quench, Quench]:
        """Both downhill ends of each state."""
        longest = self.options.following.tangent.max_step
        if self._condensing is None:
            descent = replace(self.options.minimiser, max_step=longest)
            return downhill_ends(self.energy, states, modes, self.options.push, descent)
        return condensed_ends(self._network, states, modes, self.options.push, self._condensing, longest)

    def _off_saddles(self, ends: Quench) -> Quench:
        """The ends of paths; one that keeps a symmetry can end at a saddle, and goes on from there downhill.

        Not in a large network: there another state is found in less time. Where minima settle, ends do too.
        """
        if self._condensing is not None or self.options.settling is not None:
            return ends
        for _ in range(SADDLES_IN_A_ROW):
            found = stationary_points(self.energy, ends.points)
            pairs = zip(found, ends.converged, strict=True)
            rows = np.array([converged and self._is_saddle(point) for point, converged in pairs], dtype=np.bool_)
            if not rows.any():
                break
            guesses = np.random.default_rng(0).standard_normal((int(rows.sum()), self.energy.dimension))
            modes = lowest_modes(self.energy, ends.points[rows], guesses, MODE_ITERATIONS, MODE_TOLERANCE)
            ends = ends.with_rows(rows, self._ends(ends.points[rows], modes.vectors)[0])
        return ends

    def _is_saddle(self, point: StationaryPoint) -> bool:
        if self._minima.is_known_before(point):
            return False
        inertia = self._minima.check(point).inertia
        return inertia is not None and inertia.negative > 0

    @property
    def _network(self) -> PerceptronEnergy:
        assert isinstance(self.energy, PerceptronEnergy)
        return self.energy

    def _connect(
        self, state: StationaryPoint, mode: Array, first: StationaryPoint | None, second: StationaryPoint | None
    ) -> None:
        """Keep a crossing whose ends are minima below it; of a failed one keep the end that is a minimum."""
        if first is not None and second is not None and _barrier(state, first, second) > 0:
            self.crossings.append(Crossing(self._followed(state, mode), first, second))
            return
        self.counts["unconnected"] += 1
        self.minima += [found for found in (first, second) if found is not None]

    def _followed(self, state: StationaryPoint, mode: Array) -> StationaryPoint:
        """A state of a smoothed loss with the width down to which it survives."""
        smoothing = self.options.smoothing
        if smoothing is None:
            return state
        reached = follow_state(self.energy, state.point, mode, smoothing.widths[-1], smoothing.condensing.newton)
        return replace(state, width=reached)

    def _found_minima(self, quench: Quench) -> list[StationaryPoint | None]:
        found = stationary_points(self.energy, quench.points)
        if self.options.smoothing is not None:
            found = [replace(point, width=self.options.smoothing.widths[-1]) for point in found]
        pairs = zip(found, quench.converged, strict=True)
        return [self._checked_minimum(point) if converged else None for point, converged in pairs]

    def _checked_minimum(self, point: StationaryPoint) -> StationaryPoint | None:
        if self.options.settling is None or self._minima.is_known(point):
            checked = self._minima.check(point)
            return checked if self.options.settling is not None or _is_minimum(checked) else None
        settled = self._settled(point.point, self.options.settling)
        self.counts["settled" if settled.is_settled else "unsettled"] += 1
        return self._minima.check(replace(settled.found, width=point.width)) if settled.is_settled else None

    def _settled(self, point: Array, options: Settling) -> Settled:
        """`settle` in the space of the units that are not idle: the others have no direction of negative curvature."""
        if self.options.smoothing is None:
            return settle(self.energy, point, options)
        condensed = condense(self._network, point, tolerance=0.0)
        settled = settle(condensed.energy, condensed.point, options)
        (lifted,) = stationary_points(self.energy, condensed.lift(settled.found.point[None]))
        return replace(settled, found=lifted)

    def _new_states(self, end: Climb) -> tuple[list[StationaryPoint], npt.NDArray[np.intp]]:
        """The strict transition states not met before, and the rows in which they stand."""
        states: list[StationaryPoint] = []
        rows: list[int] = []
        found = stationary_points(self.energy, end.points[end.converged])
        for row, point in zip(np.flatnonzero(end.converged).tolist(), found, strict=True):
            is_known = self._states.is_known(point)
            checked = self._states.check(point)
            if not _is_transition_state(checked):
                continue
            self.counts["transition_states"] += 1
            if not is_known:
                states.append(checked)
                rows.append(row)
        return states, np.array(rows, dtype=np.intp)


def _barrier(state: StationaryPoint, first: StationaryPoint, second: StationaryPoint) -> float:
    """How far the state lies above the higher of its ends, less what their energies may be off, where that is known."""
    higher = max(first, second, key=lambda end: end.energy)
    return state.energy - higher.energy - (state.error or 0.0) - (higher.error or 0.0)


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

    def is_known_before(self, point: StationaryPoint) -> bool:
        """Whether the point was known when the job began."""
        return self._known.find(point) is not None

    def is_known(self, point: StationaryPoint) -> bool:
        """Whether the point was known before or has been met since."""
        return self.is_known_before(point) or self._met.find(point) is not None

    def check(self, point: StationaryPoint) -> StationaryPoint:
        """The point as it is where it is known, else with its inertia."""
        if not self._options.strict or self._known.find(point) is not None:
            return point
        number = self._met.find(point)
        if number is not None:
            met = self._certified[number]
            return replace(point, inertia=met.inertia, error=met.error, soft=met.soft)
        self._met.add(len(self._certified), point)
        known_inertia = point.inertia is not None
        self._certified.append(point if known_inertia else certified(self._energy, point, self._options.threshold))
        return self._certified[-1]

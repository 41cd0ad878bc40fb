"""Descents and climbs in the space of the units that matter: a tenth of the weights, the same stationary points."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from reachbox.landscape.condensed.condense import PARALLEL, Condensed, condense
from reachbox.landscape.descent.minimise import Minimiser, Quench, minimise
from reachbox.landscape.descent.newton import Newton, newton_climb, newton_descent
from reachbox.landscape.energy import Array, Energy, PerceptronEnergy
from reachbox.landscape.transition_states import Climb, EigenvectorFollowing, climb

ROUNDS = 12
NEAR = 1e-5


@dataclass(frozen=True)
class Condensing:
    """How to descend with fewer and fewer units: `condense` within `tolerance`, and a search take turns.

    `minimiser` goes as far as it gets, and where few variables are left, `newton_variables` at most, Newton's method
    does the rest.
    """

    minimiser: Minimiser = field(default_factory=lambda: Minimiser(rms=1e-7, max_steps=600, max_step=0.5, memory=20))
    newton: Newton = field(default_factory=lambda: Newton(rms=1e-7, max_steps=100))
    newton_variables: int = 400
    tolerance: float = PARALLEL


def condensed_descents(energy: PerceptronEnergy, starts: Array, options: Condensing) -> Quench:
    """Descend from each start `(replicas, dimension)`; the points are of the whole network."""
    ends = [descend_condensed(energy, start, options) for start in starts]
    return _stacked([_whole(condensed, quench) for condensed, quench in ends], energy)


def descend_condensed(energy: PerceptronEnergy, point: Array, options: Condensing) -> tuple[Condensed, Quench]:
    """Descend from `point` `(dimension,)` until no unit can be left out any more; the quench is of the smaller one."""
    smaller = condense(energy, point, options.tolerance)
    for _ in range(ROUNDS):
        condensed = smaller
        quench = minimise(condensed.energy, condensed.point[None], options.minimiser)
        smaller = condense(energy, condensed.lift(quench.points)[0], options.tolerance)
        stays = smaller.energy.dimension == condensed.energy.dimension
        if stays and not quench.converged[0] and condensed.energy.dimension <= options.newton_variables:
            quench = newton_descent(condensed.energy, quench.points, options.newton)
            smaller = condense(energy, condensed.lift(quench.points)[0], options.tolerance)
            stays = smaller.energy.dimension == condensed.energy.dimension
        if stays and quench.converged[0]:
            break
    return condensed, quench


def climb_condensed(
    energy: PerceptronEnergy, starts: Array, guesses: Array, options: EigenvectorFollowing, newton: Newton
) -> Climb:
    """`climb` from each start in the space of the units that matter there; Newton's method ends what comes near.

    Points and modes are of the whole network.
    """
    return _joined([_climbed(energy, *row, options, newton) for row in zip(starts, guesses, strict=True)], energy)


def _climbed(
    energy: PerceptronEnergy, start: Array, guess: Array, options: EigenvectorFollowing, newton: Newton
) -> Climb:
    condensed = condense(energy, start, tolerance=0.0)
    near = replace(options, rms=max(options.rms, NEAR))
    end = climb(condensed.energy, condensed.point[None], condensed.restrict(guess[None]), near)
    if end.converged[0]:
        last = newton_climb(condensed.energy, end.points, end.modes, newton)
        if last.converged[0]:
            end = replace(end, points=last.points, energies=last.energies, rms=last.rms, status=last.status)
        elif near.rms > options.rms:
            end = climb(condensed.energy, end.points, end.modes, options)
    return replace(end, points=condensed.lift(end.points), modes=condensed.lift(end.modes))


def _joined(parts: list[Climb], energy: Energy) -> Climb:
    if not parts:
        none = np.zeros(0)
        rows = np.zeros((0, energy.dimension))
        return Climb(rows, none, none, rows, none, np.zeros(0, dtype=np.int64))
    return Climb(*(np.concatenate(columns) for columns in zip(*(vars(part).values() for part in parts), strict=True)))


def condensed_ends(
    energy: PerceptronEnergy, states: Array, modes: Array, push: float, options: Condensing, longest: float
) -> tuple[Quench, Quench]:
    """Both downhill ends of each state, by steps of at most `longest`; what is left out has to be idle or equal."""
    careful = replace(options, minimiser=replace(options.minimiser, max_step=longest, max_steps=2000), tolerance=1e-6)
    first, second = (condensed_descents(energy, states + sign * push * modes, careful) for sign in (1, -1))
    return first, second


def _whole(condensed: Condensed, quench: Quench) -> Quench:
    """The same in the whole network, which has the same gradient in more variables."""
    share = condensed.energy.dimension / condensed.whole.dimension
    return replace(quench, points=condensed.lift(quench.points), rms=quench.rms * np.sqrt(share))


def _stacked(quenches: list[Quench], energy: Energy) -> Quench:
    if not quenches:
        none, counts = np.zeros(0), np.zeros(0, dtype=np.int64)
        return Quench(np.zeros((0, energy.dimension)), none, none, counts, counts)
    return Quench(*(np.concatenate(columns) for columns in zip(*(vars(q).values() for q in quenches), strict=True)))

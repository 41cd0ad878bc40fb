"""Transition states of smoothed ReLU networks: climbed to without the units that do nothing, and followed in width."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reachbox.landscape.condense import condense
from reachbox.landscape.energy import Array, Energy, PerceptronEnergy
from reachbox.landscape.minimise import Quench
from reachbox.landscape.newton import Newton, newton_climb
from reachbox.landscape.smoothing import Smoothing, descend_condensed, smoothed
from reachbox.landscape.transition_states import Climb, EigenvectorFollowing, climb

WIDTH_RATIO = 0.7
NARROWEST = 1e-3
LEAST_OVERLAP = 0.9
LEAST_CURVATURE = 1e-7


def climb_condensed(
    energy: PerceptronEnergy, starts: Array, guesses: Array, options: EigenvectorFollowing, newton: Newton
) -> Climb:
    """`climb` from each start in the space of the units that are not idle there; Newton's method ends what comes near.

    Points and modes are of the whole network, where they have the same index.
    """
    return _joined([_climbed(energy, *row, options, newton) for row in zip(starts, guesses, strict=True)], energy)


def _climbed(
    energy: PerceptronEnergy, start: Array, guess: Array, options: EigenvectorFollowing, newton: Newton
) -> Climb:
    condensed = condense(energy, start, parallel=0.0)
    end = climb(condensed.energy, condensed.point[None], condensed.restrict(guess[None]), options)
    if end.converged[0]:
        last = newton_climb(condensed.energy, end.points, end.modes, newton)
        end = replace(end, points=last.points, energies=last.energies, rms=last.rms, status=last.status)
    return replace(end, points=condensed.lift(end.points), modes=condensed.lift(end.modes))


def _joined(parts: list[Climb], energy: Energy) -> Climb:
    if not parts:
        none = np.zeros(0)
        rows = np.zeros((0, energy.dimension))
        return Climb(rows, none, none, rows, none, np.zeros(0, dtype=np.int64))
    return Climb(*(np.concatenate(columns) for columns in zip(*(vars(part).values() for part in parts), strict=True)))


def condensed_ends(
    energy: PerceptronEnergy, states: Array, modes: Array, push: float, options: Smoothing, longest: float
) -> tuple[Quench, Quench]:
    """Both downhill ends of each state at the energy's own width, by steps of at most `longest`."""
    careful = replace(options, minimiser=replace(options.minimiser, max_step=longest, max_steps=2000), parallel=1e-6)
    sides = [
        [_end(energy, state + sign * push * mode, careful) for state, mode in zip(states, modes, strict=True)]
        for sign in (1, -1)
    ]
    first, second = (_stacked(side) for side in sides)
    return first, second


def _end(energy: PerceptronEnergy, start: Array, options: Smoothing) -> Quench:
    condensed, quench = descend_condensed(energy, start, options)
    return replace(quench, points=condensed.lift(quench.points))


def _stacked(quenches: list[Quench]) -> Quench:
    return Quench(*(np.concatenate(columns) for columns in zip(*(vars(q).values() for q in quenches), strict=True)))


def follow_state(network: Energy, point: Array, mode: Array, width: float, newton: Newton) -> float:
    """The narrowest bend down to which a transition state can be followed from `width`, by steps of a third.

    A step counts where Newton's method converges, the Hessian has exactly one negative eigenvalue, and the eigenvector
    overlaps by more than 0.9 with that of the step before: without the last a search slips to other states.
    """
    reached, point, mode = width, point[None], mode[None]
    while reached * WIDTH_RATIO >= NARROWEST:
        energy = smoothed(network, reached * WIDTH_RATIO)
        condensed = condense(energy, point[0], parallel=0.0)
        before = condensed.restrict(mode)
        end = newton_climb(condensed.energy, condensed.point[None], before, newton)
        values, vectors = np.linalg.eigh(condensed.energy.hessian(end.points[0]))
        overlap = float(np.abs(before[0] @ vectors[:, 0])) / max(float(np.linalg.norm(mode)), np.finfo(float).tiny)
        is_strict = values[0] < -LEAST_CURVATURE and values[1] > LEAST_CURVATURE
        if not (end.converged[0] and is_strict and overlap > LEAST_OVERLAP):
            break
        reached, point, mode = reached * WIDTH_RATIO, condensed.lift(end.points), condensed.lift(vectors[:, :1].T)
    return reached

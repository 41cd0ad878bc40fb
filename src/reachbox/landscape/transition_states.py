"""Transition states: where the gradient vanishes and exactly one direction leads down."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from reachbox.errors import InputError
from reachbox.landscape.curvature import inertia, lowest_modes
from reachbox.landscape.descent.minimise import Minimiser, Objective, Status, descend, root_mean_square
from reachbox.landscape.energy import Array, Energy

Rows: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True)
class EigenvectorFollowing:
    """Options of hybrid eigenvector following (Munro & Wales 1999; Kumeda, Munro & Wales 2001).

    A round finds the lowest eigenmode (LOBPCG, `first_mode_iterations` in the first round, `mode_iterations` later),
    steps uphill along it by at most `uphill_step`, and minimises in the space orthogonal to it: `steps_above` L-BFGS
    steps where the mode's eigenvalue is positive, `steps_below` where it is negative. Converged means an RMS gradient
    of at most `rms` and a negative eigenvalue. The defaults suit clusters; `for_networks` gives those of neural
    networks, where the settings decide whether a search succeeds at all. A replica whose
    eigenvalue was positive for `max_rounds_above` rounds climbs out of the landscape, and is given up as stalled.
    """

    rms: float = 1e-7
    max_rounds: int = 50
    max_rounds_above: int = 25
    uphill_step: float = 0.4
    first_mode_iterations: int = 60
    mode_iterations: int = 12
    mode_tolerance: float = 1e-2
    steps_above: int = 8
    steps_below: int = 30
    tangent: Minimiser = field(default_factory=lambda: Minimiser(max_step=0.15, memory=8, max_rise=1e-6))

    def __post_init__(self) -> None:
        if not (self.rms > 0 and self.uphill_step > 0 and self.mode_tolerance > 0 and self.max_rounds > 0):
            raise InputError(f"eigenvector following: rms, steps, rounds and tolerance must be positive, found {self}")

    @classmethod
    def for_networks(cls, rms: float = 1e-6) -> EigenvectorFollowing:
        """Small steps, long tangent descents and a strict energy check."""
        tangent = Minimiser(max_step=0.1, memory=20, max_rise=1e-6)
        return cls(
            rms=rms,
            max_rounds=200,
            uphill_step=0.3,
            mode_iterations=15,
            steps_above=30,
            steps_below=150,
            tangent=tangent,
        )


@dataclass(frozen=True)
class Climb:
    """Where each replica's climb ended: `points`, `modes` `(replicas, dimension)`; all else `(replicas,)`.

    `modes` is the lowest eigenvector with its `eigenvalues`. A converged replica still has to pass
    `is_transition_state`: the lowest mode alone does not show that there is no second one.
    """

    points: Array
    energies: Array
    rms: Array
    modes: Array
    eigenvalues: Array
    status: npt.NDArray[np.int64]

    @property
    def converged(self) -> npt.NDArray[np.bool_]:
        """Which replicas reached a small gradient with a negative lowest eigenvalue."""
        return np.asarray(self.status == Status.CONVERGED)


def climb(energy: Energy, starts: Array, guesses: Array, options: EigenvectorFollowing | None = None) -> Climb:
    """Follow the lowest eigenmode uphill from each start `(replicas, dimension)` to a transition state.

    `guesses` is where the search for the mode begins, one for each start: random directions, or the tangent of a path.
    """
    if starts.ndim != 2 or starts.shape[1] != energy.dimension or guesses.shape != starts.shape:
        raise InputError(f"climb: starts of shape (replicas, {energy.dimension}) are needed, found {starts.shape}")
    options = options or EigenvectorFollowing()
    count = len(starts)
    modes = lowest_modes(energy, starts, guesses, options.first_mode_iterations, options.mode_tolerance)
    result = Climb(
        starts.astype(np.float64),
        np.full(count, np.nan),
        np.full(count, np.inf),
        modes.vectors,
        modes.values,
        np.full(count, Status.OUT_OF_STEPS, dtype=np.int64),
    )
    active = np.arange(count)
    rounds_above = np.zeros(count, dtype=np.int64)
    for _ in range(options.max_rounds):
        active = _round(energy, result, active, options)
        rounds_above[active] += result.eigenvalues[active] > 0
        lost = rounds_above[active] > options.max_rounds_above
        result.status[active[lost]] = Status.STALLED
        active = active[~lost]
        if len(active) == 0:
            break
    return result


def is_transition_state(energy: Energy, point: Array, threshold: float = 1e-7) -> bool:
    """Whether the Hessian at `point` has one eigenvalue below `-threshold` and, zero modes of symmetry left out, all
    others above `threshold`. The gradient is not looked at."""
    return inertia(energy, point, threshold).is_transition_state


def _round(energy: Energy, result: Climb, active: Rows, options: EigenvectorFollowing) -> Rows:
    """Uphill step, tangent descent and new mode for the active replicas, in place; returns those that go on."""
    _, gradients = energy.value_and_gradient(result.points[active])
    modes, eigenvalues = result.modes[active], result.eigenvalues[active]
    raised = result.points[active] + uphill_step(gradients, modes, eigenvalues, options.uphill_step)
    limits = np.where(eigenvalues < 0, options.steps_below, options.steps_above)
    tangent = replace(options.tangent, rms=options.rms / 2)
    lowered = descend(_tangent_objective(energy, modes), raised, tangent, limits)
    energies, gradients = energy.value_and_gradient(lowered.points)
    found = lowest_modes(energy, lowered.points, modes, options.mode_iterations, options.mode_tolerance)
    result.points[active], result.energies[active] = lowered.points, energies
    result.rms[active] = root_mean_square(gradients)
    result.modes[active], result.eigenvalues[active] = found.vectors, found.values
    done = (result.rms[active] <= options.rms) & (found.values < 0)
    result.status[active[done]] = Status.CONVERGED
    return active[~done]


def uphill_step(gradients: Array, modes: Array, eigenvalues: Array, longest: float) -> Array:
    """The eigenvector-following step up along each mode, at most `longest` (Wales 1994).

    Along a mode of negative eigenvalue it is Newton's step wherever the gradient along the mode is small. Along one of
    positive eigenvalue it is at least a quarter of `longest`, or a search near a minimum would never leave it.
    """
    slopes = (gradients * modes).sum(axis=1)
    bends = np.maximum(np.abs(eigenvalues), np.finfo(float).tiny)
    lengths = 2 * np.abs(slopes) / (bends * (1 + np.sqrt(1 + 4 * (slopes / bends) ** 2)))
    least = np.where(eigenvalues > 0, longest / 4, 0.0)
    return np.asarray((np.where(slopes < 0, -1, 1) * np.clip(lengths, least, longest))[:, None] * modes)


def _tangent_objective(energy: Energy, modes: Array) -> Objective:
    """The energy restricted to the space orthogonal to each replica's mode."""

    def objective(points: Array, rows: npt.NDArray[np.intp]) -> tuple[Array, Array]:
        values, gradients = energy.value_and_gradient(points)
        mode = modes[rows]
        return values, gradients - (gradients * mode).sum(axis=1, keepdims=True) * mode

    return objective

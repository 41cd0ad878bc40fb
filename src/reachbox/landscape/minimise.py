"""Local minimisation: L-BFGS as used for energy landscapes, for many replicas at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt

from reachbox.errors import InputError
from reachbox.landscape.energy import Array, Energy

Objective: TypeAlias = Callable[[Array, npt.NDArray[np.intp]], tuple[Array, Array]]
"""Values and gradients at points `(rows, dimension)`; the second argument tells which replica each row belongs to."""

REJECTIONS_BEFORE_RESTART = 10
SHRINKAGE = 0.1


class Status(IntEnum):
    """How a search ended."""

    CONVERGED = 0
    OUT_OF_STEPS = 1
    STALLED = 2


@dataclass(frozen=True)
class Minimiser:
    """Options of L-BFGS with a step limit and a check that the energy does not rise (Wales, GMIN and OPTIM).

    Converged means that the root mean square of the gradient is at most `rms`. A step is never longer than `max_step`;
    one that raises the energy by more than `max_rise` is shortened tenfold, and after ten such tries the memory of
    `memory` steps is dropped. Where even steepest descent cannot go down, the replica has stalled.
    """

    rms: float = 1e-6
    max_steps: int = 10_000
    max_step: float = 0.3
    memory: int = 8
    max_rise: float = 1e-10

    def __post_init__(self) -> None:
        allowed = self.rms > 0 and self.max_steps >= 0 and self.max_step > 0 and self.memory > 0 and self.max_rise >= 0
        if not allowed:
            raise InputError(f"minimiser: rms, max_step, memory must be positive, the rest not negative: {self}")


@dataclass(frozen=True)
class Quench:
    """Where each replica's descent ended: `points` `(replicas, dimension)`; all else `(replicas,)`."""

    points: Array
    energies: Array
    rms: Array
    status: npt.NDArray[np.int64]
    evaluations: npt.NDArray[np.int64]

    @property
    def converged(self) -> npt.NDArray[np.bool_]:
        """Which replicas reached the wanted RMS gradient."""
        return np.asarray(self.status == Status.CONVERGED)

    def rows(self, chosen: npt.NDArray[np.bool_]) -> Quench:
        """The chosen replicas alone."""
        return Quench(*(value[chosen] for value in vars(self).values()))


def minimise(energy: Energy, starts: Array, options: Minimiser | None = None) -> Quench:
    """Walk down from each start `(replicas, dimension)` to a point of small gradient.

    A status other than `CONVERGED` is a result, not an error: the point is the lowest that was reached.
    """
    if starts.ndim != 2 or starts.shape[1] != energy.dimension:
        raise InputError(f"minimise: starts of shape (replicas, {energy.dimension}) are needed, found {starts.shape}")
    return descend(lambda points, _: energy.value_and_gradient(points), starts, options or Minimiser())


def root_mean_square(gradients: Array) -> Array:
    """The root mean square of each row."""
    return np.asarray(np.sqrt(np.square(gradients).mean(axis=1)))


def descend(
    objective: Objective, starts: Array, options: Minimiser, max_steps: npt.NDArray[np.int64] | None = None
) -> Quench:
    """`minimise` for any objective; `max_steps` `(replicas,)` overrides the options' number for each replica."""
    limits = np.full(len(starts), options.max_steps) if max_steps is None else max_steps
    walk = _Walk.begin(objective, starts.astype(np.float64), options.memory)
    finished = [walk.rows(np.zeros(len(starts), dtype=bool))]
    while len(walk.replica):
        walk.status[walk.rms <= options.rms] = Status.CONVERGED
        done = (walk.status != _WALKING) | (walk.evaluations > limits[walk.replica])
        if done.any():
            finished.append(walk.rows(done))
            walk = walk.rows(~done)
            continue
        _advance(walk, objective, options)
    return _gathered(finished)


_WALKING = -1


@dataclass
class _Walk:
    """The replicas that still move, one a row of every array."""

    replica: npt.NDArray[np.intp]
    points: Array
    energies: Array
    gradients: Array
    steps: Array
    changes: Array
    curvatures: Array
    shrink: Array
    rejections: npt.NDArray[np.int64]
    status: npt.NDArray[np.int64]
    evaluations: npt.NDArray[np.int64]
    rms: Array = field(init=False)

    def __post_init__(self) -> None:
        self.rms = root_mean_square(self.gradients)

    @classmethod
    def begin(cls, objective: Objective, starts: Array, memory: int) -> _Walk:
        count, dimension = starts.shape
        replica = np.arange(count)
        energies, gradients = objective(starts, replica)
        history = np.zeros((2, count, memory, dimension))
        counters = np.zeros((3, count), dtype=np.int64)
        counters[1], counters[2] = _WALKING, 1
        state = (history[0], history[1], np.zeros((count, memory)), np.ones(count))
        return cls(replica, starts, energies, gradients, *state, counters[0], counters[1], counters[2])

    def rows(self, chosen: npt.NDArray[np.bool_]) -> _Walk:
        values = [value[chosen] for name, value in vars(self).items() if name != "rms"]
        return _Walk(*values)


def _advance(walk: _Walk, objective: Objective, options: Minimiser) -> None:
    """One evaluation for each replica: its step is taken, or shortened for the next try."""
    step = _limited(_quasi_newton_step(walk), options.max_step) * walk.shrink[:, None]
    trial = walk.points + step
    energies, gradients = objective(trial, walk.replica)
    walk.evaluations += 1
    finite = np.isfinite(energies) & np.isfinite(gradients).all(axis=1)
    accepted = finite & (energies <= walk.energies + options.max_rise)
    _remember(walk, np.flatnonzero(accepted), step, gradients - walk.gradients)
    walk.points[accepted], walk.energies[accepted] = trial[accepted], energies[accepted]
    walk.gradients[accepted] = gradients[accepted]
    walk.rms[accepted] = root_mean_square(gradients[accepted])
    walk.shrink[accepted], walk.rejections[accepted] = 1.0, 0
    _shorten(walk, ~accepted)


def _shorten(walk: _Walk, rejected: npt.NDArray[np.bool_]) -> None:
    """Ten times shorter next time; after ten rejections forget the curvature, or stall where there is none left."""
    walk.shrink[rejected] *= SHRINKAGE
    walk.rejections[rejected] += 1
    exhausted = rejected & (walk.rejections >= REJECTIONS_BEFORE_RESTART)
    walk.status[exhausted & (walk.curvatures[:, -1] == 0)] = Status.STALLED
    walk.curvatures[exhausted] = 0
    walk.shrink[exhausted], walk.rejections[exhausted] = 1.0, 0


def _remember(walk: _Walk, rows: npt.NDArray[np.intp], step: Array, change: Array) -> None:
    """Push the newest pair of step and change of gradient; a curvature of 0 marks a pair that does not count."""
    curvature = (step[rows] * change[rows]).sum(axis=1)
    useful = np.abs(curvature) > np.finfo(float).tiny
    rows, curvature = rows[useful], curvature[useful]
    for history, newest in ((walk.steps, step), (walk.changes, change)):
        history[rows, :-1] = history[rows, 1:]
        history[rows, -1] = newest[rows]
    walk.curvatures[rows, :-1] = walk.curvatures[rows, 1:]
    walk.curvatures[rows, -1] = curvature


def _quasi_newton_step(walk: _Walk) -> Array:
    """The L-BFGS direction, turned round where it leads up."""
    direction = np.empty_like(walk.gradients)
    _two_loops(walk.gradients, walk.steps, walk.changes, walk.curvatures, _first_curvature(walk), direction)
    uphill = np.einsum("rn,rn->r", direction, walk.gradients) < 0
    return np.where(uphill[:, None], direction, -direction)


def _two_loop_recursion(gradients, steps, changes, curvatures, scale, directions):  # type: ignore[no-untyped-def]
    """Fill `directions` with the inverse Hessian by the remembered steps, times the gradients (Nocedal 1980)."""
    replicas, memory, dimension = steps.shape
    shares = np.zeros(memory)
    for r in range(replicas):
        for i in range(dimension):
            directions[r, i] = gradients[r, i]
        for turn in range(2 * memory):
            if turn == memory:
                for i in range(dimension):
                    directions[r, i] *= scale[r]
            ahead = turn >= memory
            k = turn - memory if ahead else memory - 1 - turn
            if curvatures[r, k] == 0:
                continue
            measured, added = (changes, steps) if ahead else (steps, changes)
            overlap = 0.0
            for i in range(dimension):
                overlap += measured[r, k, i] * directions[r, i]
            share = shares[k] - overlap / curvatures[r, k] if ahead else -overlap / curvatures[r, k]
            shares[k] = -share
            for i in range(dimension):
                directions[r, i] += share * added[r, k, i]


_two_loops = numba.njit(cache=True, fastmath={"reassoc", "contract"})(_two_loop_recursion)


def _first_curvature(walk: _Walk) -> Array:
    """The scale of the inverse Hessian by the newest pair; without one, a first step of at most a tenth."""
    newest = walk.changes[:, -1]
    square = np.einsum("rn,rn->r", newest, newest)
    known = walk.curvatures[:, -1] != 0
    scale = np.abs(walk.curvatures[:, -1]) / np.where(known, square, 1.0)
    norm = np.linalg.norm(walk.gradients, axis=1)
    return np.where(known, scale, np.minimum(1.0, 1 / np.maximum(norm, np.finfo(float).tiny)) / 10)


def _limited(step: Array, longest: float) -> Array:
    length = np.linalg.norm(step, axis=1, keepdims=True)
    return np.asarray(step * np.minimum(1.0, longest / np.maximum(length, np.finfo(float).tiny)))


def _gathered(finished: list[_Walk]) -> Quench:
    """The replicas in their first order."""
    order = np.argsort(np.concatenate([walk.replica for walk in finished]))

    def joined(name: str) -> npt.NDArray[Any]:
        return np.asarray(np.concatenate([getattr(walk, name) for walk in finished])[order])

    status = joined("status")
    status[status == _WALKING] = Status.OUT_OF_STEPS
    return Quench(joined("points"), joined("energies"), joined("rms"), status, joined("evaluations"))

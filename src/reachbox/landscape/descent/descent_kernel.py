"""Machine code of L-BFGS: the next step of each replica, and what becomes of it (Nocedal 1980; Wales, GMIN)."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from reachbox.landscape.energy import Array
from reachbox.machine_code import compiled_for_searches

REJECTIONS_BEFORE_RESTART = 10
SHRINKAGE = 0.1
FIRST_STEP = 0.1


class Memory(NamedTuple):
    """What each replica remembers: a ring of steps and changes of the gradient `(replicas, memory, dimension)`.

    `curvatures` `(replicas, memory)` is the product of both, 0 for a pair that does not count; `newest` the place of
    the latest pair; `shrink` the length of the next step relative to the proposed one; `rejections` in a row.
    """

    steps: Array
    changes: Array
    curvatures: Array
    newest: npt.NDArray[np.int64]
    shrink: Array
    rejections: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, replicas: int, memory: int, dimension: int) -> Self:
        """Nothing remembered yet."""
        pairs = (np.empty((replicas, memory, dimension)), np.empty((replicas, memory, dimension)))
        counters = np.zeros((2, replicas), dtype=np.int64)
        return cls(*pairs, np.zeros((replicas, memory)), counters[0], np.ones(replicas), counters[1])


@compiled_for_searches
def propose(memory: Memory, rows: npt.NDArray[np.intp], gradients: Array, longest: float, steps: Array) -> None:
    """Fill `steps` with the L-BFGS step of each of the `rows`, turned round where it leads up, at most `longest`."""
    for place in range(len(rows)):
        r, step = rows[place], steps[place]
        gradient = gradients[r]
        _two_loops(memory, r, gradient, step)
        slope = length = 0.0
        for i in range(len(step)):
            slope += step[i] * gradient[i]
            length += step[i] * step[i]
        scale = min(1.0, longest / max(np.sqrt(length), 1e-300)) * memory.shrink[r]
        if slope > 0.0:
            scale = -scale
        for i in range(len(step)):
            step[i] *= scale


@compiled_for_searches
def _two_loops(memory: Memory, r: int, gradient: Array, direction: Array) -> None:
    """Fill `direction` with the inverse Hessian by the remembered steps, times the gradient."""
    capacity, newest = memory.steps.shape[1], memory.newest[r]
    shares = np.zeros(capacity)
    direction[:] = gradient
    for back in range(capacity):
        k = (newest - back) % capacity
        curvature = memory.curvatures[r, k]
        if curvature != 0.0:
            step, change, overlap = memory.steps[r, k], memory.changes[r, k], 0.0
            for i in range(len(direction)):
                overlap += step[i] * direction[i]
            shares[k] = overlap / curvature
            for i in range(len(direction)):
                direction[i] -= shares[k] * change[i]
    direction *= _first_curvature(memory, r, gradient)
    for ahead in range(1, capacity + 1):
        k = (newest + ahead) % capacity
        curvature = memory.curvatures[r, k]
        if curvature != 0.0:
            step, change, overlap = memory.steps[r, k], memory.changes[r, k], 0.0
            for i in range(len(direction)):
                overlap += change[i] * direction[i]
            share = shares[k] - overlap / curvature
            for i in range(len(direction)):
                direction[i] += share * step[i]


@compiled_for_searches
def _first_curvature(memory: Memory, r: int, gradient: Array) -> float:
    """The scale of the inverse Hessian by the newest pair; without one, such that the first step is a tenth at most."""
    k, square = memory.newest[r], 0.0
    if memory.curvatures[r, k] != 0.0:
        for i in range(len(gradient)):
            square += memory.changes[r, k, i] * memory.changes[r, k, i]
        return float(abs(memory.curvatures[r, k]) / square)
    for i in range(len(gradient)):
        square += gradient[i] * gradient[i]
    first: float = min(1.0, 1.0 / max(np.sqrt(square), 1e-300)) * FIRST_STEP
    return first


@compiled_for_searches
def judge(
    memory: Memory,
    rows: npt.NDArray[np.intp],
    steps: Array,
    trial_energies: Array,
    trial_gradients: Array,
    max_rise: float,
    points: Array,
    energies: Array,
    gradients: Array,
    rms: Array,
    stalled: npt.NDArray[np.bool_],
) -> None:
    """Take each step that does not raise the energy by more than `max_rise`, and remember what it showed.

    Another is tried again ten times shorter; after ten such tries the curvature is forgotten, or, where there is none
    left to forget, the replica is `stalled`. Points, energies, gradients and RMS gradients are those of all replicas.
    """
    for place in range(len(rows)):
        r, step = rows[place], steps[place]
        square = 0.0
        for i in range(len(step)):
            square += trial_gradients[place, i] * trial_gradients[place, i]
        is_finite = square < np.inf and trial_energies[place] < np.inf
        if is_finite and trial_energies[place] <= energies[r] + max_rise:
            _remember(memory, r, step, gradients[r], trial_gradients[place])
            energies[r], rms[r] = trial_energies[place], np.sqrt(square / len(step))
            for i in range(len(step)):
                points[r, i] += step[i]
                gradients[r, i] = trial_gradients[place, i]
            memory.shrink[r], memory.rejections[r] = 1.0, 0
        else:
            memory.shrink[r] *= SHRINKAGE
            memory.rejections[r] += 1
            if memory.rejections[r] >= REJECTIONS_BEFORE_RESTART:
                stalled[place] = memory.curvatures[r, memory.newest[r]] == 0.0
                memory.curvatures[r] = 0.0
                memory.shrink[r], memory.rejections[r] = 1.0, 0


@compiled_for_searches
def _remember(memory: Memory, r: int, step: Array, before: Array, after: Array) -> None:
    """Keep the step and the change of the gradient in place of the oldest pair, unless they say nothing."""
    curvature = 0.0
    for i in range(len(step)):
        curvature += step[i] * (after[i] - before[i])
    if abs(curvature) <= np.finfo(np.float64).tiny:
        return
    k = (memory.newest[r] + 1) % memory.steps.shape[1]
    memory.newest[r] = k
    memory.curvatures[r, k] = curvature
    for i in range(len(step)):
        memory.steps[r, k, i] = step[i]
        memory.changes[r, k, i] = after[i] - before[i]

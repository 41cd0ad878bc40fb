"""Machine code of L-BFGS on a perceptron's loss, which does not return to Python between evaluations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from reachbox.landscape.descent.descent_kernel import Memory, judge, propose
from reachbox.landscape.energy import Array
from reachbox.landscape.energy.perceptron_kernel import Problem, Room, room_for, value_at
from reachbox.machine_code import compiled_for_searches


class Walk(NamedTuple):
    """Where each replica stands, `(replicas, dimension)` or `(replicas,)`, and how many evaluations it may take."""

    points: Array
    energies: Array
    gradients: Array
    rms: Array
    stalled: npt.NDArray[np.bool_]
    evaluations: npt.NDArray[np.int64]
    limits: npt.NDArray[np.int64]


@compiled_for_searches
def walk_on(
    problem: Problem, scale: Array, penalty: Array, memory: Memory, walk: Walk, rms: float, max_step: float,
    max_rise: float, most: int,
) -> bool:  # fmt: skip
    """Takes replica after replica on until it converges, stalls or has had its evaluations, or all `most` together.

    Gives whether all are done.
    """
    room, spent, dimension = room_for(problem), 0, len(scale)
    rows, weights, trial = np.zeros(1, dtype=np.intp), np.empty(dimension), np.empty(dimension)
    steps, energies, gradients = np.empty((1, dimension)), np.empty(1), np.empty((1, dimension))
    for r in range(len(walk.points)):
        rows[0] = r
        while not walk.stalled[r] and walk.rms[r] > rms and walk.evaluations[r] <= walk.limits[r]:
            if spent == most:
                return False
            propose(memory, rows, walk.gradients, max_step, steps)
            for i in range(dimension):
                trial[i] = walk.points[r, i] + steps[0, i]
            energies[0] = _energy_at(problem, room, scale, penalty, trial, weights, gradients[0])
            spent += 1
            walk.evaluations[r] += 1
            judge(
                memory, rows, steps, energies, gradients, max_rise,
                walk.points, walk.energies, walk.gradients, walk.rms, walk.stalled[r : r + 1],
            )  # fmt: skip
    return True


@compiled_for_searches
def _energy_at(
    problem: Problem, room: Room, scale: Array, penalty: Array, point: Array, weights: Array, gradient: Array
) -> float:
    """The loss with its l2 term at a point; fills its `gradient`."""
    for i in range(len(point)):
        weights[i] = scale[i] * point[i]
    value = value_at(problem, room, weights, gradient)
    for i in range(len(point)):
        value += penalty[i] * point[i] * point[i]
        gradient[i] = scale[i] * gradient[i] + 2 * penalty[i] * point[i]
    return value

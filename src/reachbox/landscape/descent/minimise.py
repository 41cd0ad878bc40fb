"""Local minimisation: L-BFGS as used for energy landscapes, for many replicas at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from reachbox.errors import InputError
from reachbox.landscape.descent.descent_kernel import Memory, judge, propose
from reachbox.landscape.descent.perceptron_walk import Walk, walk_on
from reachbox.landscape.energy import Array, Energy, PerceptronEnergy

Objective: TypeAlias = Callable[[Array, npt.NDArray[np.intp]], tuple[Array, Array]]
"""Values and gradients at points `(rows, dimension)`; the second argument tells which replica each row belongs to."""

WALKING = -1
AT_ONCE = 2_000  # evaluations of one call into machine code


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

    def with_rows(self, chosen: npt.NDArray[np.bool_], other: Quench) -> Quench:
        """With those of `other` in place of the chosen replicas."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        columns = [(value.copy(), instead) for value, instead in pairs]
        for value, instead in columns:
            value[chosen] = instead
        return Quench(*(value for value, _ in columns))


def minimise(energy: Energy, starts: Array, options: Minimiser | None = None) -> Quench:
    """Walk down from each start `(replicas, dimension)` to a point of small gradient.

    A status other than `CONVERGED` is a result, not an error: the point is the lowest that was reached.
    """
    if starts.ndim != 2 or starts.shape[1] != energy.dimension:
        raise InputError(f"minimise: starts of shape (replicas, {energy.dimension}) are needed, found {starts.shape}")
    options = options or Minimiser()
    if isinstance(energy, PerceptronEnergy):
        return _descend_perceptron(energy, starts, options)
    return descend(lambda points, _: energy.value_and_gradient(points), starts, options)


def _descend_perceptron(energy: PerceptronEnergy, starts: Array, options: Minimiser) -> Quench:
    """`descend` in machine code, left now and then so that it can be interrupted."""
    points = np.array(starts, dtype=np.float64, order="C")
    energies, gradients = energy.value_and_gradient(points)
    stalled = np.zeros(len(points), dtype=np.bool_)
    evaluations, limits = np.ones(len(points), np.int64), np.full(len(points), options.max_steps)
    walk = Walk(points, energies, gradients, root_mean_square(gradients), stalled, evaluations, limits)
    memory = Memory.empty(len(points), options.memory, energy.dimension)
    while not walk_on(*energy.compiled, memory, walk, options.rms, options.max_step, options.max_rise, AT_ONCE):
        pass
    status = np.where(stalled, Status.STALLED, Status.OUT_OF_STEPS)
    status[walk.rms <= options.rms] = Status.CONVERGED
    return Quench(points, energies, walk.rms, status, evaluations)


def root_mean_square(gradients: Array) -> Array:
    """The root mean square of each row."""
    return np.asarray(np.sqrt(np.square(gradients).mean(axis=1)))


def descend(
    objective: Objective, starts: Array, options: Minimiser, max_steps: npt.NDArray[np.int64] | None = None
) -> Quench:
    """`minimise` for any objective; `max_steps` `(replicas,)` overrides the options' number for each replica."""
    limits = np.full(len(starts), options.max_steps) if max_steps is None else max_steps
    active = np.arange(len(starts))
    points = np.array(starts, dtype=np.float64, order="C")
    energies, gradients = objective(points, active)
    memory = Memory.empty(len(starts), options.memory, points.shape[1])
    result = Quench(
        points, energies, root_mean_square(gradients), np.full(len(starts), WALKING), np.ones(len(starts), np.int64)
    )
    while True:
        result.status[active[result.rms[active] <= options.rms]] = Status.CONVERGED
        spent = (result.status[active] == WALKING) & (result.evaluations[active] > limits[active])
        result.status[active[spent]] = Status.OUT_OF_STEPS
        active = active[result.status[active] == WALKING]
        if len(active) == 0:
            return result
        _advance(result, gradients, memory, active, objective, options)


def _advance(
    result: Quench,
    gradients: Array,
    memory: Memory,
    active: npt.NDArray[np.intp],
    objective: Objective,
    options: Minimiser,
) -> None:
    """One evaluation for each active replica: its step is taken, or shortened for the next try."""
    steps = np.empty((len(active), gradients.shape[1]))
    propose(memory, active, gradients, options.max_step, steps)
    energies, trial_gradients = objective(result.points[active] + steps, active)
    result.evaluations[active] += 1
    stalled = np.zeros(len(active), dtype=np.bool_)
    judge(
        memory, active, steps, energies, trial_gradients, options.max_rise,
        result.points, result.energies, gradients, result.rms, stalled,
    )  # fmt: skip
    result.status[active[stalled]] = Status.STALLED

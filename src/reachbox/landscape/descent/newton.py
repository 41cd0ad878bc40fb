"""Newton's method with the full Hessian: the last digits of a stationary point, and descents where L-BFGS crawls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reachbox.errors import InputError
from reachbox.landscape.descent.minimise import Quench, Status, root_mean_square
from reachbox.landscape.energy import Array, Energy

SHORTEST = 1e-14


@dataclass(frozen=True)
class Newton:
    """Options of Newton's method with a step limit, for hundreds of variables: a step diagonalises the Hessian.

    Steps begin at `max_step` at most. One that a quadratic model would not foresee is undone and the limit quartered;
    one that it foresees doubles it. Eigenvalues count by their size, `floor` at least, so that a descent never turns to
    a saddle. Converged means an RMS gradient of at most `rms`.
    """

    rms: float = 1e-9
    max_steps: int = 60
    max_step: float = 0.5
    floor: float = 1e-8

    def __post_init__(self) -> None:
        if not (self.rms > 0 and self.max_steps >= 0 and self.max_step > 0 and self.floor > 0):
            raise InputError(f"newton: rms, max_step, floor must be positive, max_steps not negative, found {self}")


def newton_descent(energy: Energy, starts: Array, options: Newton | None = None) -> Quench:
    """Walk down from each start `(replicas, dimension)`, to a minimum unless it begins on a saddle's own ridge."""
    return _rows(energy, starts, None, options or Newton())


def newton_climb(energy: Energy, starts: Array, modes: Array, options: Newton | None = None) -> Quench:
    """Go up along the eigenvector most like the row of `modes` and down along all others, to a transition state.

    For starts near one: the overlap of each step's eigenvector with the one before is what is followed.
    """
    return _rows(energy, starts, modes, options or Newton())


def _rows(energy: Energy, starts: Array, modes: Array | None, options: Newton) -> Quench:
    count = len(starts)
    result = Quench(
        np.array(starts, dtype=np.float64), np.empty(count), np.empty(count), np.empty(count, np.int64),
        np.zeros(count, np.int64),
    )  # fmt: skip
    for row in range(count):
        walk = _Walk(energy, result.points[row], None if modes is None else modes[row], options)
        status = walk.run()
        result.points[row], result.energies[row], result.rms[row] = walk.point, walk.height, walk.rms
        result.status[row], result.evaluations[row] = status, walk.steps
    return result


class _Walk:
    """One replica on its way."""

    def __init__(self, energy: Energy, point: Array, mode: Array | None, options: Newton) -> None:
        self.energy, self.mode, self.options = energy, mode, options
        self.limit, self.steps = options.max_step, 0
        self._stand_at(point)

    @property
    def rms(self) -> float:
        return float(root_mean_square(self.gradient[None])[0])

    def run(self) -> Status:
        while self.rms > self.options.rms:
            values, vectors = self._eigensystem()
            moved = False
            while not moved:
                if self.steps >= self.options.max_steps:
                    return Status.OUT_OF_STEPS
                if self.limit < SHORTEST:
                    return Status.STALLED
                self.steps += 1
                moved = self._try(values, vectors)
        return Status.CONVERGED

    def _stand_at(self, point: Array) -> None:
        self.point = point
        heights, gradients = self.energy.value_and_gradient(point[None])
        self.height, self.gradient = float(heights[0]), gradients[0]

    def _eigensystem(self) -> tuple[Array, Array]:
        rigid = self.energy.zero_modes(self.point[None])[0]
        values, vectors = np.linalg.eigh(self.energy.hessian(self.point) + rigid.T @ rigid)
        return values, vectors

    def _try(self, values: Array, vectors: Array) -> bool:
        """Take a step if what it leads to was foreseen, and adapt the limit."""
        slopes = self.gradient @ vectors
        parts = -slopes / np.maximum(np.abs(values), self.options.floor)
        followed = None if self.mode is None else int(np.argmax(np.abs(self.mode @ vectors)))
        if followed is not None:
            parts[followed] = -parts[followed]
        length = float(np.linalg.norm(parts))
        parts *= min(1.0, self.limit / length)
        before = self.point, self.height, self.gradient
        self._stand_at(before[0] + vectors @ parts)
        surprise = self._surprise(before, slopes, values, parts)
        if not surprise <= 1.0:
            self.point, self.height, self.gradient = before
            self.limit = min(self.limit, length) / 4
            return False
        if surprise < 0.25:
            self.limit = min(2 * max(self.limit, length / 2), self.options.max_step)
        if followed is not None:
            self.mode = vectors[:, followed]
        return True

    def _surprise(self, before: tuple[Array, float, Array], slopes: Array, values: Array, parts: Array) -> float:
        """How far off the quadratic model was: in its share of the descent, or for a climb of the gradient."""
        _, height, gradient = before
        if self.mode is not None:
            foreseen = float(np.linalg.norm(slopes + values * parts))
            return (float(np.linalg.norm(self.gradient)) - foreseen) / float(np.linalg.norm(gradient))
        fall = -float(slopes @ parts + 0.5 * values @ np.square(parts))
        if fall < 1e-13 * (1 + abs(height)):  # beyond what energies can tell
            return 0.5 if np.linalg.norm(self.gradient) < np.linalg.norm(gradient) else 2.0
        return 1.25 - 1.25 * (height - self.height) / fall

"""Values that are attained: the least seen of each row, and signed gradient steps towards smaller ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reachbox.reach.exact.branching.layers import Layers
from reachbox.reach.program import Floats, Integers

FIRST_STEP, LAST_STEP = 1.0, 0.02  # as shares of the box


@dataclass(frozen=True)
class Incumbents:
    """The least value seen of each problem, a row over a box, and where."""

    layers: Layers  # in float64
    lower: Floats  # (problems, inputs)
    upper: Floats  # (problems, inputs)
    rows: Tensor  # (problems, outputs)
    values: Floats  # (problems,)
    points: Floats  # (problems, inputs)

    @classmethod
    def at_centres(cls, layers: Layers, lower: Floats, upper: Floats, rows: Tensor) -> Incumbents:
        """Nothing is known but the values at the boxes' centres."""
        points = np.clip(lower + (upper - lower) / 2, lower, upper)
        return cls(layers, lower, upper, rows, np.full(len(lower), np.inf), points).see(np.arange(len(lower)), points)

    def see(self, problems: Integers, points: Floats) -> Incumbents:
        """Evaluates each problem at its point, moved into the box; keeps what is better, in place."""
        points = np.clip(points, self.lower[problems], self.upper[problems])
        outputs, _ = self.layers.values(torch.from_numpy(points))
        values = (outputs * self.rows[torch.from_numpy(problems)]).sum(1).numpy()
        order = np.lexsort((-values, problems))  # the least of each problem last, so that it stays
        order = order[values[order] < self.values[problems[order]]]
        self.values[problems[order]], self.points[problems[order]] = values[order], points[order]
        return self

    def see_fast(self, fast: Layers, problems: Integers, points: Tensor) -> None:
        """Sees those points that `fast`, the same layers in the precision of the search, finds better."""
        outputs, _ = fast.values(points)
        values = (outputs * self.rows[torch.from_numpy(problems)].to(fast.dtype)).sum(1).numpy()
        better = np.flatnonzero(values < self.values[problems])
        self.see(problems[better], points[torch.from_numpy(better)].double().numpy())

    def descend(self, fast: Layers, problems: Integers, points: Floats, steps: int) -> None:
        """Signed gradient steps from a point of each problem, ever shorter; all points on the way are seen.

        `fast` are the same layers in the precision of the search.
        """
        rows = self.rows[torch.from_numpy(problems)].to(fast.dtype)
        low, high = (torch.from_numpy(part[problems]).to(fast.dtype) for part in (self.lower, self.upper))
        at = torch.minimum(torch.maximum(torch.from_numpy(points).to(fast.dtype), low), high)
        best = torch.full((len(problems),), torch.inf, dtype=fast.dtype)
        kept = at.clone()
        for number in range(steps + 1):
            outputs, before = fast.values(at)
            values = (outputs * rows).sum(1)
            better = values < best
            best, kept = torch.where(better, values, best), torch.where(better[:, None], at, kept)
            size = FIRST_STEP * (LAST_STEP / FIRST_STEP) ** (number / max(1, steps))
            at = at - size * (high - low) * fast.gradients(before, rows).sign()
            at = torch.minimum(torch.maximum(at, low), high)
        self.see(problems, kept.double().numpy())

"""Lower bounds of many nodes at once by back-substitution, and their ascent in the multipliers.

A node is a row to be minimised over its box, where some units have a fixed sign. Every choice of multipliers gives a
bound; the best of them that of the linear relaxation (Wang et al. 2021, beta-CROWN). The bound is concave in the
coefficients, its slope a value of the relaxed network at the point where the bound is attained. So one product of
matrices per layer gives the bounds of all nodes, and one more their slopes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reachbox.reach.exact.branching.kernels import Signs, add_products, corners, follow, relax, step
from reachbox.reach.exact.branching.layers import Layers, Ranges, Rows, read
from reachbox.reach.exact.rounding import ULP
from reachbox.reach.program import Floats, Integers

SHRINK = 0.9
"""Of the steps from one to the next: the sum of all is long enough to come anywhere, and they settle."""


class Bounds(NamedTuple):
    """What one back-substitution gives for each node."""

    bounds: Floats  # (nodes,)
    magnitudes: Floats  # (nodes,): what their errors are relative to
    coefficients: Floats  # (nodes, units): after the ReLU
    gaps: Floats  # (nodes, units): what the relaxation of each open unit may cost
    points: Tensor  # (nodes, inputs): where the linear bound is attained


@dataclass(frozen=True)
class Relaxation:
    """A network over boxes, every ReLU between two lines."""

    layers: Layers
    ranges: Ranges

    @classmethod
    def of(cls, layers: Layers, ranges: Ranges) -> Relaxation:
        """The relaxation in the layers' precision."""
        return cls(layers, ranges.to(layers.dtype))

    def bounds(self, rows: Rows, signs: Signs, multipliers: Floats) -> Bounds:
        """Back-substitution of each row."""
        layers, ranges = self.layers, self.ranges
        of_units, passed = rows.of_units.clone(), torch.empty_like(rows.of_units)
        of_inputs = rows.of_inputs
        constants, magnitudes = rows.constants.clone().numpy(), rows.magnitudes.clone().numpy()
        gaps = np.zeros(of_units.shape, dtype=constants.dtype)
        for layer in reversed(layers.hidden[: rows.layers]):
            relax(
                of_units.numpy(), passed.numpy(), constants, magnitudes, gaps, signs, multipliers, ranges.low,
                ranges.high, ranges.size, rows.tasks, layers.slope, layer.biases, layer.begin, layer.end,
            )  # fmt: skip
            of_inputs = read(layer, passed[:, layer.begin : layer.end], of_units, of_inputs)
        if of_inputs is None:
            of_inputs = torch.zeros(len(rows), layers.inputs, dtype=layers.dtype)
        points = torch.empty_like(of_inputs)
        corners(of_inputs.numpy(), ranges.lower, ranges.upper, rows.tasks, points.numpy())
        add_products(of_inputs.numpy(), points.numpy(), constants)
        return Bounds(constants, magnitudes, of_units.numpy(), gaps, points)

    def slopes(self, rows: Rows, found: Bounds, signs: Signs, multipliers: Floats) -> Floats:
        """How each bound rises with the coefficients that multipliers change, `(nodes, units)`."""
        layers, ranges = self.layers, self.ranges
        before = torch.zeros(len(rows), layers.units, dtype=layers.dtype)
        after, slopes = torch.empty_like(before), np.zeros(before.shape, dtype=multipliers.dtype)
        for layer in layers.hidden[: rows.layers]:
            units = before[:, layer.begin : layer.end]
            if layer.of_inputs is not None:
                units.addmm_(found.points, layer.of_inputs.T)
            if layer.of_units is not None:
                units.addmm_(after[:, layer.first : layer.begin], layer.of_units.T)
            follow(
                found.coefficients, before.numpy(), after.numpy(), slopes, signs, multipliers, ranges.low, ranges.high,
                rows.tasks, layers.slope, layer.biases, layer.begin, layer.end,
            )  # fmt: skip
        return slopes

    def first_multipliers(self, tasks: Integers) -> Floats:
        """CROWN's lines: each open unit's is the steeper where its range lies more above zero than below."""
        above = (self.ranges.high > -self.ranges.low)[tasks]
        return np.where(above, np.maximum(self.layers.slope, 1), np.minimum(self.layers.slope, 1)).astype(
            self.layers.slope.dtype
        )


@dataclass(frozen=True)
class Ascent:
    """The best bound of each node over some steps, with what belongs to it; not proven."""

    bounds: Floats  # (nodes,)
    multipliers: Floats  # (nodes, units)
    active: Integers  # (some,): the nodes that took part in the last step
    gaps: Floats  # (some, units): what relaxations cost there
    points: Tensor  # (some, inputs): where the last bounds are attained


def ascend(
    relaxation: Relaxation, rows: Rows, signs: Signs, multipliers: Floats, targets: Floats, steps: int
) -> Ascent:
    """Up to `steps` steps of each node's multipliers; nodes stop when their bound exceeds their target.

    Steps are as long as would reach the target (Polyak 1969), ever more cautiously.
    """
    bounds, best = np.full(len(rows), -np.inf, dtype=multipliers.dtype), multipliers.copy()
    active, multipliers, reserve = np.arange(len(rows)), multipliers.copy(), 1.0
    last = relaxation.layers.hidden[rows.layers - 1].end if rows.layers else 0
    ranges, slope = relaxation.ranges, relaxation.layers.slope
    for number in range(steps + 1):
        found = relaxation.bounds(rows, signs, multipliers)
        better = found.bounds > bounds[active]
        bounds[active[better]] = found.bounds[better]
        best[active[better]] = multipliers[better]
        below = bounds[active] <= targets
        if number == steps or not below.any():
            break
        slopes = relaxation.slopes(rows, found, signs, multipliers)
        missing = ((targets - found.bounds) * reserve).astype(multipliers.dtype)
        step(
            found.coefficients, slopes, signs, multipliers, missing, rows.tasks, ranges.low, ranges.high, slope, last
        )  # fmt: skip
        reserve *= SHRINK
        if below.mean() < 0.8:
            kept = np.flatnonzero(below)
            active, targets, rows = active[kept], targets[kept], rows.part(kept)
            signs, multipliers = signs[kept], multipliers[kept]
    return Ascent(bounds, best, active, found.gaps, found.points)


@dataclass(frozen=True)
class Proof:
    """Bounds that hold whatever the rounding: `docs/exact.md` has the derivation."""

    relaxation: Relaxation  # in float64
    error: float  # of a back-substitution, relative to its magnitude

    def bounds(self, rows: Rows, signs: Signs, multipliers: Floats) -> Floats:
        """Proven lower bounds of the nodes, from any multipliers."""
        found = self.relaxation.bounds(rows, signs, multipliers.astype(np.float64))
        proven = found.bounds - self.error * found.magnitudes
        return np.asarray(np.where(np.isfinite(proven), proven, -np.inf))


def error_of(values: int, roundings: int) -> float:
    """The relative error of a back-substitution through a program with so many values."""
    return (4 * values + roundings + 64) * ULP

"""The end of a branch: where no unit is open the network is affine, and a linear program gives the best multipliers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from reachbox.reach.exact.branching.bounds import Relaxation
from reachbox.reach.exact.branching.kernels import Signs
from reachbox.reach.exact.branching.layers import Layers, Ranges, read
from reachbox.reach.program import Floats

SECONDS = 1.0
MOST = 1e5
"""The price of violating signs, as a multiple of the objective's magnitude: a leaf without points costs so much."""


class Leaf(NamedTuple):
    """Multipliers of the signs, beta of each unit, and the input that HiGHS names; neither is trusted."""

    multipliers: Floats  # (units,)
    point: Floats  # (inputs,)


def solve_leaf(relaxation: Relaxation, task: int, row: Tensor, signs: Signs) -> Leaf | None:
    """The leaf of `row` `(outputs,)` where `signs` `(units,)` fix all open units; None if HiGHS finds nothing.

    `min a x + MOST t` with `sign_i z_i(x) + t >= 0` for every fixed unit, `0 <= t` and `x` in the box: always feasible.
    Its multipliers are those of the back-substitution.
    """
    layers, ranges = relaxation.layers, relaxation.ranges
    maps, constants = _maps(layers, ranges, task, signs)
    fixed = np.flatnonzero(signs)
    lower, upper = ranges.lower[task], ranges.upper[task]
    of_units = torch.zeros(1, layers.units, dtype=torch.float64)
    of_inputs = read(layers.outputs, row[None], of_units, None)
    cost = (of_units[0].numpy() * _gains(layers, ranges, task, signs)) @ maps
    cost = cost if of_inputs is None else cost + of_inputs[0].numpy()
    scale = float(np.abs(of_units[0].numpy()) @ ranges.size[task] + np.abs(cost) @ (upper - lower))
    sides = signs[fixed].astype(np.float64)
    sizes = np.maximum(np.abs(maps[fixed]) @ (upper - lower), np.abs(constants[fixed]))
    fixed, sides, sizes = fixed[sizes > 0], sides[sizes > 0], sizes[sizes > 0]  # others are 0 throughout
    matrix = np.column_stack([-(sides / sizes)[:, None] * maps[fixed], -np.ones(len(fixed))])
    limits = [*zip(lower, upper, strict=True), (0.0, None)]
    found = linprog(
        np.append(cost, MOST * max(scale, 1.0)), A_ub=matrix, b_ub=sides * constants[fixed] / sizes, bounds=limits,
        method="highs", options={"time_limit": SECONDS},
    )  # fmt: skip
    if found.x is None or found.ineqlin is None:
        return None
    multipliers = np.zeros(layers.units)
    multipliers[fixed] = np.maximum(-np.asarray(found.ineqlin.marginals), 0.0) / sizes
    return Leaf(multipliers, np.asarray(found.x[:-1]))


def _gains(layers: Layers, ranges: Ranges, task: int, signs: Signs) -> Floats:
    """What each unit multiplies by."""
    on = (ranges.low[task] >= 0) | ((ranges.high[task] > 0) & (signs > 0))
    return np.where(on, 1.0, layers.slope)


def _maps(layers: Layers, ranges: Ranges, task: int, signs: Signs) -> tuple[Floats, Floats]:
    """Each unit before its ReLU as an affine map of the inputs, `(units, inputs)` and `(units,)`."""
    maps, constants = np.zeros((layers.units, layers.inputs)), np.zeros(layers.units)
    gains = _gains(layers, ranges, task, signs)
    for layer in layers.hidden:
        units, seen = slice(layer.begin, layer.end), slice(layer.first, layer.begin)
        constants[units] = layer.biases
        if layer.of_inputs is not None:
            maps[units] += layer.of_inputs.numpy()
        if layer.of_units is not None:
            weights = layer.of_units.numpy() * gains[seen]
            maps[units] += weights @ maps[seen]
            constants[units] += weights @ constants[seen]
    return maps, constants

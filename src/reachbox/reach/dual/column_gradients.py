"""Gradients of the dual bound of a small dense network: the columns' way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reachbox.machine_code import compiled
from reachbox.reach.dual.columns import Entry, Run
from reachbox.reach.dual.layout import Array


@dataclass(frozen=True)
class Slopes:
    """Gradients: of all samples' inputs and objectives, and of weights and biases, summed over the samples."""

    centre: Array
    radius: Array
    objective: Array
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]


@dataclass(frozen=True)
class Back:
    """Gradients at a level: of its centre, its columns, and the columns' sizes."""

    centre: Array
    columns: Array
    size: Array


def gradients(
    found: Run, weights: Sequence[Tensor], below: Sequence[float], objective: Array, of_centre: Array, of_radius: Array
) -> Slopes:
    """Those of `sum of_centre * centre + of_radius * radius` of the rows that a run found."""
    last = found.levels[-1]
    *parts, of_objective = from_rows(
        objective, last.centre, last.columns, last.owner, last.size, found.heights, of_centre, of_radius
    )
    back, layers = Back(*parts), []
    for k in range(len(weights) - 1, 0, -1):
        layers.append(_of_layer(found.entries[k], back))
        back = _before(found, k, weights[k], below[k - 1], back)
    layers.append(_of_layer(found.entries[0], back))
    of_inputs = (torch.from_numpy(back.centre) @ weights[0]).numpy()
    of_weights, of_biases = zip(*layers[::-1], strict=True)
    return Slopes(of_inputs, back.size.reshape(of_inputs.shape), of_objective, of_weights, of_biases)


def _of_layer(entry: Entry, back: Back) -> tuple[Tensor, Tensor]:
    """Gradients of a layer's weights and biases, from those at the level behind it."""
    old, centre = len(entry.columns), torch.from_numpy(back.centre)
    of_turned = torch.from_numpy(entry.centre).T @ centre
    of_turned.addmm_(torch.from_numpy(entry.columns).T, torch.from_numpy(back.columns[:old]))
    add_starts(back.columns[old:], entry.starts.unit, of_turned.numpy())
    return of_turned.T, centre.sum(0)


def _before(found: Run, k: int, weight: Tensor, below: float, back: Back) -> Back:
    """From the level behind layer `k` to the one before its activation."""
    level, entry = found.levels[k - 1], found.entries[k]
    of_passed = (torch.from_numpy(back.centre) @ weight).numpy()
    of_entering = (torch.from_numpy(back.columns[: len(entry.columns)]) @ weight).numpy()
    return Back(
        *through_activation(
            level.centre, level.radius, level.columns, level.owner, level.size, found.slopes[k - 1],
            entry.starts.owner, entry.starts.unit, of_passed, of_entering, back.size, below,
        )
    )  # fmt: skip


@compiled
def add_starts(of_columns: Array, unit: Array, of_turned: Array) -> None:
    """From columns to the weights that they start with."""
    for column in range(len(of_columns)):
        for output in range(of_columns.shape[1]):
            of_turned[unit[column], output] += of_columns[column, output]


@compiled
def from_rows(
    objective: Array, centre: Array, columns: Array, owner: Array, size: Array, heights: Array, of_centre: Array,
    of_radius: Array,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """From the rows' centres and radii to the outputs' centres, columns and sizes, and the objective."""
    samples, rows, outputs = objective.shape
    of_outputs, of_columns = np.zeros_like(centre), np.zeros_like(columns)
    of_size, of_objective = np.zeros_like(size), np.zeros_like(objective)
    for sample in range(samples):
        for row in range(rows):
            for output in range(outputs):
                of_outputs[sample, output] += of_centre[sample, row] * objective[sample, row, output]
                of_objective[sample, row, output] += of_centre[sample, row] * centre[sample, output]
    for column in range(len(columns)):
        sample = owner[column]
        for row in range(rows):
            height = heights[column, row]
            of_size[column] += of_radius[sample, row] * abs(height)
            of_height = of_radius[sample, row] * size[column] * np.sign(height)
            for output in range(outputs):
                of_columns[column, output] += of_height * objective[sample, row, output]
                of_objective[sample, row, output] += of_height * columns[column, output]
    return of_outputs, of_columns, of_size, of_objective


@compiled
def through_activation(
    centre: Array, radius: Array, columns: Array, owner: Array, size: Array, slope: Array, start_owner: Array,
    start_unit: Array, of_passed: Array, of_entering: Array, of_size: Array, below: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """From behind an activation to the centre, the columns and their sizes before it."""
    samples, units = centre.shape
    of_slope, of_slack = of_passed * centre, of_passed.copy()
    for column in range(len(columns)):
        sample = owner[column]
        for unit in range(units):
            of_slope[sample, unit] += of_entering[column, unit] * columns[column, unit]
    for start in range(len(start_unit)):
        of_slack[start_owner[start], start_unit[start]] += of_size[len(columns) + start]
    of_centre, of_radius, bend = np.empty_like(centre), np.zeros_like(radius), (1 - below) / 2
    for sample in range(samples):
        for unit in range(units):
            of_centre[sample, unit] = slope[sample, unit] * of_passed[sample, unit]
            c, rho = centre[sample, unit], radius[sample, unit]
            if bend != 0 and abs(c) < rho:
                ratio, steepening = c / rho, of_slope[sample, unit] / rho
                of_centre[sample, unit] += bend * (steepening - ratio * of_slack[sample, unit])
                wider = (1 + ratio * ratio) / 2 * of_slack[sample, unit] - ratio * steepening
                of_radius[sample, unit] = bend * wider
    of_columns, of_own_size = np.empty_like(columns), of_size[: len(columns)].copy()
    for column in range(len(columns)):
        sample, total = owner[column], 0 * size[column]
        for unit in range(units):
            here, pull = columns[column, unit], of_radius[sample, unit]
            of_columns[column, unit] = slope[sample, unit] * of_entering[column, unit]
            of_columns[column, unit] += pull * size[column] * np.sign(here)
            total += pull * abs(here)
        of_own_size[column] += total
    return of_centre, of_columns, of_own_size

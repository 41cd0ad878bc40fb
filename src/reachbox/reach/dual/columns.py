"""The dual bound of a small dense network for a whole batch: a column for each input feature and each unstable unit.

Columns are carried forwards, so that the radius of every unit of a layer is there when its slope is needed, and no row
starts twice. The columns of all samples go through a layer in one product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reachbox.machine_code import compiled
from reachbox.reach.dual.layout import Array


@dataclass(frozen=True)
class Starts:
    """Columns that start: each at a unit of a sample, which moves by a size; `(columns,)` each."""

    owner: Array  # the sample
    unit: Array
    size: Array


@dataclass(frozen=True)
class Level:
    """The values behind a layer before their activation, of all samples, and the columns that reach them."""

    centre: Array  # (samples, units)
    radius: Array  # (samples, units)
    columns: Array  # (columns, units): those from before the layer first, then those that started right before it
    owner: Array  # (columns,)
    size: Array  # (columns,)


@dataclass(frozen=True)
class Entry:
    """What enters a layer: the centre and the columns behind an activation, and the columns that start there."""

    centre: Array  # (samples, inputs)
    columns: Array  # (columns, inputs)
    starts: Starts


@dataclass(frozen=True)
class Run:
    """The way of a batch through the network: what entered each layer, and the level behind it; the rows' bounds."""

    entries: list[Entry]
    levels: list[Level]
    slopes: list[Array]  # (samples, units) of each activation
    centre: Array  # (samples, rows)
    radius: Array  # (samples, rows)
    heights: Array  # (columns, rows): how far each column at the outputs moves each row


def run(
    weights: Sequence[Tensor], biases: Sequence[Tensor | None], below: Sequence[float], centre: Array, radius: Array,
    objective: Array,
) -> Run:  # fmt: skip
    """Takes a batch from `centre`, `radius` to the rows of `objective`.

    `centre`, `radius` are `(samples, features)`, `objective` is `(samples, rows, outputs)`, `weights` are
    `(out, in)`; `below` is the slope below zero of the activation behind each layer but the last.
    """
    samples, features = centre.shape
    units = np.tile(np.arange(features), samples)
    starts = Starts(np.repeat(np.arange(samples), features), units, radius.reshape(-1))
    none = np.empty((0, features), centre.dtype)
    entry, nothing = Entry(centre, none, starts), np.empty(0, centre.dtype)
    entries, levels, slopes = [entry], [through_layer(entry, weights[0], biases[0], units[:0], nothing)], []
    for weight, bias, slope_below in zip(weights[1:], biases[1:], below, strict=False):
        level = levels[-1]
        slope, passed, entering, *starting = relaxed(
            level.centre, level.radius, level.columns, level.owner, slope_below
        )
        entries.append(Entry(passed, entering, Starts(*starting)))
        slopes.append(slope)
        levels.append(through_layer(entries[-1], weight, bias, level.owner, level.size))
    last = levels[-1]
    found = rows_of_objective(objective, last.centre, last.columns, last.owner, last.size)
    return Run(entries, levels, slopes, *found)


def through_layer(entry: Entry, weight: Tensor, bias: Tensor | None, owner: Array, size: Array) -> Level:
    """The level behind a layer; `owner` and `size` are those of the columns that enter it."""
    turned, starts, old = weight.T, entry.starts, len(entry.columns)
    centre = torch.from_numpy(entry.centre) @ turned if bias is None else torch.addmm(
        bias, torch.from_numpy(entry.centre), turned
    )  # fmt: skip
    columns = torch.empty(old + len(starts.unit), len(weight), dtype=weight.dtype)
    if old:
        torch.mm(torch.from_numpy(entry.columns), turned, out=columns[:old])
    torch.index_select(turned.contiguous(), 0, torch.from_numpy(starts.unit), out=columns[old:])
    owner, size = np.concatenate([owner, starts.owner]), np.concatenate([size, starts.size])
    radius = np.zeros(centre.shape, size.dtype)
    add_radii(columns.numpy(), owner, size, radius)
    return Level(centre.numpy(), radius, columns.numpy(), owner, size)


@compiled
def add_radii(columns: Array, owner: Array, size: Array, radius: Array) -> None:
    """Adds to each sample's radii how far its columns move every unit."""
    for column in range(len(columns)):
        sample, moved = owner[column], size[column]
        for unit in range(columns.shape[1]):
            radius[sample, unit] += abs(columns[column, unit]) * moved


@compiled
def relaxed(
    centre: Array, radius: Array, columns: Array, owner: Array, below: float
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Slopes, the centre and columns behind an activation, and a new column for each unstable unit; see `ReluBand`."""
    samples, units = centre.shape
    slope, passed, entering = np.empty_like(centre), np.empty_like(centre), np.empty_like(columns)
    unstable = 0 if below == 1 else (np.abs(centre) < radius).sum()
    start_owner, start_unit = np.empty(unstable, np.int64), np.empty(unstable, np.int64)
    start_size, count = np.empty(unstable, centre.dtype), 0
    for sample in range(samples):
        for unit in range(units):
            c, rho = centre[sample, unit], radius[sample, unit]
            steep, slack = (below + (1 - below) * (c >= rho)), 0 * c
            if below != 1 and abs(c) < rho:
                steep = below + (1 - below) * ((c + rho) / (2 * rho))
                slack = (1 - below) / 4 * (rho - c) * ((rho + c) / rho)
                start_owner[count], start_unit[count], start_size[count] = sample, unit, slack
                count += 1
            slope[sample, unit], passed[sample, unit] = steep, steep * c + slack
    for column in range(len(columns)):
        sample = owner[column]
        for unit in range(units):
            entering[column, unit] = slope[sample, unit] * columns[column, unit]
    return slope, passed, entering, start_owner, start_unit, start_size


@compiled
def rows_of_objective(
    objective: Array, centre: Array, columns: Array, owner: Array, size: Array
) -> tuple[Array, Array, Array]:
    """Centre and radius of an objective's rows, and how far each column moves them."""
    samples, rows, outputs = objective.shape
    heights = np.zeros((len(columns), rows), centre.dtype)
    row_centre, row_radius = np.zeros((samples, rows), centre.dtype), np.zeros((samples, rows), centre.dtype)
    for sample in range(samples):
        for row in range(rows):
            for output in range(outputs):
                row_centre[sample, row] += objective[sample, row, output] * centre[sample, output]
    for column in range(len(columns)):
        sample = owner[column]
        for row in range(rows):
            for output in range(outputs):
                heights[column, row] += objective[sample, row, output] * columns[column, output]
            row_radius[sample, row] += abs(heights[column, row]) * size[column]
    return row_centre, row_radius, heights

"""The dual bound of a small dense network, compiled: one column for each input feature and each unstable unit.

Columns are carried forwards, so that the radius of every unit of a layer is there when its slope is needed, and no row
starts twice. Level 0 is the input, level `k` follows the `k`-th matrix; the objective is the last one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reachbox.machine_code import compiled
from reachbox.reach.dual.layout import Array


class Dense(NamedTuple):
    """Sizes of the levels, and weights `(out, in)`, the same transposed and biases, layer after layer in one vector."""

    sizes: Array  # the objective's rows last
    matrices: Array  # where each layer's weights begin in `weights` and `turned`
    vectors: Array  # where its biases begin in `biases`
    below: Array  # the slope below zero of the activation behind each layer
    weights: Array
    turned: Array
    biases: Array


class Work(NamedTuple):
    """One sample on its way: of each level the centre before and after activation, slopes and slacks, the columns."""

    centre: Array
    radius: Array
    slope: Array
    passed: Array  # the centre after activation
    columns: Array  # (level, column, unit), before activation
    counts: Array  # of the columns at each level
    units: Array  # where each column starts: its unit, in the level at which it is new
    size: Array  # by how much each column moves: an input's radius, a unit's slack
    entering: Array  # one column as it enters a layer


class Slopes(NamedTuple):
    """Gradients: of all samples' inputs and objectives, and of weights and biases, summed over the samples."""

    centre: Array
    radius: Array
    objective: Array
    weights: Array
    biases: Array


@compiled
def work_for(dense: Dense, like: Array) -> Work:
    """Room for one sample."""
    levels, widest, most = len(dense.sizes), dense.sizes.max(), dense.sizes[:-1].sum()
    shape, kind = (levels, widest), like.dtype
    return Work(
        np.empty(shape, kind), np.empty(shape, kind), np.empty(shape, kind), np.empty(shape, kind),
        np.empty((levels, most, widest), kind), np.zeros(levels + 1, np.int64), np.empty(most, np.int64),
        np.empty(most, kind), np.empty(widest, kind),
    )  # fmt: skip


@compiled
def matrix_of(dense: Dense, flat: Array, k: int, rows: int, columns: int) -> Array:
    """A layer's matrix in one of the vectors of weights."""
    begin = dense.matrices[k - 1]
    return flat[begin : begin + rows * columns].reshape(rows, columns)


@compiled
def run(dense: Dense, work: Work, centre: Array, radius: Array, objective: Array) -> None:
    """One sample from the input to the objective's rows."""
    sizes, last = dense.sizes, len(dense.sizes) - 1
    work.counts[0], work.counts[1] = 0, sizes[0]
    for i in range(sizes[0]):
        work.passed[0, i], work.size[i], work.units[i] = centre[i], radius[i], i
    for k in range(1, last):
        turned = matrix_of(dense, dense.turned, k, sizes[k - 1], sizes[k])
        begin = dense.vectors[k - 1]
        work.centre[k, : sizes[k]] = dense.biases[begin : begin + sizes[k]]
        _through_layer(work, k, turned)
        if k < last - 1:
            _activate(work, k, sizes[k], dense.below[k - 1])
        else:
            work.slope[k, : sizes[k]], work.passed[k, : sizes[k]] = 1, work.centre[k, : sizes[k]]
            work.counts[k + 1] = work.counts[k]
    work.centre[last, : sizes[last]] = 0
    _through_layer(work, last, objective.T.copy())


@compiled
def _through_layer(work: Work, k: int, turned: Array) -> None:
    """Centre, columns and radius of level `k`, from the level before; `turned` is `(in, out)`."""
    inputs, outputs = turned.shape
    centre, radius = work.centre[k], work.radius[k]
    radius[:outputs] = 0
    for i in range(inputs):
        passed = work.passed[k - 1, i]
        if passed != 0:
            for u in range(outputs):
                centre[u] += passed * turned[i, u]
    for column in range(work.counts[k]):
        here, size = work.columns[k, column], work.size[column]
        if column >= work.counts[k - 1]:
            here[:outputs] = turned[work.units[column]]
        else:
            here[:outputs] = 0
            for i in range(inputs):
                factor = work.slope[k - 1, i] * work.columns[k - 1, column, i]
                if factor != 0:
                    for u in range(outputs):
                        here[u] += factor * turned[i, u]
        for u in range(outputs):
            radius[u] += abs(here[u]) * size


@compiled
def _activate(work: Work, k: int, units: int, below: float) -> None:
    """Slopes of level `k`, the centre behind them, and a new column for each unstable unit; see `ReluBand`."""
    count = work.counts[k]
    for u in range(units):
        c, rho = work.centre[k, u], work.radius[k, u]
        slope, slack = (below + (1 - below) * (c >= rho)), 0 * c
        if abs(c) < rho:
            slope = below + (1 - below) * ((c + rho) / (2 * rho))
            slack = (1 - below) / 4 * (rho - c) * ((rho + c) / rho)
            work.units[count], work.size[count] = u, slack
            count += 1
        work.slope[k, u], work.passed[k, u] = slope, slope * c + slack
    work.counts[k + 1] = count


@compiled
def bounds(dense: Dense, centres: Array, radii: Array, objective: Array, found: Array) -> None:
    """Centre and radius of each sample's objective, into `found` `(2, samples, rows)`."""
    work, rows = work_for(dense, centres), dense.sizes[-1]
    for n in range(len(centres)):
        run(dense, work, centres[n], radii[n], objective[n])
        found[0, n], found[1, n] = work.centre[-1, :rows], work.radius[-1, :rows]

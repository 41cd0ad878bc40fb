"""Gradients of the dual bound of a small dense network, compiled: the columns' way back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reachbox.machine_code import compiled
from reachbox.reach.dual.columns import Dense, Slopes, Work, matrix_of, run, work_for
from reachbox.reach.dual.layout import Array


class Back(NamedTuple):
    """Gradients of one sample at one level: of its centre, radii and columns, and those that enter the layer before."""

    centre: Array
    radius: Array
    columns: Array
    size: Array
    passed: Array
    entering: Array


@compiled
def gradients(
    dense: Dense, centres: Array, radii: Array, objective: Array, of_centre: Array, of_radius: Array, into: Slopes
) -> None:
    """Adds the gradients of `sum of_centre * centre + of_radius * radius` to `into`; each sample is run again."""
    work, sizes, last = work_for(dense, centres), dense.sizes, len(dense.sizes) - 1
    most, widest = work.columns.shape[1], work.columns.shape[2]
    back = Back(
        np.empty(widest, centres.dtype), np.empty(widest, centres.dtype), np.empty((most, widest), centres.dtype),
        np.empty(most, centres.dtype), np.empty(widest, centres.dtype), np.empty((most, widest), centres.dtype),
    )  # fmt: skip
    for n in range(len(centres)):
        run(dense, work, centres[n], radii[n], objective[n])
        back.centre[: sizes[last]], back.radius[: sizes[last]] = of_centre[n], of_radius[n]
        back.columns[:], back.size[:] = 0, 0
        _from_radius(work, back, last, sizes[last])
        _through_layer(work, back, last, objective[n], into.objective[n])
        for k in range(last - 1, 0, -1):
            _through_activation(work, back, k, sizes[k], dense.below[k - 1], k < last - 1)
            begin = dense.vectors[k - 1]
            into.biases[begin : begin + sizes[k]] += back.centre[: sizes[k]]
            matrix = matrix_of(dense, dense.weights, k, sizes[k], sizes[k - 1])
            _through_layer(work, back, k, matrix, matrix_of(dense, into.weights, k, sizes[k], sizes[k - 1]))
        into.centre[n], into.radius[n] = back.passed[: sizes[0]], back.size[: sizes[0]]


@compiled
def _from_radius(work: Work, back: Back, k: int, units: int) -> None:
    """From the radii of level `k` to its columns and their sizes."""
    for column in range(work.counts[k]):
        here, size, total = work.columns[k, column], work.size[column], 0 * work.size[column]
        for u in range(units):
            back.columns[column, u] += back.radius[u] * size * np.sign(here[u])
            total += back.radius[u] * abs(here[u])
        back.size[column] += total


@compiled
def _through_layer(work: Work, back: Back, k: int, matrix: Array, of_matrix: Array) -> None:
    """From level `k` to what entered its layer, and to the layer's matrix `(out, in)`."""
    outputs, inputs = matrix.shape
    back.passed[:inputs] = 0
    passed, to_passed = work.passed[k - 1], back.passed
    for u in range(outputs):
        of_centre = back.centre[u]
        if of_centre != 0:
            for i in range(inputs):
                of_matrix[u, i] += of_centre * passed[i]
                to_passed[i] += of_centre * matrix[u, i]
    for column in range(work.counts[k - 1], work.counts[k]):
        for u in range(outputs):
            of_matrix[u, work.units[column]] += back.columns[column, u]
    for column in range(work.counts[k - 1]):
        entering = work.entering
        for i in range(inputs):
            entering[i] = work.slope[k - 1, i] * work.columns[k - 1, column, i]
        to_entering = back.entering[column]
        to_entering[:inputs] = 0
        for u in range(outputs):
            of_here = back.columns[column, u]
            if of_here != 0:
                for i in range(inputs):
                    of_matrix[u, i] += of_here * entering[i]
                    to_entering[i] += of_here * matrix[u, i]


@compiled
def _through_activation(work: Work, back: Back, k: int, units: int, below: float, bends: bool) -> None:
    """From behind the activation of level `k` to its centre, radii and columns."""
    own = work.counts[k]  # the first column that starts here
    back.radius[:units] = 0
    for u in range(units):
        slope = work.slope[k, u]
        back.centre[u] = slope * back.passed[u]
        if bends and own < work.counts[k + 1] and work.units[own] == u:
            c, rho = work.centre[k, u], work.radius[k, u]
            of_slope, of_slack = back.passed[u] * c, back.passed[u] + back.size[own]
            for column in range(work.counts[k]):
                of_slope += back.entering[column, u] * work.columns[k, column, u]
            bend, ratio, steepening = (1 - below) / 2, c / rho, of_slope / rho
            back.centre[u] += bend * (steepening - ratio * of_slack)
            back.radius[u] = bend * ((1 + ratio * ratio) / 2 * of_slack - ratio * steepening)
            own += 1
    for column in range(work.counts[k]):
        for u in range(units):
            back.columns[column, u] = work.slope[k, u] * back.entering[column, u]
    if bends and work.counts[k + 1] > work.counts[k]:
        _from_radius(work, back, k, units)

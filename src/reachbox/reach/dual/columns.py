"""The dual bound of a small dense network, sample by sample: a column for each input feature and each unstable unit.

Columns are carried forwards, so that the radius of every unit of a layer is there when its slope is needed. Row 0 of
every matrix is the centre, which goes the same way; columns follow in the order in which they start.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from reachbox.machine_code import compiled, compiled_in_place
from reachbox.reach.dual.layout import Array, lanes_of
from reachbox.reach.dual.one_relu import lines_around
from reachbox.reach.dual.tiles import set_product


class Layers(NamedTuple):
    """The network, its matrices one above the other, each with rows of `(layers, widest, widest)`, 0 where it ends."""

    units: Array  # of each level, that of the input first
    below: Array  # the slope below zero of the activation behind each layer
    turned: Array  # (layers, inputs, outputs)
    plain: Array  # (layers, outputs, inputs)
    biases: Array  # (layers, outputs)


class Way(NamedTuple):
    """One sample's way through the network; matrices are `(layers, rows, widest)`, filled as far as `rows` tells."""

    rows: Array  # (layers + 1,): how many rows enter each layer, and how many leave the last
    entering: Array  # rows before each layer
    leaving: Array  # rows behind each layer, before its activation
    slope: Array  # (layers, widest), of the activation before each layer
    radius: Array  # (layers, widest), behind each layer
    size: Array  # (rows,): how far each column's start moves
    unit: Array  # (rows,): at which unit of its level each column starts
    each: Array  # 0, 1, 2, ...
    jumps: Array  # where the rows of a matrix begin


@compiled
def bound_samples(
    units: Array, below: Array, parameters: Array, centre: Array, radius: Array, objective: Array, found_centre: Array,
    found_radius: Array,
) -> None:  # fmt: skip
    """Centre and radius of the objective `(samples, rows, outputs)`, `(samples, rows)` each.

    `centre` and `radius` are `(samples, features)`, `parameters` each layer's weights `(out, in)` and biases, layer
    after layer; `units` and `below` as in `Layers`.
    """
    layers = layers_of(units, below, parameters)
    way = room_for_a_sample(layers)
    for sample in range(len(centre)):
        carry(layers, way, centre[sample], radius[sample])
        _to_objective(layers, way, objective[sample], found_centre[sample], found_radius[sample])


@compiled
def layers_of(units: Array, below: Array, parameters: Array) -> Layers:
    """The parameters as the kernels read them: rows as wide as the widest level, in whole vectors."""
    count, lanes = len(units) - 1, lanes_of(parameters)
    widest, at = -(-units.max() // lanes) * lanes, 0
    shape = count, widest, widest
    turned, plain = np.zeros(shape, parameters.dtype), np.zeros(shape, parameters.dtype)
    biases = np.zeros((count, widest), parameters.dtype)
    for layer in range(count):
        for output in range(units[layer + 1]):
            for unit in range(units[layer]):
                plain[layer, output, unit] = turned[layer, unit, output] = parameters[at]
                at += 1
        for output in range(units[layer + 1]):
            biases[layer, output] = parameters[at]
            at += 1
    return Layers(units, below, turned, plain, biases)


@compiled
def room_for_a_sample(layers: Layers) -> Way:
    """An empty way."""
    shape = len(layers.plain), 1 + layers.units[:-1].sum(), layers.plain.shape[2]
    each, numbers = np.arange(max(shape[1], shape[2])).astype(np.int32), layers.plain
    return Way(
        np.zeros(shape[0] + 1, np.int64), np.zeros(shape, numbers.dtype), np.zeros(shape, numbers.dtype),
        np.zeros((shape[0], shape[2]), numbers.dtype), np.zeros((shape[0], shape[2]), numbers.dtype),
        np.zeros(shape[1], numbers.dtype), np.zeros(shape[1], np.int64), each, each * np.int32(shape[2]),
    )  # fmt: skip


@compiled_in_place
def carry(layers: Layers, way: Way, centre: Array, radius: Array) -> None:
    """Fills the way of one sample from the input to the outputs."""
    for feature in range(len(centre)):
        way.entering[0, 0, feature] = centre[feature]
        way.size[1 + feature], way.unit[1 + feature] = radius[feature], feature
    way.rows[0], started = 1, 1 + len(centre)
    _through_layer(layers, way, 0, started)
    for layer in range(1, len(layers.plain)):
        started = _through_activation(layers, way, layer)
        _through_layer(layers, way, layer, started)


@compiled_in_place
def _through_layer(layers: Layers, way: Way, layer: int, started: int) -> None:
    """Rows to behind a layer, and the radius there; columns that start right before it begin with its weights."""
    old, inputs, widest = way.rows[layer], layers.units[layer], way.entering.shape[2]
    outputs, begin, lanes = layers.units[layer + 1], layer * way.entering.shape[1] * widest, lanes_of(way.entering)
    way.rows[layer + 1] = started
    for vector in range(0, outputs, lanes):
        set_product(
            way.leaving, begin + vector, widest, way.each, way.entering, begin, widest, way.each, 0, old,
            layers.turned, layer * widest * widest + vector, way.each, way.each, widest, 0, inputs,
        )  # fmt: skip
    for unit in range(outputs):
        way.leaving[layer, 0, unit] += layers.biases[layer, unit]
        way.radius[layer, unit] = 0
    for column in range(old, started):
        start = way.unit[column]
        for unit in range(outputs):
            way.leaving[layer, column, unit] = layers.turned[layer, start, unit]
    for column in range(1, started):
        size = way.size[column]
        for unit in range(outputs):
            way.radius[layer, unit] += abs(way.leaving[layer, column, unit]) * size


@compiled_in_place
def _through_activation(layers: Layers, way: Way, layer: int) -> int:
    """Rows to before `layer`; starts a column for each unstable unit. Gives the number of rows then; see `ReluBand`."""
    old, units, below = way.rows[layer], layers.units[layer], layers.below[layer - 1]
    slope, started = way.slope[layer], old
    for unit in range(units):
        c, rho = way.leaving[layer - 1, 0, unit], way.radius[layer - 1, unit]
        steep, slack = lines_around(c, rho, below)
        if below != 1 and abs(c) < rho:
            way.size[started], way.unit[started] = slack, unit
            started += 1
        slope[unit], way.entering[layer, 0, unit] = steep, steep * c + slack
    for column in range(1, old):
        for unit in range(units):
            way.entering[layer, column, unit] = slope[unit] * way.leaving[layer - 1, column, unit]
    return int(started)


@compiled_in_place
def _to_objective(layers: Layers, way: Way, objective: Array, centre: Array, radius: Array) -> None:
    """Centre and radius of an objective's rows."""
    last = len(layers.plain) - 1
    for row in range(len(objective)):
        centre[row], radius[row] = height(objective[row], way.leaving[last, 0]), 0
        for column in range(1, way.rows[last + 1]):
            radius[row] += abs(height(objective[row], way.leaving[last, column])) * way.size[column]


@compiled_in_place
def height(row: Array, leaving: Array) -> Any:
    """How far a column moves a row of an objective."""
    total = 0 * row[0]
    for output in range(len(row)):
        total += row[output] * leaving[output]
    return total

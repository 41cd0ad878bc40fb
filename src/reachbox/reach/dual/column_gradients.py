"""Gradients of the dual bound of a small dense network: the columns' way back, sample by sample."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reachbox.machine_code import compiled, compiled_in_place
from reachbox.reach.dual.columns import Layers, Way, carry, height, layers_of, room_for_a_sample
from reachbox.reach.dual.layout import Array, lanes_of
from reachbox.reach.dual.one_relu import gradient_of_lines
from reachbox.reach.dual.tiles import add_product, set_product


class Back(NamedTuple):
    """Gradients of one sample on their way back: of rows before and behind a layer, `(rows, widest)`, and the rest."""

    entering: Array
    leaving: Array
    slope: Array  # (widest,)
    slack: Array  # (widest,)
    radius: Array  # (widest,)
    size: Array  # (rows,)


class Gradients(NamedTuple):
    """Gradients of each sample, and, summed over them, of weights and biases, laid out as in `Layers`."""

    centre: Array
    radius: Array
    objective: Array
    turned: Array
    biases: Array


@compiled
def gradients_of_samples(
    units: Array, below: Array, parameters: Array, centre: Array, radius: Array, objective: Array,
    of_found_centre: Array, of_found_radius: Array,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """The gradients of parameters, centre, radius and objective, from those of what `bound_samples` found.

    Every sample is carried again, nothing is kept.
    """
    layers = layers_of(units, below, parameters)
    into = Gradients(
        np.empty_like(centre), np.empty_like(radius), np.zeros_like(objective), np.zeros_like(layers.turned),
        np.zeros_like(layers.biases),
    )  # fmt: skip
    way, numbers = room_for_a_sample(layers), layers.plain
    rows, widest = len(way.size), numbers.shape[2]
    back = Back(
        np.zeros((rows, widest), numbers.dtype), np.zeros((rows, widest), numbers.dtype),
        np.zeros(widest, numbers.dtype), np.zeros(widest, numbers.dtype), np.zeros(widest, numbers.dtype),
        np.zeros(rows, numbers.dtype),
    )  # fmt: skip
    for sample in range(len(centre)):
        carry(layers, way, centre[sample], radius[sample])
        _from_objective(
            layers,
            way,
            back,
            objective[sample],
            of_found_centre[sample],
            of_found_radius[sample],
            into.objective[sample],
        )
        for layer in range(len(layers.plain) - 1, 0, -1):
            _to_weights(layers, way, back, into, layer)
            _through_layer(layers, way, back, layer)
            _through_activation(layers, way, back, layer)
        _to_weights(layers, way, back, into, 0)
        _through_layer(layers, way, back, 0)
        for feature in range(len(centre[sample])):
            into.centre[sample, feature] = back.entering[0, feature]
            into.radius[sample, feature] = back.size[1 + feature]
    return _of_parameters(layers, into, len(parameters)), into.centre, into.radius, into.objective


@compiled
def _of_parameters(layers: Layers, into: Gradients, count: int) -> Array:
    """The gradients of weights and biases, in the order of the parameters."""
    found, at = np.empty(count, into.turned.dtype), 0
    for layer in range(len(into.turned)):
        for output in range(layers.units[layer + 1]):
            for unit in range(layers.units[layer]):
                found[at] = into.turned[layer, unit, output]
                at += 1
        for output in range(layers.units[layer + 1]):
            found[at] = into.biases[layer, output]
            at += 1
    return found


@compiled_in_place
def _from_objective(
    layers: Layers, way: Way, back: Back, objective: Array, of_centre: Array, of_radius: Array, of_objective: Array
) -> None:
    """From the centres and radii of an objective's rows to the rows at the outputs, the sizes and the objective."""
    last, (rows, outputs) = len(layers.plain) - 1, objective.shape
    for column in range(way.rows[last + 1]):
        size = way.size[column]
        back.size[column] = 0
        for output in range(outputs):
            back.leaving[column, output] = 0
        for row in range(rows):
            of_height = of_centre[row]
            if column > 0:
                moved = height(objective[row], way.leaving[last, column])
                back.size[column] += of_radius[row] * abs(moved)
                of_height = of_radius[row] * size * np.sign(moved)
            for output in range(outputs):
                back.leaving[column, output] += of_height * objective[row, output]
                of_objective[row, output] += of_height * way.leaving[last, column, output]


@compiled_in_place
def _to_weights(layers: Layers, way: Way, back: Back, into: Gradients, layer: int) -> None:
    """Adds to the gradients of a layer's weights and biases, from the rows behind it."""
    old, started, widest = way.rows[layer], way.rows[layer + 1], way.entering.shape[2]
    outputs, lanes = layers.units[layer + 1], lanes_of(way.entering)
    for vector in range(0, outputs, lanes):
        add_product(
            into.turned, layer * widest * widest + vector, widest, way.each,
            way.entering, layer * way.entering.shape[1] * widest, 1, way.each, 0, layers.units[layer],
            back.leaving, vector, way.jumps, way.each, widest, 0, old,
        )  # fmt: skip
    for column in range(old, started):
        start = way.unit[column]
        for unit in range(outputs):
            into.turned[layer, start, unit] += back.leaving[column, unit]
    for unit in range(outputs):
        into.biases[layer, unit] += back.leaving[0, unit]


@compiled_in_place
def _through_layer(layers: Layers, way: Way, back: Back, layer: int) -> None:
    """From the rows behind a layer to those before it."""
    widest, lanes = way.entering.shape[2], lanes_of(way.entering)
    for vector in range(0, layers.units[layer], lanes):
        set_product(
            back.entering, vector, widest, way.each, back.leaving, 0, widest, way.each, 0, way.rows[layer],
            layers.plain, layer * widest * widest + vector, way.each, way.each, widest, 0, layers.units[layer + 1],
        )  # fmt: skip


@compiled_in_place
def _through_activation(layers: Layers, way: Way, back: Back, layer: int) -> None:
    """From the rows before `layer` to those behind the layer before it, ahead of its activation."""
    old, units, above = way.rows[layer], layers.units[layer], layer - 1
    slope, below = way.slope[layer], layers.below[above]
    for unit in range(units):
        back.slope[unit], back.slack[unit] = 0, back.entering[0, unit]
    for row in range(old):
        for unit in range(units):
            back.slope[unit] += back.entering[row, unit] * way.leaving[above, row, unit]
    for start in range(old, way.rows[layer + 1]):
        back.slack[way.unit[start]] += back.size[start]
    for unit in range(units):
        c, rho = way.leaving[above, 0, unit], way.radius[above, unit]
        of_centre, of_radius = gradient_of_lines(c, rho, below, back.slope[unit], back.slack[unit])
        back.leaving[0, unit], back.radius[unit] = slope[unit] * back.entering[0, unit] + of_centre, of_radius
    for column in range(1, old):
        size, total = way.size[column], 0 * way.size[column]
        for unit in range(units):
            here, pull = way.leaving[above, column, unit], back.radius[unit]
            pushed = pull * (here > 0) - pull * (here < 0)
            back.leaving[column, unit] = slope[unit] * back.entering[column, unit] + size * pushed
            total += here * pushed
        back.size[column] += total

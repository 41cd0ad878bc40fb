"""The symmetry of a perceptron: hidden units of a layer can be exchanged, and negated where the activation is odd."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from reachbox.landscape.energy.energy import Array
from reachbox.landscape.energy.layout import Layout

SWEEPS = 20


def nearest_copy(point: Array, reference: Array, layout: Layout, signs: bool) -> Array:
    """The copy of `point` nearest to `reference` that was found, both flat `(size,)`.

    One hidden layer at a time its units are matched by the Hungarian method, the other layers held, until a sweep over
    all layers changes nothing: exact for one hidden layer, a local optimum for more. Of the two ends the sweeps start
    from, inputs and outputs, the better result is returned.
    """
    hidden = range(len(layout.shapes) // 2 - 1)
    results = [_swept(point, reference, layout, signs, order) for order in (list(hidden), list(hidden)[::-1])]
    return min(results, key=lambda copy: float(np.square(copy - reference).sum()))


def _swept(point: Array, reference: Array, layout: Layout, signs: bool, order: list[int]) -> Array:
    copy = point[None].copy()
    arrays, targets = layout.split(copy), layout.split(reference[None])
    for _ in range(SWEEPS):
        before = copy.copy()
        for layer in order:
            _match_layer(arrays, targets, layer, signs)
        if np.array_equal(before, copy):
            break
    return np.asarray(copy[0])


def _match_layer(arrays: list[Array], targets: list[Array], layer: int, signs: bool) -> None:
    """Reorder (and negate) the units of one hidden layer, in place."""
    units, wanted = _units(arrays, layer), _units(targets, layer)
    overlap = wanted @ units.T
    rows, choice = linear_sum_assignment(np.abs(overlap) if signs else overlap, maximize=True)
    sign = np.where(overlap[rows, choice] < 0, -1.0, 1.0) if signs else np.ones(len(rows))
    weight, bias, following = arrays[2 * layer][0], arrays[2 * layer + 1][0], arrays[2 * layer + 2][0]
    weight[:] = sign[:, None] * weight[choice]
    bias[:] = sign * bias[choice]
    following[:] = sign * following[:, choice]


def _units(arrays: list[Array], layer: int) -> Array:
    """Everything that enters or leaves each unit of a hidden layer, `(units, numbers)`."""
    weight, bias, following = arrays[2 * layer][0], arrays[2 * layer + 1][0], arrays[2 * layer + 2][0]
    return np.concatenate([weight, bias[:, None], following.T], axis=1)

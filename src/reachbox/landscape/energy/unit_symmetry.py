"""The symmetry of a perceptron: hidden units of a layer can be exchanged, and negated where the activation is odd."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from reachbox.landscape.energy.energy import Array
from reachbox.landscape.energy.layout import Layout

SWEEPS = 20
SHORTEST, DIFFERENT = 1e-3, 1e-3


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
    units, wanted = unit_rows(arrays, layer), unit_rows(targets, layer)
    overlap = wanted @ units.T
    rows, choice = linear_sum_assignment(np.abs(overlap) if signs else overlap, maximize=True)
    sign = np.where(overlap[rows, choice] < 0, -1.0, 1.0) if signs else np.ones(len(rows))
    set_unit_rows(arrays, layer, sign[:, None] * units[choice])


def unit_rows(arrays: list[Array], layer: int) -> Array:
    """Everything that enters or leaves each unit of a hidden layer, `(units, numbers)`, of the first replica."""
    weight, bias, following = arrays[2 * layer][0], arrays[2 * layer + 1][0], arrays[2 * layer + 2][0]
    return np.concatenate([weight, bias[:, None], following.T], axis=1)


def set_unit_rows(arrays: list[Array], layer: int, units: Array) -> None:
    """The inverse of `unit_rows`, in place."""
    weight, bias, following = arrays[2 * layer][0], arrays[2 * layer + 1][0], arrays[2 * layer + 2][0]
    fan_in = weight.shape[1]
    weight[:], bias[:], following[:] = units[:, :fan_in], units[:, fan_in], units[:, fan_in + 1 :].T


def group_equal(units: Array, tolerance: float, signs: bool) -> tuple[npt.NDArray[np.intp], Array]:
    """The group of each row of `units`, counted from 0, and the sign in it, `(units,)`.

    A row joins the first group whose first row differs from it, or its negative where `signs` count, by no more than
    `tolerance` of its length, which counts as `SHORTEST` at least.
    """
    group, sign, leaders = np.empty(len(units), dtype=np.intp), np.ones(len(units)), list[int]()
    lengths = np.maximum(np.linalg.norm(units, axis=1), SHORTEST)
    for unit, row in enumerate(units):
        for number, leader in enumerate(leaders):
            gaps = [(float(np.linalg.norm(row - s * units[leader])), s) for s in ((1.0, -1.0) if signs else (1.0,))]
            gap, sign[unit] = min(gaps, key=lambda pair: pair[0])
            if gap <= tolerance * lengths[leader]:
                group[unit] = number
                break
        else:
            group[unit], sign[unit] = len(leaders), 1.0
            leaders.append(unit)
    return group, sign


def in_equal_groups(units: Array, signs: bool, generator: np.random.Generator) -> Array:
    """Each row as that of the first of a random group: what an exchange of units leaves where it is.

    Where `signs` count, each has a random one, and every other time the units of one group are 0.
    """
    groups = int(generator.integers(1, len(units) + 1))
    group = generator.integers(0, groups, len(units))
    if not signs:
        return units[group]
    alike = generator.choice((-1.0, 1.0), len(units))[:, None] * units[group]
    idle = int(generator.integers(0, 2 * groups))
    return np.where((group == idle)[:, None], 0.0, alike)


def step_to_another(units: Array, signs: bool, generator: np.random.Generator) -> tuple[int, Array]:
    """One of the `units`, and its way to one of another group or to that one's negative, whichever is nearer."""
    group, _ = group_equal(units, DIFFERENT, signs)
    kinds = int(group.max()) + 1
    first, second = generator.choice(kinds, 2, replace=False) if kinds > 1 else (0, 0)
    unit, target = int(generator.choice(np.flatnonzero(group == first))), units[np.argmax(group == second)]
    if kinds == 1 or (signs and units[unit] @ target < 0):
        target = -target
    return unit, target - units[unit]

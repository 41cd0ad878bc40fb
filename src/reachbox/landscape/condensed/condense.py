"""A network without the units that do nothing or repeat another: smaller, and the same as long as they do."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from reachbox.errors import InputError
from reachbox.landscape.energy import Array, Energy, PerceptronEnergy, ReLU, SmoothedReLU
from reachbox.landscape.energy.unit_symmetry import group_equal, set_unit_rows, unit_rows

PARALLEL = 0.02
EQUAL = 1e-9
Units = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Condensed:
    """A smaller `energy`, the `point` in it, and how it lies in the `whole` network.

    Coordinate `places[i]` of the smaller energy, times `factors[i]`, is weight `i` of the whole: along orthonormal
    directions, so that gradient and Hessian are those of the whole within its space. `groups` tells of each unit of a
    hidden layer which of the smaller network it is, if it is any.
    A stationary point of the smaller energy is one of the whole. For ReLU, where what is left out is idle, it has the
    same index: the bend of a smoothed ReLU begins with slope and curvature 0, so that nothing couples to the weights
    left out, and their Hessian is that of the l2 term. Where equal units stand as one, the whole can have further
    directions of negative curvature, along which they part.
    """

    whole: PerceptronEnergy
    energy: PerceptronEnergy
    point: Array
    groups: tuple[Units, ...]
    places: Units
    factors: Array

    def lift(self, points: Array) -> Array:
        """Points of the smaller energy `(replicas, dimension)` in the whole network."""
        return np.asarray(points[:, self.places] * self.factors)

    def restrict(self, points: Array) -> Array:
        """What of points of the whole network lies within the smaller space."""
        parts = points * self.factors
        return np.stack([np.bincount(self.places, row, self.energy.dimension) for row in parts])


def is_condensable(energy: Energy) -> bool:
    """Whether `condense` knows how: a perceptron, for ReLU with an l2 term that counts biases."""
    if not isinstance(energy, PerceptronEnergy):
        return False
    return not _is_relu(energy) or (energy.biases_count and energy.l2 > 0)


def has_equal_units(network: PerceptronEnergy, point: Array) -> bool:
    """Whether units with a smooth activation are equal, or negatives, to rounding, at `point` `(dimension,)`."""
    if _is_relu(network):
        return False
    condensed = _of_equal(network, point, 0.0)
    lifted = condensed.lift(condensed.point[None])[0]
    return condensed.energy.dimension < network.dimension and bool(np.allclose(lifted, point, rtol=0.0, atol=EQUAL))


def condense(whole: PerceptronEnergy, point: Array, tolerance: float = PARALLEL) -> Condensed:
    """The network of the units that matter at `point` `(dimension,)`.

    ReLU: units that are parallel to an angle of `tolerance` are merged, and those that no sample switches on left out.
    Other activations: units whose weights, in and out, differ by that share of their length, or are the negative where
    the activation is odd, are replaced by their mean, which stands for all of them. Either changes the energy a
    little: the result is a start to descend from. Raises `InputError` for ReLU with biases that are free of cost.
    """
    if not is_condensable(whole):
        raise InputError(f"condense: ReLU and an l2 term that counts biases are needed, found {whole.describe()}")
    return _without_idle(whole, point, tolerance) if _is_relu(whole) else _of_equal(whole, point, tolerance)


def _is_relu(network: PerceptronEnergy) -> bool:
    return isinstance(network.activation, ReLU | SmoothedReLU)


def _without_idle(whole: PerceptronEnergy, point: Array, angle: float) -> Condensed:
    """A layer keeps one unit at least."""
    merged = point[None].copy()
    for layer in range(len(whole.widths) - 2):
        _merge_parallel(whole.layout.split(merged), layer, angle)
    groups: list[Units] = []
    signs: list[Array] = []
    for entering, outgoing in zip(whole.pre_activations(merged), whole.layout.split(merged)[2::2], strict=False):
        alive = (entering[0].max(axis=1) > 0) & (np.abs(outgoing[0]).max(axis=0) > 0)
        if not alive.any():
            alive[0] = True
        groups.append(np.where(alive, np.cumsum(alive) - 1, 0))
        signs.append(alive.astype(np.float64))
    widths = (whole.widths[0], *(int(sign.sum()) for sign in signs), whole.widths[-1])
    return _condensed(whole, replace(whole, widths=widths), merged, groups, signs)


def _of_equal(whole: PerceptronEnergy, point: Array, tolerance: float) -> Condensed:
    merged = point[None].copy()
    groups: list[Units] = []
    signs: list[Array] = []
    for layer in range(len(whole.widths) - 2):
        group, sign = _equal_units(whole, merged, layer, tolerance)
        groups.append(group)
        signs.append(sign)
    counts = [np.bincount(group) for group in groups]
    widths = (whole.widths[0], *map(len, counts), whole.widths[-1])
    multiplicities = tuple(tuple(count.tolist()) for count in counts)
    factors = [sign / np.sqrt(count[group]) for sign, count, group in zip(signs, counts, groups, strict=True)]
    return _condensed(whole, replace(whole, widths=widths, multiplicities=multiplicities), merged, groups, factors)


def _condensed(
    whole: PerceptronEnergy, smaller: PerceptronEnergy, point: Array, groups: list[Units], factors: list[Array]
) -> Condensed:
    """`groups` tells for each unit of a hidden layer which unit of the smaller network it is, `factors` its share."""
    ends = [np.arange(whole.widths[0]), np.arange(whole.widths[-1])]
    layers = [ends[0], *groups, ends[1]]
    shares = [np.ones(whole.widths[0]), *factors, np.ones(whole.widths[-1])]
    numbers = np.arange(smaller.dimension)
    places: list[Units] = []
    parts: list[Array] = []
    for index, part in enumerate(smaller.layout.slices):
        block, after, before = numbers[part].reshape(smaller.layout.shapes[index]), index // 2 + 1, index // 2
        if block.ndim > 1:
            places.append(block[np.ix_(layers[after], layers[before])].ravel())
            parts.append(np.outer(shares[after], shares[before]).ravel())
        else:
            places.append(block[layers[after]])
            parts.append(shares[after])
    result = Condensed(whole, smaller, np.empty(0), tuple(groups), np.concatenate(places), np.concatenate(parts))
    return replace(result, point=result.restrict(point)[0])


def _equal_units(whole: PerceptronEnergy, points: Array, layer: int, tolerance: float) -> tuple[Units, Array]:
    """The group of each hidden unit of a layer and its sign in it; in `points` units of a group get their mean."""
    arrays = whole.layout.split(points)
    units = unit_rows(arrays, layer)
    group, sign = group_equal(units, max(tolerance, EQUAL), whole.activation.is_odd)
    for number in range(int(group.max()) + 1):
        members = np.flatnonzero(group == number)
        units[members] = sign[members, None] * (sign[members, None] * units[members]).mean(axis=0)
    set_unit_rows(arrays, layer, units)
    return group, sign


def _merge_parallel(arrays: list[Array], layer: int, angle: float) -> None:
    """Give each unit of a hidden layer the parts of later ones whose incoming weights are a multiple of its own.

    `sum_i v_i relu(c_i w x) = (sum_i c_i v_i) relu(w x)`; in and out are then balanced, which costs the l2 term least.
    """
    weight, bias, following = arrays[2 * layer][0], arrays[2 * layer + 1][0], arrays[2 * layer + 2][0]
    incoming = np.concatenate([weight, bias[:, None]], axis=1)
    norms = np.linalg.norm(incoming, axis=1)
    directions = incoming / np.where(norms > 0, norms, 1.0)[:, None]
    same = directions @ directions.T >= np.cos(angle)
    for unit in range(len(norms)):
        twins = [other for other in np.flatnonzero(same[unit]) if other > unit and norms[other] > 0]
        if norms[unit] == 0 or not twins:
            continue
        joined = following[:, unit] * norms[unit] + following[:, twins] @ norms[twins]
        size = np.sqrt(max(np.linalg.norm(joined), np.finfo(float).tiny))
        weight[unit], bias[unit] = size * directions[unit, :-1], size * directions[unit, -1]
        following[:, unit] = joined / size
        weight[twins], bias[twins], following[:, twins] = 0.0, 0.0, 0.0
        norms[twins] = 0.0

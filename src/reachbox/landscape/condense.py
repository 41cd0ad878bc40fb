"""A ReLU network without the units that do nothing: smaller, and the same as long as they do nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from reachbox.errors import InputError
from reachbox.landscape.energy import Array, PerceptronEnergy, ReLU, SmoothedReLU

PARALLEL = 0.02
Units = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Condensed:
    """A smaller `energy`, the `point` in it, and which units of each hidden layer of the `whole` network it keeps.

    With all weights of the other units at 0, energy, gradient and Hessian are those of the whole: the bend of a
    smoothed ReLU begins with slope and curvature 0, so the Hessian of the weights left out is that of the l2 term, and
    nothing couples to it. A stationary point of the smaller energy is one of the whole, with the same index.
    """

    whole: PerceptronEnergy
    energy: PerceptronEnergy
    point: Array
    kept: tuple[Units, ...]

    def lift(self, points: Array) -> Array:
        """Points of the smaller energy `(replicas, dimension)` in the whole network, all other weights 0."""
        lifted = np.zeros((len(points), self.whole.dimension))
        lifted[:, self._places] = points
        return lifted

    def restrict(self, points: Array) -> Array:
        """What of points of the whole network belongs to the units kept."""
        return np.ascontiguousarray(points[:, self._places])

    @property
    def _places(self) -> Units:
        numbers = np.arange(self.whole.dimension)
        inputs, outputs = np.arange(self.whole.widths[0]), np.arange(self.whole.widths[-1])
        layers = [inputs, *self.kept, outputs]
        places = []
        for index, part in enumerate(self.whole.layout.slices):
            block = numbers[part].reshape(self.whole.layout.shapes[index])
            after = layers[index // 2 + 1]
            places.append(block[np.ix_(after, layers[index // 2])] if block.ndim > 1 else block[after])
        return np.concatenate([place.ravel() for place in places])


def condense(whole: PerceptronEnergy, point: Array, parallel: float = PARALLEL) -> Condensed:
    """Merge hidden units that are `parallel` to that angle, and leave out those that no sample switches on.

    `point` is `(dimension,)`. Its energy falls by what the units left out cost, and changes where merged units bend at
    different places: the result is a start to descend from. A layer keeps one unit at least. Raises `InputError` for
    another activation than ReLU, smoothed or not, or biases that are free of cost.
    """
    if not isinstance(whole.activation, ReLU | SmoothedReLU) or not whole.biases_count or not whole.l2 > 0:
        raise InputError(f"condense: ReLU and an l2 term that counts biases are needed, found {whole.describe()}")
    merged = point[None].copy()
    for layer in range(len(whole.widths) - 2):
        _merge_parallel(whole.layout.split(merged), layer, parallel)
    kept = []
    for entering, outgoing in zip(whole.pre_activations(merged), whole.layout.split(merged)[2::2], strict=False):
        alive = (entering[0].max(axis=1) > 0) & (np.abs(outgoing[0]).max(axis=0) > 0)
        kept.append(np.flatnonzero(alive) if alive.any() else np.zeros(1, dtype=np.intp))
    widths = (whole.widths[0], *map(len, kept), whole.widths[-1])
    smaller = replace(whole, widths=widths)
    result = Condensed(whole, smaller, np.zeros(smaller.dimension), tuple(kept))
    return replace(result, point=result.restrict(merged)[0])


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

"""All eigenvalues of a perceptron's Hessian where hidden units repeat one another, from small blocks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from reachbox.landscape.condensed.condense import Condensed
from reachbox.landscape.energy import Array
from reachbox.landscape.energy.unit_symmetry import set_unit_rows, unit_rows


def spectrum_of_equal_units(condensed: Condensed) -> Array:
    """The eigenvalues of the whole network's Hessian at the lifted point, `(whole dimension,)` and ascending.

    Exchanging equal units keeps the point, so that the Hessian falls into blocks (Schur's lemma). One is that of the
    smaller network. A group of `m` equal units adds one in which two of them part in opposite directions, `m - 1`
    times; and weights between two groups in which the units of either part add the curvature of the l2 term alone,
    since nothing that enters a unit changes.
    """
    whole, smaller = condensed.whole, condensed.energy
    values = [np.linalg.eigvalsh(smaller.hessian(condensed.point))]
    counts = [np.array(layer) for layer in smaller.multiplicities or ()]
    for layer, count in enumerate(counts):
        for group in np.flatnonzero(count > 1):
            block = np.linalg.eigvalsh(_parting(condensed, layer, int(group)))
            values.append(np.repeat(block, count[group] - 1))
    lone = sum(int(np.outer(before - 1, after - 1).sum()) for before, after in pairwise(counts))
    values.append(np.full(lone, 2 * whole.l2))
    return np.sort(np.concatenate(values))


def _parting(condensed: Condensed, layer: int, group: int) -> Array:
    """The Hessian along directions in which two units of a group move apart, and the others stay."""
    whole, units = condensed.whole, condensed.groups[layer]
    pair = np.flatnonzero(units == group)[:2]
    member, other = pair
    coordinates = np.unique(condensed.places[_owned(condensed, layer, int(member))])
    directions = condensed.lift(np.eye(condensed.energy.dimension)[coordinates])
    share = np.sqrt((units == group).sum() / 2)
    for direction in directions:
        arrays = whole.layout.split(direction[None])
        rows = unit_rows(arrays, layer)
        parted = np.zeros_like(rows)
        parted[member], parted[other] = share * rows[member], -share * rows[other]
        set_unit_rows(arrays, layer, parted)
    points = np.tile(condensed.lift(condensed.point[None]), (len(directions), 1))
    block = directions @ whole.hessian_vector(points, directions).T
    return np.asarray((block + block.T) / 2)


def _owned(condensed: Condensed, layer: int, unit: int) -> Array:
    """Which weights of the whole enter or leave a hidden unit, `(whole dimension,)`."""
    owned = np.zeros((1, condensed.whole.dimension))
    arrays = condensed.whole.layout.split(owned)
    rows = unit_rows(arrays, layer)
    rows[unit] = 1.0
    set_unit_rows(arrays, layer, rows)
    return np.asarray(owned[0] > 0)

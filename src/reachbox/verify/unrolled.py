"""A network unrolled into matrices, unsafe outputs as rows behind it: what both engines of `exact` search."""

from __future__ import annotations

from math import prod

import numpy as np

from reachbox.errors import UnsupportedError
from reachbox.network import Network
from reachbox.network.operators import Affine
from reachbox.reach.exact.splitting import Problem, largest_rows
from reachbox.verify.specification import HalfSpaces

MOST_ENTRIES = 30_000_000  # of a network's matrices


def unrolled(network: Network, unsafe: list[HalfSpaces]) -> Problem | None:
    """The problem whose goals are the alternatives, reached where the largest row less its bound is at most 0.

    None for networks that are too large, or not piecewise linear. Where an alternative has no row, all outputs are
    unsafe, as by the row `0 <= 0`.
    """
    if _entries(network) > MOST_ENTRIES:
        return None
    rows = [
        half_spaces.rows if len(half_spaces.rows) else np.zeros((1, half_spaces.rows.shape[1]))
        for half_spaces in unsafe
    ]
    bounds = [half_spaces.bounds if len(half_spaces.rows) else np.zeros(1) for half_spaces in unsafe]
    try:
        return largest_rows(network, rows, bounds)
    except UnsupportedError:
        return None


def _entries(network: Network) -> int:
    """How large the matrices of a network's affine operators are together."""
    return sum(
        prod(node.shape) * sum(prod(network.shape_of(value)) for value in node.inputs)
        for node in network.nodes
        if isinstance(node.operator, Affine)
    )

"""Ranges of every unit of a program: the tightest of interval, `crown` and `dual`, each as that method defines it.

A relaxation over these ranges is at least as tight as any of the three methods.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.network import Network
from reachbox.network.graph import Builder
from reachbox.network.operators import Concatenate, Linear, Relu
from reachbox.reach.crown import LinearBounds
from reachbox.reach.dual import Dual
from reachbox.reach.interval import propagate
from reachbox.reach.program import Floats, Program
from reachbox.reach.rows import of_objective

OBJECTIVE_ENTRIES = 1 << 24


def unit_ranges(program: Program, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Lower and upper bounds of every value before its ReLU over each box, `(batch, values)` each."""
    network, before = network_of(program)
    box = Box(lower, upper)
    low, high = np.empty((len(lower), int(program.begin[-1]))), np.empty((len(lower), int(program.begin[-1])))
    low[:, : program.inputs], high[:, : program.inputs] = lower, upper
    with torch.no_grad():
        intervals = propagate(network, box)
        crown = LinearBounds(network, box).grown()
        for block, value in enumerate(before):
            centre, radius = intervals[value]
            ranges = [(centre - radius, centre + radius), _crown_range(crown, network, value)]
            least, most = _tightest(ranges)
            open_units = ((least < 0) & (most > 0)).any(0) | (value == network.output)
            if bool(open_units.any()):
                least[:, open_units], most[:, open_units] = _tightest(
                    [(least[:, open_units], most[:, open_units]), _dual_range(network, box, value, open_units)]
                )
            units = slice(int(program.begin[block]), int(program.begin[block + 1]))
            low[:, units], high[:, units] = least.numpy(), most.numpy()
    return low, high


def network_of(program: Program) -> tuple[Network, list[int]]:
    """The program's first network as a graph, and the value that holds each block before its ReLU."""
    builder, groups, before = Builder((program.inputs,)), [0], []
    begins = program.begin.tolist()
    for block, first in enumerate(program.first.tolist()):
        start, end = begins[block], begins[block + 1]
        matrix, bias = weights_of(program, block)
        if first == start:  # a block of constants
            first, matrix = 0, np.zeros((end - start, start))
        sources = groups[0 if first == 0 else begins.index(first) + 1 :]
        source = sources[0]
        if len(sources) > 1:
            sizes = tuple(builder.shape_of(value)[0] for value in sources)
            source = builder.add(f"values {block}", Concatenate(0, sizes), *sources)
        linear = Linear(torch.from_numpy(matrix), torch.from_numpy(bias))
        before.append(builder.add(f"units {block}", linear, source))
        is_output = block == len(program.first) - 1
        slope = float(program.slope[start])
        groups.append(before[-1] if is_output else builder.add(f"ReLU {block}", Relu(slope), before[-1]))
    return Network(builder.input_shape, tuple(builder.nodes), before[-1]), before


def weights_of(program: Program, block: int) -> tuple[Floats, Floats]:
    """Weights `(units, values read)` and biases of a block of the first network."""
    first, start, end = int(program.first[block]), int(program.begin[block]), int(program.begin[block + 1])
    offset, size = int(program.offset[block]), (start - first) * (end - start)
    matrix = program.weights[0, offset : offset + size].reshape(start - first, end - start).T
    return np.ascontiguousarray(matrix), program.biases[0, start:end].copy()


def _tightest(ranges: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The intersection; where rounding makes it empty, what lies between the two ends."""
    low = torch.stack([lower for lower, _ in ranges]).amax(0)
    high = torch.stack([upper for _, upper in ranges]).amin(0)
    return torch.minimum(low, high), torch.maximum(low, high)


def _crown_range(crown: LinearBounds, network: Network, value: int) -> tuple[Tensor, Tensor]:
    if value != network.output:
        return crown.ranges[value + 1]
    batch, outputs = crown.box.shape[0], network.output_shape[0]
    rows = of_objective(network, torch.eye(outputs, dtype=torch.float64).expand(batch, -1, -1))
    low, high = crown.range_of(value, rows)
    return low.reshape(batch, outputs), high.reshape(batch, outputs)


def _dual_range(network: Network, box: Box, value: int, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """The dual bound of the chosen units before their ReLU, as an objective of the network up to there."""
    prefix = Network(network.input_shape, network.nodes[:value], value)
    rows = torch.eye(len(chosen), dtype=torch.float64)[chosen]
    samples = max(1, OBJECTIVE_ENTRIES // rows.numel())
    found = [
        Dual(engine="graph").bound(prefix, Box(low, high), rows.expand(len(low), -1, -1))
        for low, high in zip(torch.split(box.lower, samples), torch.split(box.upper, samples), strict=True)
    ]
    return torch.cat([part.lower for part in found]), torch.cat([part.upper for part in found])

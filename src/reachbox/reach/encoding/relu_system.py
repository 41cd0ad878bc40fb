"""A program as layers with ranges: what a solver of ReLU constraints takes."""

from __future__ import annotations

from reachbox.reach.encoding.ranges import weights_of
from reachbox.reach.program import Floats, Program
from reachbox.solvers.problem import Linear, ReluSystem


def relu_system(program: Program, low: Floats, high: Floats) -> ReluSystem:
    """The program's first network over a box; `low`, `high`, `(values,)`, are proven ranges before the ReLU."""
    layers = []
    for block, first in enumerate(program.first.tolist()):
        begin = int(program.begin[block])
        layers.append(Linear(begin, first, *weights_of(program, block), float(program.slope[begin])))
    return ReluSystem(tuple(layers), low, high)

"""Proven ranges of hidden units: intervals, then back-substitution with optimised lines, layer by layer."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import torch

from reachbox.reach.exact.branching.bounds import Proof, Relaxation, ascend, error_of
from reachbox.reach.exact.branching.layers import Layers, Ranges, rows_of
from reachbox.reach.exact.rounding import unit_ranges
from reachbox.reach.program import Floats, Integers, Program

ENTRIES_AT_ONCE = 1 << 19
STEPS = 12
AIM = 0.05
"""The rise of a bound that its steps aim at, as a share of the unit's range."""


def hidden_ranges(program: Program, network: int, layers: Layers, lower: Floats, upper: Floats, until: float) -> Ranges:
    """Ranges of all hidden units over each box, `(tasks, inputs)`; `layers` is that network in float64.

    What is not narrowed when the clock says `until` is an interval.
    """
    hidden = slice(program.inputs, int(program.begin[-2]))
    networks = np.full(len(lower), network, dtype=np.int64)
    low, high, size = (part[:, hidden].copy() for part in unit_ranges(program, networks, lower, upper))
    ranges = Ranges(lower, upper, low, high, size)
    for number, layer in enumerate(layers.hidden):
        if layer.of_units is not None:
            _narrow(Proof(Relaxation(layers, ranges), error_of_program(program)), number, until)
    return ranges


def error_of_program(program: Program) -> float:
    """The relative error of a back-substitution through the program."""
    return error_of(int(program.begin[-1]), int(program.roundings.max()))


def _narrow(proof: Proof, number: int, until: float) -> None:
    """Narrows, in place, the ranges of the open units of a hidden layer."""
    layers, ranges = proof.relaxation.layers, proof.relaxation.ranges
    layer = layers.hidden[number]
    is_open = ranges.is_open(layers.slope)[:, layer.begin : layer.end]
    tasks, units = np.nonzero(is_open)
    at_once = max(1, ENTRIES_AT_ONCE // (layers.inputs + layers.units))
    for start in range(0, len(tasks), at_once):
        if perf_counter() >= until:
            break
        part = slice(start, start + at_once)
        for sign, ends in ((1.0, ranges.low), (-1.0, ranges.high)):
            found = _least(proof, number, tasks[part], units[part], sign)
            place = tasks[part], layer.begin + units[part]
            ends[place] = sign * np.maximum(sign * ends[place], found)


def _least(proof: Proof, number: int, tasks: Integers, units: Integers, sign: float) -> Floats:
    """Proven lower bounds of `sign` times units of a hidden layer."""
    relaxation, layer = proof.relaxation, proof.relaxation.layers.hidden[number]
    ranges, width = relaxation.ranges, layer.end - layer.begin
    chosen = torch.zeros(len(tasks), width, dtype=torch.float64)
    chosen[torch.arange(len(tasks)), torch.from_numpy(units)] = sign
    rows = rows_of(relaxation.layers, tasks, number, chosen, ranges.size[tasks, layer.begin : layer.end])
    signs = np.zeros((len(tasks), relaxation.layers.units), dtype=np.int8)
    first = relaxation.first_multipliers(tasks)
    place = tasks, layer.begin + units
    bounds = relaxation.bounds(rows, signs, first).bounds
    targets = np.minimum(bounds + AIM * (ranges.high[place] - ranges.low[place]), np.maximum(bounds, 0.0))
    best = ascend(relaxation, rows, signs, first, targets, STEPS)
    return proof.bounds(rows, signs, best.multipliers)

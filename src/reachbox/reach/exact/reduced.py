"""One network over one box, reduced to what matters there: the inputs that vary and the units that can be active.

The box becomes the cube `[-1, 1]^d` of its `d` varying inputs; fixed inputs and the box's centre go into the biases.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from reachbox.machine_code import compiled_for_finite
from reachbox.reach.program import Floats, Integers, Program

Flags = npt.NDArray[np.uint8]


class Reduced(NamedTuple):
    """Values are numbered as in a `Program`: the varying inputs first, then the remaining units, block by block.

    The weights of one value read stand side by side, one for each unit of the block, as in a `Program`.
    """

    weights: Floats  # (entries,)
    biases: Floats  # (values,)
    slope: Floats  # (values,): below zero; 1 where a unit is never below
    undecided: Flags  # (values,): whether both signs are possible
    begin: Integers  # (blocks + 1,)
    first: Integers  # (blocks,)
    offset: Integers  # (blocks,)


@compiled_for_finite
def reduced_to_cube(
    program: Program, network: int, lower: Floats, upper: Floats, low: Floats, high: Floats
) -> tuple[Reduced, Integers]:
    """The reduced network, and which inputs vary; `low` and `high` are proven ranges of the values before ReLU."""
    number, varying = _numbers(program, lower, upper, high)
    blocks, values = len(program.first), number[-1]
    begin, first = np.empty(blocks + 1, dtype=np.int64), np.empty(blocks, dtype=np.int64)
    offset, entries = np.empty(blocks, dtype=np.int64), 0
    for block in range(blocks):
        first[block], begin[block] = number[program.first[block]], number[program.begin[block]]
        offset[block] = entries
        entries += (number[program.begin[block + 1]] - begin[block]) * (begin[block] - first[block])
    begin[blocks] = values
    undecided = np.zeros(values, dtype=np.uint8)
    reduced = Reduced(
        np.empty(entries), np.empty(values), np.ones(values), undecided, begin, first, offset
    )  # fmt: skip
    kept = np.empty(program.begin[-1], dtype=np.int64)  # the units that stay, by their new numbers
    for unit in range(program.begin[0], program.begin[-1]):
        if number[unit] < number[unit + 1]:
            kept[number[unit]] = unit
            reduced.slope[number[unit]] = 1.0 if low[unit] >= 0.0 else program.slope[unit]
            undecided[number[unit]] = low[unit] < 0.0 < high[unit] and program.slope[unit] != 1.0
    for block in range(blocks):
        _fill_block(program, network, block, number, kept[begin[block] : begin[block + 1]], lower, upper, reduced)
    return reduced, varying


@compiled_for_finite
def _numbers(program: Program, lower: Floats, upper: Floats, high: Floats) -> tuple[Integers, Integers]:
    """The new number of each value that stays, one more than the last for the value after it; the inputs that vary."""
    values, inputs = program.begin[-1], program.begin[0]
    number, varying = np.zeros(values + 1, dtype=np.int64), np.empty(inputs, dtype=np.int64)
    for value in range(values):
        stays = lower[value] < upper[value] if value < inputs else program.slope[value] != 0.0 or high[value] > 0.0
        if stays and value < inputs:
            varying[number[value]] = value
        number[value + 1] = number[value] + stays
    return number, varying[: number[inputs]]


@compiled_for_finite
def _fill_block(
    program: Program, network: int, block: int, number: Integers, kept: Integers, lower: Floats, upper: Floats,
    reduced: Reduced,
) -> None:  # fmt: skip
    """Fills the biases and weights of a block's units that stay, `kept`."""
    first, begin, end = program.first[block], program.begin[block], program.begin[block + 1]
    biases = reduced.biases[reduced.begin[block] : reduced.begin[block + 1]]
    for unit in range(len(kept)):
        biases[unit] = program.biases[network, kept[unit]]
    row = reduced.offset[block]
    for value in range(first, begin):
        centre, radius, stays = 0.0, 1.0, number[value] < number[value + 1]
        if value < program.begin[0]:
            centre, radius = centre_and_radius(lower[value], upper[value])
        elif not stays:
            continue
        source = program.offset[block] + (value - first) * (end - begin) - begin
        if value < program.begin[0]:
            for unit in range(len(kept)):
                biases[unit] += program.weights[network, source + kept[unit]] * centre
        if stays:
            for unit in range(len(kept)):
                reduced.weights[row + unit] = program.weights[network, source + kept[unit]] * radius
            row += len(kept)


@compiled_for_finite
def centre_and_radius(low: float, high: float) -> tuple[float, float]:
    """A ball around `low` to `high`, its radius rounded up."""
    centre = low + (high - low) / 2
    return centre, max(high - centre, centre - low) * (1 + 2.0**-51)

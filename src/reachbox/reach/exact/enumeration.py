"""The activation regions of a network over a box, one by one, depth first.

The box is the cube `[-1, 1]^d` of its `d` inputs that vary. Each region carries one affine map of the cube for each
value. A unit whose sign changes over a region's vertices splits it; where all signs are fixed the outputs are affine,
so their extremes are at vertices. `docs/exact.md` has the proof that nothing is missed, whatever the rounding.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np

from reachbox.machine_code import compiled_for_finite, compiled_in_place_for_finite
from reachbox.reach.exact.polytope import (
    NO_ROOM,
    Vertices,
    cube,
    fill_bounding_box,
    fill_heights,
    split,
    with_twice_the_room,
)
from reachbox.reach.exact.reduced import Flags, Reduced, centre_and_radius, reduced_to_cube
from reachbox.reach.exact.rounding import ULP
from reachbox.reach.program import Floats, Integers, Program

ON_HYPERPLANE = 2.0**-45
"""A vertex whose height is at most this share of the sum of a hyperplane's absolute coefficients lies on it."""
SMALLEST_HEIGHT = 2.0**-950  # lower ones lie on it too: far above what underflow can do
LARGEST = sys.float_info.max  # of float64: compiled code for finite numbers must not meet infinity

SOLVED, TOO_MANY_REGIONS, TOO_MANY_VERTICES, STOPPED = range(4)


class Limits(NamedTuple):
    """Where a task gives up: its regions, its vertices alive at once, or a flag that another thread sets."""

    regions: int
    vertices: int
    stop: Flags  # (1,)


class Maps(NamedTuple):
    """The affine map of each value before its ReLU over the region at work: `slopes . t + offsets`, and its gain."""

    slopes: Floats  # (inputs that vary, values)
    offsets: Floats  # (values,)
    gains: Floats  # (values,): what the ReLU multiplies by


class Found(NamedTuple):
    """The extremes seen so far of each row of the objective, side 0 the least and side 1 the largest."""

    value: Floats  # (sides, rows)
    point: Floats  # (sides, rows, inputs that vary)


class Waiting(NamedTuple):
    """Regions still to be explored: where each stands, and the gains of its block's units."""

    place: Integers  # (levels, 5): block, unit, first vertex, end of vertices, hyperplanes on its path
    gains: Floats  # (levels, widest block)


@compiled_for_finite
def enumerate_regions(
    program: Program, networks: Integers, lower: Floats, upper: Floats, low: Floats, high: Floats, objectives: Floats,
    limits: Limits,
) -> tuple[Floats, Floats, Integers]:  # fmt: skip
    """Extremes `(tasks, 2, rows)`, where they are `(tasks, 2, rows, inputs)`, and what it took, `(tasks, 4)`.

    Task `i` is network `networks[i]` over the box from `lower[i]` to `upper[i]`; `low[i]`, `high[i]` are proven ranges
    of its values and `objectives[i]`, `(rows, outputs)`, what is wanted of its outputs. What it took: how the task
    ended, its splits, the most hyperplanes on one path, and how many inputs vary. Extremes of a task that is not
    `SOLVED` are those seen until then.
    """
    tasks, rows, inputs = len(networks), objectives.shape[1], lower.shape[1]
    extremes, points = np.empty((tasks, 2, rows)), np.empty((tasks, 2, rows, inputs))
    took = np.empty((tasks, 4), dtype=np.int64)
    for task in range(tasks):
        reduced, varying = reduced_to_cube(program, networks[task], lower[task], upper[task], low[task], high[task])
        found = Found(extremes[task], np.zeros((2, rows, len(varying))))
        for row in range(rows):
            found.value[0, row], found.value[1, row] = LARGEST, -LARGEST
        ended, splits, depth = _explore(reduced, len(varying), objectives[task], limits, found)
        took[task, 0], took[task, 1], took[task, 2], took[task, 3] = ended, splits, depth, len(varying)
        for side in range(2):
            for row in range(rows):
                _fill_point(lower[task], upper[task], varying, found.point[side, row], points[task, side, row])
    return extremes, points, took


@compiled_for_finite
def allowances(took: Integers) -> tuple[Floats, Floats]:
    """The slack and the cover of tasks from what they took, `(tasks, 4)`; see `docs/exact.md`."""
    slack, cover = np.empty(len(took)), np.empty(len(took))
    for task in range(len(took)):
        _, splits, depth, varying = took[task]
        slack[task] = ON_HYPERPLANE + (2 * varying + 16 + 3 * depth) * ULP
        cover[task] = 2 * varying * slack[task] * (splits + 1)
    return slack, cover


@compiled_in_place_for_finite
def _fill_point(lower: Floats, upper: Floats, varying: Integers, cube_point: Floats, point: Floats) -> None:
    """The point of the box at a point of the cube."""
    for value in range(len(lower)):
        point[value] = lower[value]
    for column, value in enumerate(varying):
        centre, radius = centre_and_radius(lower[value], upper[value])
        point[value] = min(max(centre + radius * cube_point[column], lower[value]), upper[value])


@compiled_for_finite
def _explore(network: Reduced, varying: int, objective: Floats, limits: Limits, found: Found) -> tuple[int, int, int]:
    """Goes through the regions of one task; gives how it ended, the splits, and the most hyperplanes on one path."""
    outputs, hyperplanes = len(network.first) - 1, int(np.count_nonzero(network.undecided))
    if 2**varying > limits.vertices:
        return TOO_MANY_VERTICES, 0, 0
    maps, vertices, waiting = _first_maps(network), cube(varying, hyperplanes), _nothing_waits(network, hyperplanes)
    level, splits, depth, facets = 0, 0, 0, 0
    block, unit, start, stop = 0, varying, 0, 2**varying
    _compose(network, block, maps)
    while True:
        if block == outputs:
            _record(maps, unit, objective, vertices, start, stop, found)
            if level == 0:
                return SOLVED, splits, depth
            level -= 1
            block, unit, start, stop, facets = _resume(network, waiting, level, maps)
        unit, tolerance = _next_split(network, block, unit, maps, vertices, start, stop)
        if unit == network.begin[block + 1]:
            block += 1
            _compose(network, block, maps)
            continue
        if splits + 2 > limits.regions or limits.stop[0]:
            return (STOPPED if limits.stop[0] else TOO_MANY_REGIONS), splits, depth
        middle, first, end = split(vertices, start, stop, tolerance, 2 * varying + facets)
        while middle == NO_ROOM:
            vertices = with_twice_the_room(vertices)
            middle, first, end = split(vertices, start, stop, tolerance, 2 * varying + facets)
        stop = end
        if stop > limits.vertices:
            return TOO_MANY_VERTICES, splits, depth
        splits, facets = splits + 1, facets + 1
        depth = max(depth, facets)
        _postpone(network, waiting, level, (block, unit, start, middle, facets), maps)
        maps.gains[unit] = 1.0
        level, unit, start = level + 1, unit + 1, first


@compiled_for_finite
def _first_maps(network: Reduced) -> Maps:
    """Room for the maps of all values; those of the inputs are filled."""
    inputs, values = network.begin[0], network.begin[-1]
    maps = Maps(np.zeros((inputs, values)), np.zeros(values), network.slope.copy())
    for value in range(inputs):
        maps.slopes[value, value] = 1.0
    return maps


@compiled_for_finite
def _nothing_waits(network: Reduced, hyperplanes: int) -> Waiting:
    widest = 0
    for block in range(len(network.first)):
        widest = max(widest, network.begin[block + 1] - network.begin[block])
    return Waiting(np.empty((hyperplanes + 1, 5), dtype=np.int64), np.empty((hyperplanes + 1, widest)))


@compiled_in_place_for_finite
def _postpone(
    network: Reduced, waiting: Waiting, level: int, place: tuple[int, int, int, int, int], maps: Maps
) -> None:
    """Keeps a region whose present unit is below zero for later."""
    block, unit, start, stop, facets = place
    begin, end = network.begin[block], network.begin[block + 1]
    maps.gains[unit] = network.slope[unit]
    for other in range(begin, end):
        waiting.gains[level, other - begin] = maps.gains[other]
    kept = waiting.place[level]
    kept[0], kept[1], kept[2], kept[3], kept[4] = block, unit + 1, start, stop, facets


@compiled_in_place_for_finite
def _resume(network: Reduced, waiting: Waiting, level: int, maps: Maps) -> tuple[int, int, int, int, int]:
    """The region that waits at a level. Its block's maps are still in place: only later blocks were composed since."""
    kept = waiting.place[level]
    begin, end = network.begin[kept[0]], network.begin[kept[0] + 1]
    for unit in range(begin, end):
        maps.gains[unit] = waiting.gains[level, unit - begin]
    return kept[0], kept[1], kept[2], kept[3], kept[4]


@compiled_in_place_for_finite
def _compose(network: Reduced, block: int, maps: Maps) -> None:
    """The maps of a block's units from the maps and gains of the values it reads, those that are off left out."""
    first, begin, units = network.first[block], network.begin[block], network.begin[block + 1] - network.begin[block]
    offsets = maps.offsets[begin : begin + units]
    for unit in range(units):
        offsets[unit] = network.biases[begin + unit]
    for column in range(len(maps.slopes)):
        for unit in range(units):
            maps.slopes[column, begin + unit] = 0.0
    for source in range(first, begin):
        gain = maps.gains[source]
        if gain == 0.0:
            continue
        start = network.offset[block] + (source - first) * units
        weights = network.weights[start : start + units]
        shift = gain * maps.offsets[source]
        for unit in range(units):
            offsets[unit] += weights[unit] * shift
        for column in range(len(maps.slopes)):
            slopes, slope = maps.slopes[column, begin : begin + units], gain * maps.slopes[column, source]
            for unit in range(units):
                slopes[unit] += weights[unit] * slope


@compiled_in_place_for_finite
def _next_split(
    network: Reduced, block: int, unit: int, maps: Maps, vertices: Vertices, start: int, stop: int
) -> tuple[int, float]:
    """Decides a block's units over a region, from `unit` to the first that splits it or to the block's end.

    Gives that unit, whose heights are left in `vertices`, and how far from its hyperplane a vertex still lies on it.
    """
    fill_bounding_box(vertices, start, stop)
    for candidate in range(unit, network.begin[block + 1]):
        if not network.undecided[candidate]:
            continue
        low, high, size = maps.offsets[candidate], maps.offsets[candidate], 0.0
        for column in range(len(maps.slopes)):
            slope = maps.slopes[column, candidate]
            low += min(slope * vertices.low[column], slope * vertices.high[column])
            high += max(slope * vertices.low[column], slope * vertices.high[column])
            size += abs(slope)
            vertices.normal[column] = slope
        tolerance = max(ON_HYPERPLANE * size, SMALLEST_HEIGHT)
        if low < -tolerance and high > tolerance:
            low, high = fill_heights(vertices, start, stop, maps.offsets[candidate])
        if low < -tolerance and high > tolerance:
            return candidate, tolerance
        maps.gains[candidate] = 1.0 if low >= -tolerance else network.slope[candidate]
    return network.begin[block + 1], 0.0


@compiled_in_place_for_finite
def _record(
    maps: Maps, outputs: int, objective: Floats, vertices: Vertices, start: int, stop: int, found: Found
) -> None:
    """Keeps the extremes of the objective over a region; `outputs` is the number of the first output."""
    for row in range(len(objective)):
        offset = 0.0
        for column in range(len(maps.slopes)):
            vertices.normal[column] = 0.0
        for output in range(objective.shape[1]):
            weight = objective[row, output]
            offset += weight * maps.offsets[outputs + output]
            for column in range(len(maps.slopes)):
                vertices.normal[column] += weight * maps.slopes[column, outputs + output]
        low, high = fill_heights(vertices, start, stop, offset)
        if low < found.value[0, row]:
            found.value[0, row] = low
            _keep_point(vertices, start, low, found.point[0, row])
        if high > found.value[1, row]:
            found.value[1, row] = high
            _keep_point(vertices, start, high, found.point[1, row])


@compiled_in_place_for_finite
def _keep_point(vertices: Vertices, start: int, height: float, point: Floats) -> None:
    """Copies the first vertex of this height."""
    vertex = start
    while vertices.heights[vertex] != height:
        vertex += 1
    for column in range(len(point)):
        point[column] = vertices.points[column, vertex]

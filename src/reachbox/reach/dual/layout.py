"""How a chain lies in memory for the compiled rows.

Everything is a convolution here (a linear layer is one on a grid of one position). *Levels* lie between layers: level 0
is the input, layer `j` leads from level `j - 1` to level `j`. A level's slopes `d`, radii `r` and lists of active
channels (`d` or `r` not 0) are stored position by position, channels last, one level after the other, samples first.
Weights lie as `(ky, kx, out, in)`, layer after layer.

A *block* is up to `LANES` rows of one sample that start at the same place, side by side: units of one position of a
layer, or rows of an objective. It is four numbers: sample, position (-1 for an objective), first row, number of rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from reachbox.machine_code import compiled

# Columns of the geometry: row j tells of layer j (from level j - 1 to level j) and of level j itself.
STRIDE_Y, STRIDE_X, PAD_Y, PAD_X, GAP_Y, GAP_X, KERNEL_Y, KERNEL_X, OUT, IN, GROUPS = range(11)
WEIGHTS = 11  # where the layer's weights begin
HEIGHT, WIDTH, CHANNELS = range(12, 15)
UNITS, POSITIONS, VALUES = range(15, 18)  # where the level's units, positions and lanes of values begin
LANE_SUMS = 18  # where the layer's weight gradients kept lane by lane begin, or -1 where they are not kept so
COLUMNS = 19

SAMPLE, POSITION, FIRST, COUNT = range(4)  # of a block

Array = Any


class Rows(NamedTuple):
    """What the rows run through: the chain, and slopes, radii and active channels of every level of every sample."""

    geo: Array
    weights: Array
    turned: Array  # the same with input channels before output channels, and a vector to spare
    objective: Array  # (samples, rows, outputs), for rows that start at the output
    slopes: Array
    radii: Array
    active: Array
    counts: Array


class Room(NamedTuple):
    """What one thread works in: coefficients and gradients of every level, and lists of places."""

    window: Array  # y0, y1, x0, x1 of each level
    values: Array
    gradient: Array
    sums: Array
    of_rows: Array
    seen_values: Array
    seen_weights: Array
    pair_values: Array
    pair_gradients: Array
    turned: Array
    every_lane: Array


class Gradients(NamedTuple):
    """Where one thread adds gradients."""

    weights: Array
    turned: Array  # those of the rows' first weights, laid out as `Rows.turned`
    lane_sums: Array
    objective: Array
    slopes: Array
    radii: Array
    slopes_by_lane: Array  # of one sample, a vector for each unit
    radii_by_lane: Array


@compiled
def show_windows(geo: Array, top: int, window: Array) -> None:
    """The rectangle `y0, y1, x0, x1` that each level below `top` shows to the rectangle at `top`."""
    for j in range(top, 0, -1):
        for axis in range(2):
            first, end = window[j, 2 * axis], window[j, 2 * axis + 1]
            low = first * geo[j, STRIDE_Y + axis] - geo[j, PAD_Y + axis]
            high = (end - 1) * geo[j, STRIDE_Y + axis] - geo[j, PAD_Y + axis]
            high += geo[j, GAP_Y + axis] * (geo[j, KERNEL_Y + axis] - 1) + 1
            window[j - 1, 2 * axis] = max(low, 0)
            window[j - 1, 2 * axis + 1] = min(high, geo[j - 1, HEIGHT + axis])


@compiled
def at(rows: Rows, window: Array, n: int, level: int, y: int, x: int, lanes: int) -> tuple[int, int, int]:
    """Of a position: where its units begin, how many of them are active, and where its values begin."""
    geo = rows.geo
    position = y * geo[level, WIDTH] + x
    begin = geo[level, UNITS] + position * geo[level, CHANNELS]
    wide = window[level, 3] - window[level, 2]
    inside = (y - window[level, 0]) * wide + x - window[level, 2]
    place = geo[level, VALUES] + inside * geo[level, CHANNELS] * lanes
    return begin, rows.counts[n, geo[level, POSITIONS] + position], place


@compiled
def list_active(rows: Rows, top: int) -> None:
    """Fills `active` and `counts`: for each sample and position the channels whose slope or radius is not 0."""
    geo = rows.geo
    for n in range(len(rows.slopes)):
        for level in range(top + 1):
            channels = geo[level, CHANNELS]
            for p in range(geo[level, HEIGHT] * geo[level, WIDTH]):
                begin, found = geo[level, UNITS] + p * channels, 0
                for c in range(channels):
                    if rows.slopes[n, begin + c] != 0 or rows.radii[n, begin + c] != 0:
                        rows.active[n, begin + found] = c
                        found += 1
                rows.counts[n, geo[level, POSITIONS] + p] = found


@compiled
def seen_from(
    geo: Array, active: Array, counts: Array, room: Room, j: int, y: int, x: int, group: int, step: int, lanes: int
) -> int:
    """What a position of layer `j` sees: for each kernel tap and active channel below, where its values and weight are.

    `active` and `counts` are those of one sample. Fills `seen_values` with places at level `j - 1`, `seen_weights` with
    offsets into the layer's weights of output channel 0, `step` apart for neighbouring input channels; gives their
    number.
    """
    low, found = j - 1, 0
    inputs = geo[j, IN]
    skip = group * inputs
    height, width, channels = geo[low, HEIGHT], geo[low, WIDTH], geo[low, CHANNELS]
    units, positions, values = geo[low, UNITS], geo[low, POSITIONS], geo[low, VALUES]
    y0, x0, wide = room.window[low, 0], room.window[low, 2], room.window[low, 3] - room.window[low, 2]
    kernel_x, gap_y, gap_x = geo[j, KERNEL_X], geo[j, GAP_Y], geo[j, GAP_X]
    top, left = y * geo[j, STRIDE_Y] - geo[j, PAD_Y], x * geo[j, STRIDE_X] - geo[j, PAD_X]
    size = geo[j, OUT] * inputs
    for ky in range(geo[j, KERNEL_Y]):
        yy = top + ky * gap_y
        if yy < 0 or yy >= height:
            continue
        for kx in range(kernel_x):
            xx = left + kx * gap_x
            if xx < 0 or xx >= width:
                continue
            position = yy * width + xx
            begin = units + position * channels
            place = values + ((yy - y0) * wide + xx - x0) * channels * lanes
            tap = (ky * kernel_x + kx) * size - skip * step
            for i in range(begin, begin + counts[positions + position]):
                c = active[i]
                if skip <= c < skip + inputs:
                    room.seen_values[found] = place + c * lanes
                    room.seen_weights[found] = tap + c * step
                    found += 1
    return found


@compiled
def group_at(geo: Array, active: Array, j: int, begin: int, count: int, group: int) -> tuple[int, int]:
    """The part of a position's list of active channels at level `j` that one group of layer `j` gives."""
    if geo[j, GROUPS] == 1:
        return begin, count
    per_group = geo[j, OUT] // geo[j, GROUPS]
    first = begin
    while first < begin + count and active[first] < group * per_group:
        first += 1
    end = first
    while end < begin + count and active[end] < (group + 1) * per_group:
        end += 1
    return first, end - first

"""How a chain lies in memory for the compiled rows.

Everything is a convolution here (a linear layer is one on a grid of one position). *Levels* lie between layers: level 0
is the input, layer `j` leads from level `j - 1` to level `j`. A level's slopes `d` and radii `r` are stored position by
position, channels last, one level after the other, samples first. Active units (`d` or `r` not 0) are listed in that
order, each by its number within its row of positions, `x channels + c`.
Weights are matrices, a row for each output channel: `(out, ky, kx, in)`, layer after layer.

Coefficients of a level are kept, a vector of lanes for each unit, for the *window* of positions that a block shows to
it; all windows of a level are as wide as the widest.

A *block* is up to `LANES` rows of one sample that start at the same place, side by side: units of one position of a
layer, or rows of an objective. It is four numbers: sample, position (-1 for an objective), first row, number of rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from reachbox.machine_code import compiled_in_place

# Columns of the geometry: row j tells of layer j (from level j - 1 to level j) and of level j itself.
STRIDE_Y, STRIDE_X, PAD_Y, PAD_X, GAP_Y, GAP_X, KERNEL_Y, KERNEL_X, OUT, IN, GROUPS = range(11)
WEIGHTS = 11  # where the layer's weights begin
HEIGHT, WIDTH, CHANNELS = range(12, 15)
UNITS, POSITIONS, VALUES = range(15, 18)  # where the level's units, positions and lanes of values begin
LANE_SUMS = 18  # where the layer's weight gradients kept lane by lane begin, or -1 where they are not kept so
COLUMNS = 19

SAMPLE, POSITION, FIRST, COUNT = range(4)  # of a block

Array = Any


class Batch(NamedTuple):
    """What rows run through: the chain, and slopes and radii of every level of every sample."""

    geo: Array
    weights: Array
    turned: Array  # the same, each matrix transposed, and a vector to spare
    objective: Array  # (samples, rows, outputs), for rows that start at the output
    slopes: Array
    radii: Array


class Rows(NamedTuple):
    """The same for the rows of one sample, and its active units."""

    geo: Array
    weights: Array
    turned: Array
    objective: Array
    slopes: Array
    radii: Array
    active: Array
    starts: Array  # where the active units of each position begin; those of the next one follow


class Room(NamedTuple):
    """What one thread works in: coefficients and gradients of every level, and lists of places."""

    window: Array  # y0, y1, x0, x1 of each level
    wide: Array  # positions from one row of each level's window to the next
    origin: Array  # where the vectors of a level would begin if its window began at position 0
    values: Array
    gradient: Array
    sums: Array
    of_rows: Array
    seen_starts: Array  # what positions see, see `seen.py`
    seen_places: Array
    seen_inputs: Array
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


@compiled_in_place
def lanes_of(values: Array) -> int:
    """Numbers in one vector."""
    return int(64 // values.itemsize)


@compiled_in_place
def show_windows(geo: Array, top: int, room: Room) -> None:
    """The rectangle `y0, y1, x0, x1` that each level below `top` shows to the rectangle at `top`, and where it lies."""
    window, begin, lanes = room.window, 0, lanes_of(room.values)
    for j in range(top, 0, -1):
        for axis in range(2):
            first, end = window[j, 2 * axis], window[j, 2 * axis + 1]
            low = first * geo[j, STRIDE_Y + axis] - geo[j, PAD_Y + axis]
            high = (end - 1) * geo[j, STRIDE_Y + axis] - geo[j, PAD_Y + axis]
            high += geo[j, GAP_Y + axis] * (geo[j, KERNEL_Y + axis] - 1) + 1
            window[j - 1, 2 * axis] = max(low, 0)
            window[j - 1, 2 * axis + 1] = max(min(high, geo[j - 1, HEIGHT + axis]), window[j - 1, 2 * axis])
    for level in range(top + 1):
        y, x, vectors = window[level, 0], window[level, 2], geo[level, CHANNELS] * lanes
        room.origin[level] = begin - (y * room.wide[level] + x) * vectors
        begin += (window[level, 1] - y) * room.wide[level] * vectors


@compiled_in_place
def widest_windows(geo: Array, top: int, of_units: bool, wide: Array) -> None:
    """How wide the window of each level is at most, below a unit of layer `top + 1`, or below the whole level `top`."""
    j = top + of_units
    wide[j] = 1 if of_units else geo[top, WIDTH]
    for level in range(j - 1, -1, -1):
        seen = (wide[level + 1] - 1) * geo[level + 1, STRIDE_X] + geo[level + 1, GAP_X] * (geo[level + 1, KERNEL_X] - 1)
        wide[level] = min(seen + 1, geo[level, WIDTH])


@compiled_in_place
def row_at(rows: Rows, room: Room, level: int, y: int) -> tuple[int, int, int, int]:
    """Of a row of a level's window: the row's first unit, where the window's active units begin and how many there are,
    and where the vector of the row's first unit would lie."""
    geo = rows.geo
    position = y * geo[level, WIDTH]
    begin = geo[level, UNITS] + position * geo[level, CHANNELS]
    first = rows.starts[geo[level, POSITIONS] + position + room.window[level, 2]]
    end = rows.starts[geo[level, POSITIONS] + position + room.window[level, 3]]
    place = room.origin[level] + y * room.wide[level] * geo[level, CHANNELS] * lanes_of(room.values)
    return begin, first, end - first, place


@compiled_in_place
def list_active(rows: Rows, top: int) -> None:
    """Fills `active` and `starts`: the units whose slope or radius is not 0."""
    geo, found = rows.geo, 0
    for level in range(top + 1):
        channels, width = geo[level, CHANNELS], geo[level, WIDTH]
        for y in range(geo[level, HEIGHT]):
            row = geo[level, UNITS] + y * width * channels
            for x in range(width):
                rows.starts[geo[level, POSITIONS] + y * width + x] = found
                for unit in range(x * channels, (x + 1) * channels):
                    rows.active[found] = unit
                    found += rows.slopes[row + unit] != 0 or rows.radii[row + unit] != 0
    rows.starts[geo[top + 1, POSITIONS]] = found


@compiled_in_place
def of_group(geo: Array, active: Array, j: int, x: int, first: int, end: int, group: int) -> tuple[int, int]:
    """The part of a position's active units at level `j`, `active[first:end]`, that one group of layer `j` gives."""
    if geo[j, GROUPS] == 1:
        return first, end
    per_group = geo[j, OUT] // geo[j, GROUPS]
    low = x * geo[j, CHANNELS] + group * per_group
    while first < end and active[first] < low:
        first += 1
    last = first
    while last < end and active[last] < low + per_group:
        last += 1
    return first, last

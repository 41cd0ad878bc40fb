"""Rows on their way down a chain, compiled: coefficients `a` of each level, and what they add to each row's radius."""

from __future__ import annotations

from reachbox.machine_code import compiled_in_place
from reachbox.reach.dual.carried_rows import take_rows, take_units
from reachbox.reach.dual.lanes import add_radii, clear, clear_channels, through_activation
from reachbox.reach.dual.layout import (
    CHANNELS,
    COUNT,
    FIRST,
    GAP_X,
    GAP_Y,
    GROUPS,
    HEIGHT,
    OUT,
    POSITION,
    POSITIONS,
    WEIGHTS,
    WIDTH,
    Array,
    Room,
    Rows,
    lanes_of,
    of_group,
    row_at,
    show_windows,
)
from reachbox.reach.dual.seen import lists_before
from reachbox.reach.dual.tiles import add_product


@compiled_in_place
def descend(rows: Rows, room: Room, top: int, block: Array, units: Array) -> None:
    """One block from level `top` to the input; leaves `a d` of every level in `values`, the radii in `sums`."""
    geo, window = rows.geo, room.window
    clear(room.sums, 0)
    if block[POSITION] < 0:
        window[top, 0], window[top, 1], window[top, 2], window[top, 3] = 0, geo[top, HEIGHT], 0, geo[top, WIDTH]
        show_windows(geo, top, room)
        _start_objective(rows, room, top, block, units)
    else:
        y, x = block[POSITION] // geo[top + 1, WIDTH], block[POSITION] % geo[top + 1, WIDTH]
        window[top + 1, 0], window[top + 1, 1], window[top + 1, 2], window[top + 1, 3] = y, y + 1, x, x + 1
        show_windows(geo, top + 1, room)
        _start_units(rows, room, top, block, units)
    for level in range(top, 0, -1):
        _through_activation(rows, room, level)
        _through_layer(rows, room, level)
    for y in range(window[0, 0], window[0, 1]):
        begin, first, count, place = row_at(rows, room, 0, y)
        add_radii(room.sums, room.values, place, rows.slopes, rows.radii, begin, rows.active, first, count)


@compiled_in_place
def side_by_side(geo: Array, j: int, block: Array, units: Array) -> bool:
    """Whether a block's rows are neighbouring output channels of layer `j`, so that their weights fill a vector."""
    first, last = units[block[FIRST]], units[block[FIRST] + block[COUNT] - 1]
    return bool(geo[j, GROUPS] == 1 and last - first == block[COUNT] - 1)


@compiled_in_place
def _start_units(rows: Rows, room: Room, level: int, block: Array, units: Array) -> None:
    """A block of units of layer `level + 1`: their weights. Lanes beyond the block hold other units' weights, or 0."""
    geo, j = rows.geo, level + 1
    if geo[j, GROUPS] > 1 or max(geo[j, GAP_Y], geo[j, GAP_X]) > 1:  # else all units of the window are seen
        clear_level(rows, room, level, room.values)
    number = lists_before(geo, j) + block[POSITION] * geo[j, GROUPS]
    first, end = room.seen_starts[number], room.seen_starts[number + geo[j, GROUPS]]
    if side_by_side(geo, j, block, units):
        take_rows(
            room.values, room.origin[level], room.seen_places, rows.turned, geo[j, WEIGHTS] + units[block[FIRST]],
            geo[j, OUT], room.seen_inputs, first, end - first,
        )  # fmt: skip
        return
    if geo[j, GROUPS] == 1:
        take_units(
            room.values, room.origin[level], room.seen_places, rows.turned, geo[j, WEIGHTS],
            geo[j, OUT], room.seen_inputs, first, end - first, units, block[FIRST], block[COUNT],
        )  # fmt: skip
        return
    per_group = geo[j, OUT] // geo[j, GROUPS]
    for lane in range(block[COUNT]):
        unit = units[block[FIRST] + lane]
        group = unit // per_group
        for i in range(room.seen_starts[number + group], room.seen_starts[number + group + 1]):
            weight = rows.turned[geo[j, WEIGHTS] + room.seen_inputs[i] * geo[j, OUT] + unit]
            room.values[room.origin[level] + room.seen_places[i] + lane] = weight


@compiled_in_place
def _start_objective(rows: Rows, room: Room, level: int, block: Array, units: Array) -> None:
    """A block of an objective's rows at the output."""
    lanes = lanes_of(room.values)
    for unit in range(rows.objective.shape[1]):
        place = room.origin[level] + unit * lanes
        clear(room.values, place)
        for lane in range(block[COUNT]):
            room.values[place + lane] = rows.objective[units[block[FIRST] + lane], unit]


@compiled_in_place
def clear_level(rows: Rows, room: Room, level: int, values: Array) -> None:
    """Zero for every active unit in a level's window."""
    for y in range(room.window[level, 0], room.window[level, 1]):
        _, first, count, place = row_at(rows, room, level, y)
        clear_channels(values, place, rows.active, first, count)


@compiled_in_place
def _through_activation(rows: Rows, room: Room, level: int) -> None:
    """Adds `|a| r` to the rows' radii and turns `a` into `a d`."""
    slopes, radii, active = rows.slopes, rows.radii, rows.active
    for y in range(room.window[level, 0], room.window[level, 1]):
        begin, first, count, place = row_at(rows, room, level, y)
        through_activation(room.sums, room.values, place, slopes, radii, begin, active, first, count)


@compiled_in_place
def _through_layer(rows: Rows, room: Room, j: int) -> None:
    """Coefficients at level `j` to coefficients at level `j - 1`: the transpose of layer `j`, where it is active."""
    geo, window, active, groups = rows.geo, room.window, rows.active, rows.geo[j, GROUPS]
    clear_level(rows, room, j - 1, room.values)
    lanes, channels, before = lanes_of(room.values), geo[j, CHANNELS], lists_before(geo, j)
    for y in range(window[j, 0], window[j, 1]):
        row = room.origin[j] + y * room.wide[j] * channels * lanes
        for x in range(window[j, 2], window[j, 3]):
            position = y * geo[j, WIDTH] + x
            begin = rows.starts[geo[j, POSITIONS] + position]
            end = rows.starts[geo[j, POSITIONS] + position + 1]
            weights = geo[j, WEIGHTS] - x * channels
            for group in range(groups):
                first, last = of_group(geo, active, j, x, begin, end, group)
                number = before + position * groups + group
                seen = room.seen_starts[number]
                add_product(
                    room.values, room.origin[j - 1], 1, room.seen_places,
                    rows.turned, weights, geo[j, OUT], room.seen_inputs, seen, room.seen_starts[number + 1] - seen,
                    room.values, row, active, active, lanes, first, last - first,
                )  # fmt: skip

"""Rows on their way down a chain, compiled: coefficients `a` of each level, and what they add to each row's radius."""

from __future__ import annotations

from reachbox.machine_code import compiled
from reachbox.reach.dual.lanes import add_radii, clear, clear_channels, take_rows, through_activation
from reachbox.reach.dual.layout import (
    CHANNELS,
    COUNT,
    FIRST,
    GAP_X,
    GAP_Y,
    GROUPS,
    HEIGHT,
    IN,
    KERNEL_X,
    OUT,
    PAD_X,
    PAD_Y,
    POSITION,
    SAMPLE,
    STRIDE_X,
    STRIDE_Y,
    VALUES,
    WEIGHTS,
    WIDTH,
    Array,
    Room,
    Rows,
    at,
    group_at,
    seen_from,
    show_windows,
)
from reachbox.reach.dual.tiles import REGISTERS, tile_of_many, tile_of_one


@compiled
def descend(rows: Rows, room: Room, top: int, block: Array, units: Array, lanes: int) -> None:
    """One block from level `top` to the input; leaves `a d` of every level in `values`, the radii in `sums`."""
    geo, window, n = rows.geo, room.window, block[SAMPLE]
    clear(room.sums, 0)
    if block[POSITION] < 0:
        window[top, 0], window[top, 1], window[top, 2], window[top, 3] = 0, geo[top, HEIGHT], 0, geo[top, WIDTH]
        show_windows(geo, top, window)
        _start_objective(rows, room, top, block, units, lanes)
    else:
        y, x = block[POSITION] // geo[top + 1, WIDTH], block[POSITION] % geo[top + 1, WIDTH]
        window[top + 1, 0], window[top + 1, 1], window[top + 1, 2], window[top + 1, 3] = y, y + 1, x, x + 1
        show_windows(geo, top + 1, window)
        _start_units(rows, room, top, block, units, lanes)
    for level in range(top, 0, -1):
        _through_activation(rows, room, level, n, lanes)
        _through_layer(rows, room, level, n, lanes)
    _through_activation(rows, room, 0, n, lanes)


@compiled
def tap_of(geo: Array, j: int, block: Array, y: int, x: int) -> int:
    """The kernel tap by which a block's position of layer `j` sees a position below; -1 if it falls into a gap."""
    top, left = block[POSITION] // geo[j, WIDTH], block[POSITION] % geo[j, WIDTH]
    ky, kx = y - top * geo[j, STRIDE_Y] + geo[j, PAD_Y], x - left * geo[j, STRIDE_X] + geo[j, PAD_X]
    if ky % geo[j, GAP_Y] or kx % geo[j, GAP_X]:
        return -1
    return int(ky // geo[j, GAP_Y] * geo[j, KERNEL_X] + kx // geo[j, GAP_X])


@compiled
def clear_level(rows: Rows, window: Array, level: int, n: int, values: Array, lanes: int) -> None:
    """Zero for every active channel in a level's window."""
    active = rows.active[n]
    for y in range(window[level, 0], window[level, 1]):
        for x in range(window[level, 2], window[level, 3]):
            begin, count, place = at(rows, window, n, level, y, x, lanes)
            clear_channels(values, place, active, begin, count)


@compiled
def clear_inactive(rows: Rows, window: Array, level: int, n: int, values: Array, lanes: int) -> None:
    """Zero for every channel in a level's window that is not active."""
    active, channels = rows.active[n], rows.geo[level, CHANNELS]
    for y in range(window[level, 0], window[level, 1]):
        for x in range(window[level, 2], window[level, 3]):
            begin, count, place = at(rows, window, n, level, y, x, lanes)
            if count == channels:
                continue
            i = begin
            for c in range(channels):
                if i < begin + count and active[i] == c:
                    i += 1
                else:
                    clear(values, place + c * lanes)


@compiled
def side_by_side(geo: Array, j: int, block: Array, units: Array) -> bool:
    """Whether a block's rows are neighbouring output channels of layer `j`, so that their weights fill a vector."""
    first, last = units[block[FIRST]], units[block[FIRST] + block[COUNT] - 1]
    return bool(geo[j, GROUPS] == 1 and last - first == block[COUNT] - 1)


@compiled
def _start_units(rows: Rows, room: Room, level: int, block: Array, units: Array, lanes: int) -> None:
    """A block of units of layer `level + 1`: their weights. Lanes beyond the block hold other units' weights, or 0."""
    geo, window, n, j = rows.geo, room.window, block[SAMPLE], level + 1
    active, outputs, inputs = rows.active[n], geo[j, OUT], geo[j, IN]
    first = units[block[FIRST]]
    neighbours = side_by_side(geo, j, block, units)
    for y in range(window[level, 0], window[level, 1]):
        for x in range(window[level, 2], window[level, 3]):
            tap = tap_of(geo, j, block, y, x)
            begin, count, place = at(rows, window, n, level, y, x, lanes)
            if tap < 0:
                clear_channels(room.values, place, active, begin, count)
            elif neighbours:
                base = geo[j, WEIGHTS] + tap * outputs * inputs + first
                take_rows(room.values, place, rows.turned, base, outputs, active, begin, count)
            else:
                _gather(rows, room, j, tap, block, units, begin, count, place, lanes)


@compiled
def _gather(
    rows: Rows, room: Room, j: int, tap: int, block: Array, units: Array, begin: int, count: int, place: int, lanes: int
) -> None:
    """The weights by which units anywhere in a layer see the active channels of a position."""
    geo, active, first = rows.geo, rows.active[block[SAMPLE]], block[FIRST]
    outputs, inputs = geo[j, OUT], geo[j, IN]
    per_group = outputs // geo[j, GROUPS]
    clear_channels(room.values, place, active, begin, count)
    for i in range(begin, begin + count):
        c = active[i]
        here, group = place + c * lanes, c // inputs
        base = geo[j, WEIGHTS] + (tap * inputs + c - group * inputs) * outputs
        for lane in range(block[COUNT]):
            unit = units[first + lane]
            if geo[j, GROUPS] == 1 or unit // per_group == group:
                room.values[here + lane] = rows.turned[base + unit]


@compiled
def _start_objective(rows: Rows, room: Room, level: int, block: Array, units: Array, lanes: int) -> None:
    """A block of an objective's rows at the output."""
    for unit in range(rows.objective.shape[2]):
        place = rows.geo[level, VALUES] + unit * lanes
        clear(room.values, place)
        for lane in range(block[COUNT]):
            room.values[place + lane] = rows.objective[block[SAMPLE], units[block[FIRST] + lane], unit]


@compiled
def _through_activation(rows: Rows, room: Room, level: int, n: int, lanes: int) -> None:
    """Adds `|a| r` to the rows' radii and turns `a` into `a d`; at the input only the radii matter."""
    window, active, slopes, radii = room.window, rows.active[n], rows.slopes[n], rows.radii[n]
    for y in range(window[level, 0], window[level, 1]):
        for x in range(window[level, 2], window[level, 3]):
            begin, count, place = at(rows, window, n, level, y, x, lanes)
            if level:
                through_activation(room.sums, room.values, place, slopes, radii, begin, active, begin, count)
            else:
                add_radii(room.sums, room.values, place, slopes, radii, begin, active, begin, count)


@compiled
def _through_layer(rows: Rows, room: Room, j: int, n: int, lanes: int) -> None:
    """Coefficients at level `j` to coefficients at level `j - 1`: the transpose of layer `j`, where it is active."""
    geo, window, values = rows.geo, room.window, room.values
    clear_level(rows, window, j - 1, n, values, lanes)
    active, counts = rows.active[n], rows.counts[n]
    for y in range(window[j, 0], window[j, 1]):
        for x in range(window[j, 2], window[j, 3]):
            begin, total, place = at(rows, window, n, j, y, x, lanes)
            for group in range(geo[j, GROUPS]):
                first, count = group_at(geo, active, j, begin, total, group)
                if not count:
                    continue
                seen = seen_from(geo, active, counts, room, j, y, x, group, geo[j, OUT], lanes)
                whole = seen - seen % REGISTERS
                for r in range(0, whole, REGISTERS):
                    tile_of_many(
                        values, 0, 1, rows.turned, geo[j, WEIGHTS], 1, 1, values, place, lanes,
                        room.seen_values, room.seen_weights, r, active, active, first, count,
                    )  # fmt: skip
                for r in range(whole, seen):
                    tile_of_one(
                        values, 0, 1, rows.turned, geo[j, WEIGHTS], 1, 1, values, place, lanes,
                        room.seen_values, room.seen_weights, r, active, active, first, count,
                    )  # fmt: skip

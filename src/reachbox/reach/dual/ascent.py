"""Gradients on their way back up a chain, compiled: from each row's radius to weights, slopes and radii."""

from __future__ import annotations

from reachbox.machine_code import compiled
from reachbox.reach.dual.descent import clear_level, first_weight, tap_of
from reachbox.reach.dual.layout import (
    COUNT,
    FIRST,
    GAP_Y,
    GROUPS,
    IN,
    KERNEL_X,
    KERNEL_Y,
    LANE_SUMS,
    OUT,
    PAD_Y,
    POSITION,
    SAMPLE,
    STRIDE_Y,
    VALUES,
    WEIGHTS,
    Array,
    Gradients,
    Room,
    Rows,
    at,
    group_at,
    seen_from,
)
from reachbox.reach.dual.tiles import (
    REGISTERS,
    absolute_dot,
    add_product,
    add_signed,
    clear,
    dot,
    scale,
    tile_of_many,
    tile_of_one,
)


@compiled
def ascend(rows: Rows, room: Room, into: Gradients, top: int, block: Array, units: Array, lanes: int) -> None:
    """The gradients of one block, after its descent; `room.of_rows` holds that of its radii."""
    n = block[SAMPLE]
    _through_input(rows, room, into, n, lanes)
    for level in range(1, top + 1):
        _through_layer(rows, room, into, level, n, lanes)
        if rows.geo[level, LANE_SUMS] < 0:
            _to_weights(rows, room, into, level, n, lanes)
        _through_activation(rows, room, into, level, n, lanes)
    if block[POSITION] < 0:
        _to_objective(rows, room, into, top, block, units, lanes)
    else:
        _to_first_weights(rows, room, into, top, block, units, lanes)


@compiled
def _through_input(rows: Rows, room: Room, into: Gradients, n: int, lanes: int) -> None:
    """The gradient `g sign(a) eps` at level 0, and that of the input's radii."""
    window = room.window
    for y in range(window[0, 0], window[0, 1]):
        for x in range(window[0, 2], window[0, 3]):
            begin, count, place = at(rows, window, n, 0, y, x, lanes)
            for i in range(begin, begin + count):
                unit, here = begin + rows.active[n, i], place + rows.active[n, i] * lanes
                into.radii[n, unit] += absolute_dot(room.values, here, room.of_rows, 0)
                clear(room.gradient, here)
                add_signed(room.gradient, here, room.values, here, room.of_rows, 0, rows.radii[n, unit])


@compiled
def _through_activation(rows: Rows, room: Room, into: Gradients, level: int, n: int, lanes: int) -> None:
    """The gradient of `a d` to that of `a`; units of radius 0 do not move, so only the others' `d` and `r` get one."""
    window = room.window
    for y in range(window[level, 0], window[level, 1]):
        for x in range(window[level, 2], window[level, 3]):
            begin, count, place = at(rows, window, n, level, y, x, lanes)
            for i in range(begin, begin + count):
                unit, here = begin + rows.active[n, i], place + rows.active[n, i] * lanes
                slope, radius = rows.slopes[n, unit], rows.radii[n, unit]
                if radius != 0:
                    into.slopes[n, unit] += dot(room.gradient, here, room.values, here) / slope
                    into.radii[n, unit] += absolute_dot(room.values, here, room.of_rows, 0) / slope
                if slope != 1:
                    scale(room.gradient, here, slope)
                if radius != 0:
                    add_signed(room.gradient, here, room.values, here, room.of_rows, 0, radius)


@compiled
def _through_layer(rows: Rows, room: Room, into: Gradients, j: int, n: int, lanes: int) -> None:
    """The gradient at level `j - 1` to that at level `j`; where they are kept lane by lane, to the weights' too."""
    geo, window, gradient = rows.geo, room.window, room.gradient
    clear_level(rows, window, j, n, gradient, lanes)
    active, inputs = rows.active[n], geo[j, IN]
    for y in range(window[j, 0], window[j, 1]):
        for x in range(window[j, 2], window[j, 3]):
            begin, total, place = at(rows, window, n, j, y, x, lanes)
            for group in range(geo[j, GROUPS]):
                first, count = group_at(rows, j, n, begin, total, group)
                if not count:
                    continue
                seen = seen_from(rows, room, j, n, y, x, group, 1, lanes)
                whole = first + count - count % REGISTERS
                for r in range(first, whole, REGISTERS):
                    tile_of_many(
                        gradient, place, lanes, rows.weights, geo[j, WEIGHTS], inputs, 1, gradient, 0, 1,
                        active, active, r, room.seen_weights, room.seen_values, 0, seen,
                    )  # fmt: skip
                for r in range(whole, first + count):
                    tile_of_one(
                        gradient, place, lanes, rows.weights, geo[j, WEIGHTS], inputs, 1, gradient, 0, 1,
                        active, active, r, room.seen_weights, room.seen_values, 0, seen,
                    )  # fmt: skip
                if geo[j, LANE_SUMS] >= 0:
                    for r in range(first, first + count):
                        own, here = geo[j, LANE_SUMS] + active[r] * inputs, place + active[r] * lanes
                        for e in range(seen):
                            add_product(
                                into.lane_sums, (own + room.seen_weights[e]) * lanes,
                                room.values, here, gradient, room.seen_values[e],
                            )  # fmt: skip


@compiled
def _to_weights(rows: Rows, room: Room, into: Gradients, j: int, n: int, lanes: int) -> None:
    """Adds to the gradient of layer `j`'s weights, with vectors along the input channels."""
    geo, window, low, inputs = rows.geo, room.window, j - 1, rows.geo[j, IN]
    for y in range(window[low, 0], window[low, 1]):
        for x in range(window[low, 2], window[low, 3]):
            begin, count, place = at(rows, window, n, low, y, x, lanes)
            if not count:
                continue
            room.turned[: inputs * lanes] = 0
            for i in range(begin, begin + count):
                c = rows.active[n, i]
                for lane in range(lanes):
                    room.turned[lane * inputs + c] = room.gradient[place + c * lanes + lane]
            for ky in range(geo[j, KERNEL_Y]):
                above_y = _seen_by(geo, j, y, ky, 0)
                if above_y < window[j, 0] or above_y >= window[j, 1]:
                    continue
                for kx in range(geo[j, KERNEL_X]):
                    above_x = _seen_by(geo, j, x, kx, 1)
                    if window[j, 2] <= above_x < window[j, 3]:
                        first = geo[j, WEIGHTS] + (ky * geo[j, KERNEL_X] + kx) * geo[j, OUT] * inputs
                        where = at(rows, window, n, j, above_y, above_x, lanes)
                        _outer_product(room, into.weights, first, inputs, rows.active[n], where, lanes)


@compiled
def _seen_by(geo: Array, j: int, low: int, kernel: int, axis: int) -> int:
    """The position of layer `j` that sees position `low` by kernel tap `kernel`, on one axis; -1 if there is none."""
    moved = low + geo[j, PAD_Y + axis] - kernel * geo[j, GAP_Y + axis]
    if moved < 0 or moved % geo[j, STRIDE_Y + axis]:
        return -1
    return int(moved // geo[j, STRIDE_Y + axis])


@compiled
def _outer_product(
    room: Room, weights: Array, first: int, inputs: int, active: Array, where: tuple[int, int, int], lanes: int
) -> None:
    """`weights[out, in] += sum_lane values[out, lane] turned[lane, in]` for the active channels `out` of a position."""
    begin, count, place = where
    whole = begin + count - count % REGISTERS
    for r in range(begin, whole, REGISTERS):
        for v in range(0, inputs, lanes):  # innermost, so that rows of weights are met in order
            tile_of_many(
                weights, first + v, inputs, room.values, place, lanes, 1, room.turned, v, inputs,
                active, active, r, room.every_lane, room.every_lane, 0, lanes,
            )  # fmt: skip
    for r in range(whole, begin + count):
        for v in range(0, inputs, lanes):
            tile_of_one(
                weights, first + v, inputs, room.values, place, lanes, 1, room.turned, v, inputs,
                active, active, r, room.every_lane, room.every_lane, 0, lanes,
            )  # fmt: skip


@compiled
def _to_objective(rows: Rows, room: Room, into: Gradients, level: int, block: Array, units: Array, lanes: int) -> None:
    """The gradient at the start of an objective's rows; each row belongs to one block, so nothing is added up."""
    for lane in range(block[COUNT]):
        for unit in range(rows.objective.shape[2]):
            place = rows.geo[level, VALUES] + unit * lanes
            into.objective[block[SAMPLE], units[block[FIRST] + lane], unit] = room.gradient[place + lane]


@compiled
def _to_first_weights(
    rows: Rows, room: Room, into: Gradients, level: int, block: Array, units: Array, lanes: int
) -> None:
    """The gradient at the start of a block of units, which is that of their weights."""
    geo, window, n = rows.geo, room.window, block[SAMPLE]
    for y in range(window[level, 0], window[level, 1]):
        for x in range(window[level, 2], window[level, 3]):
            tap = tap_of(geo, level + 1, block, y, x)
            if tap < 0:
                continue
            begin, count, place = at(rows, window, n, level, y, x, lanes)
            for lane in range(block[COUNT]):
                skip, first = first_weight(geo, level + 1, tap, units[block[FIRST] + lane])
                for i in range(begin, begin + count):
                    c = rows.active[n, i]
                    if skip <= c < skip + geo[level + 1, IN]:
                        into.weights[first + c] += room.gradient[place + c * lanes + lane]

"""Gradients of weights, compiled: products of a layer's coefficients above it and gradients below it."""

from __future__ import annotations

from reachbox.machine_code import compiled_in_place
from reachbox.reach.dual.lanes import clear, turn_channels
from reachbox.reach.dual.layout import (
    CHANNELS,
    GAP_X,
    GAP_Y,
    GROUPS,
    IN,
    KERNEL_X,
    KERNEL_Y,
    LANE_SUMS,
    OUT,
    PAD_X,
    PAD_Y,
    POSITIONS,
    STRIDE_X,
    STRIDE_Y,
    WEIGHTS,
    WIDTH,
    Array,
    Gradients,
    Room,
    Rows,
    lanes_of,
    row_at,
)
from reachbox.reach.dual.tiles import TILES, add_pairs, add_product


@compiled_in_place
def to_lane_sums(rows: Rows, room: Room, into: Gradients, j: int) -> None:
    """Adds to the gradient of layer `j`'s weights lane by lane, a tap at a time, so that sums stay in registers."""
    geo, inputs, lanes = rows.geo, rows.geo[j, IN], lanes_of(room.values)
    _clear_inactive(rows, room, j, room.values)
    _clear_inactive(rows, room, j - 1, room.gradient)
    per_group = geo[j, OUT] // geo[j, GROUPS]
    columns = geo[j, KERNEL_Y] * geo[j, KERNEL_X] * inputs
    for ky in range(geo[j, KERNEL_Y]):
        for kx in range(geo[j, KERNEL_X]):
            pairs = _pairs_of_tap(geo, room, j, ky, kx)
            first = (ky * geo[j, KERNEL_X] + kx) * inputs
            for c in range(geo[j - 1, CHANNELS]):
                group = c // inputs
                out = group * per_group
                own = (geo[j, LANE_SUMS] + out * columns + first + c - group * inputs) * lanes
                add_pairs(
                    into.lane_sums, own, columns, per_group, room.values[out * lanes :], room.pair_values,
                    room.gradient, room.pair_gradients, c * lanes, pairs,
                )  # fmt: skip


@compiled_in_place
def _clear_inactive(rows: Rows, room: Room, level: int, values: Array) -> None:
    """Zero for every unit in a level's window that is not active."""
    channels, active, lanes = rows.geo[level, CHANNELS], rows.active, lanes_of(room.values)
    for y in range(room.window[level, 0], room.window[level, 1]):
        _, i, count, place = row_at(rows, room, level, y)
        end = i + count
        for c in range(room.window[level, 2] * channels, room.window[level, 3] * channels):
            if i < end and active[i] == c:
                i += 1
            else:
                clear(values, place + c * lanes)


@compiled_in_place
def _pairs_of_tap(geo: Array, room: Room, j: int, ky: int, kx: int) -> int:
    """Where values begin at each position of layer `j`, and gradients at the position that it sees by one tap."""
    low, window, found, lanes = j - 1, room.window, 0, lanes_of(room.values)
    above, below = geo[j, CHANNELS] * lanes, geo[low, CHANNELS] * lanes
    for y in range(window[j, 0], window[j, 1]):
        yy = y * geo[j, STRIDE_Y] - geo[j, PAD_Y] + ky * geo[j, GAP_Y]
        if yy < window[low, 0] or yy >= window[low, 1]:
            continue
        for x in range(window[j, 2], window[j, 3]):
            xx = x * geo[j, STRIDE_X] - geo[j, PAD_X] + kx * geo[j, GAP_X]
            if window[low, 2] <= xx < window[low, 3]:
                room.pair_values[found] = room.origin[j] + (y * room.wide[j] + x) * above
                room.pair_gradients[found] = room.origin[low] + (yy * room.wide[low] + xx) * below
                found += 1
    return found


@compiled_in_place
def to_weights(rows: Rows, room: Room, into: Gradients, j: int) -> None:
    """Adds to the gradient of layer `j`'s weights, with vectors along the input channels."""
    geo, window, low, inputs = rows.geo, room.window, j - 1, rows.geo[j, IN]
    lanes, active, channels = lanes_of(room.values), rows.active, geo[low, CHANNELS]
    for y in range(window[low, 0], window[low, 1]):
        row = room.origin[low] + y * room.wide[low] * channels * lanes
        for x in range(window[low, 2], window[low, 3]):
            position = geo[low, POSITIONS] + y * geo[low, WIDTH] + x
            first, end = rows.starts[position], rows.starts[position + 1]
            if first == end:
                continue
            room.turned[: inputs * lanes] = 0
            turn_channels(room.turned, -x * channels, inputs, room.gradient, row, active, first, end - first)
            for ky in range(geo[j, KERNEL_Y]):
                above_y = _seen_by(geo, j, y, ky, 0)
                if above_y < window[j, 0] or above_y >= window[j, 1]:
                    continue
                for kx in range(geo[j, KERNEL_X]):
                    above_x = _seen_by(geo, j, x, kx, 1)
                    if window[j, 2] <= above_x < window[j, 3]:
                        _outer_product(rows, room, into.weights, j, ky * geo[j, KERNEL_X] + kx, above_y, above_x)


@compiled_in_place
def _seen_by(geo: Array, j: int, low: int, kernel: int, axis: int) -> int:
    """The position of layer `j` that sees position `low` by kernel tap `kernel`, on one axis; -1 if there is none."""
    moved = low + geo[j, PAD_Y + axis] - kernel * geo[j, GAP_Y + axis]
    if moved < 0 or moved % geo[j, STRIDE_Y + axis]:
        return -1
    return int(moved // geo[j, STRIDE_Y + axis])


@compiled_in_place
def _outer_product(rows: Rows, room: Room, weights: Array, j: int, tap: int, y: int, x: int) -> None:
    """`weights[out, in] += sum_lane values[out, lane] turned[lane, in]` for the active channels `out` of a position."""
    geo, inputs, channels, lanes = rows.geo, rows.geo[j, IN], rows.geo[j, CHANNELS], lanes_of(room.values)
    active, position = rows.active, geo[j, POSITIONS] + y * geo[j, WIDTH] + x
    first, end = rows.starts[position], rows.starts[position + 1]
    columns = geo[j, KERNEL_Y] * geo[j, KERNEL_X] * inputs
    place = room.origin[j] + y * room.wide[j] * channels * lanes
    begin = geo[j, WEIGHTS] + tap * inputs - x * channels * columns
    for r in range(first, end, TILES[0]):
        for v in range(0, inputs, lanes):  # innermost, so that rows of weights are met in order
            add_product(
                weights, begin + v, columns, active, room.values, place, lanes, active, r, min(TILES[0], end - r),
                room.turned, v, room.every_lane, room.every_lane, inputs, 0, lanes,
            )  # fmt: skip

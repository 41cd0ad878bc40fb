"""Gradients on their way back up a chain, compiled: from each row's radius to weights, slopes and radii."""

from __future__ import annotations

from reachbox.machine_code import compiled_in_place
from reachbox.reach.dual.carried_rows import add_rows, add_units
from reachbox.reach.dual.descent import side_by_side
from reachbox.reach.dual.lanes import start_gradient, through_gradient
from reachbox.reach.dual.layout import (
    CHANNELS,
    COUNT,
    FIRST,
    GROUPS,
    IN,
    KERNEL_X,
    KERNEL_Y,
    LANE_SUMS,
    OUT,
    POSITION,
    POSITIONS,
    WEIGHTS,
    WIDTH,
    Array,
    Gradients,
    Room,
    Rows,
    lanes_of,
    of_group,
    row_at,
)
from reachbox.reach.dual.seen import lists_before
from reachbox.reach.dual.tiles import set_product
from reachbox.reach.dual.weight_gradients import to_lane_sums, to_weights


@compiled_in_place
def ascend(rows: Rows, room: Room, into: Gradients, top: int, block: Array, units: Array) -> None:
    """The gradients of one block, after its descent; `room.of_rows` holds that of its radii.

    Those of slopes and radii are `d` times too large, since `values` holds `a d`.
    """
    geo = rows.geo
    _start(rows, room, into)
    for level in range(1, top + 1):
        _through_layer(rows, room, level)
        if geo[level, LANE_SUMS] < 0:
            to_weights(rows, room, into, level)
        else:
            to_lane_sums(rows, room, into, level)
        _through_activation(rows, room, into, level)
    if block[POSITION] < 0:
        _to_objective(rows, room, into, top, block, units)
    else:
        _to_first_weights(rows, room, into, top, block, units)


@compiled_in_place
def _start(rows: Rows, room: Room, into: Gradients) -> None:
    """The gradient at the input, of the sum of absolute values."""
    slopes, radii, active = rows.slopes, rows.radii, rows.active
    for y in range(room.window[0, 0], room.window[0, 1]):
        begin, first, count, place = row_at(rows, room, 0, y)
        start_gradient(
            room.gradient, room.values, place, room.of_rows, slopes, radii, begin, active, first, count,
            into.slopes, into.radii,
        )  # fmt: skip


@compiled_in_place
def _through_activation(rows: Rows, room: Room, into: Gradients, level: int) -> None:
    """The gradient of `a d` to that of `a`, and those of slopes and radii."""
    slopes, radii, active = rows.slopes, rows.radii, rows.active
    for y in range(room.window[level, 0], room.window[level, 1]):
        begin, first, count, place = row_at(rows, room, level, y)
        through_gradient(
            room.gradient, room.values, place, room.of_rows, slopes, radii, begin, active, first, count,
            into.slopes, into.radii,
        )  # fmt: skip


@compiled_in_place
def _through_layer(rows: Rows, room: Room, j: int) -> None:
    """The gradient at level `j - 1` to that at level `j`."""
    geo, window, active, groups = rows.geo, room.window, rows.active, rows.geo[j, GROUPS]
    lanes, channels, before = lanes_of(room.values), geo[j, CHANNELS], lists_before(geo, j)
    columns = geo[j, KERNEL_Y] * geo[j, KERNEL_X] * geo[j, IN]
    for y in range(window[j, 0], window[j, 1]):
        row = room.origin[j] + y * room.wide[j] * channels * lanes
        for x in range(window[j, 2], window[j, 3]):
            position = y * geo[j, WIDTH] + x
            begin = rows.starts[geo[j, POSITIONS] + position]
            end = rows.starts[geo[j, POSITIONS] + position + 1]
            weights = geo[j, WEIGHTS] - x * channels * columns
            for group in range(groups):
                first, last = of_group(geo, active, j, x, begin, end, group)
                number = before + position * groups + group
                seen = room.seen_starts[number]
                set_product(
                    room.gradient, row, lanes, active,
                    rows.weights, weights, columns, active, first, last - first,
                    room.gradient, room.origin[j - 1], room.seen_inputs, room.seen_places, 1,
                    seen, room.seen_starts[number + 1] - seen,
                )  # fmt: skip


@compiled_in_place
def _to_objective(rows: Rows, room: Room, into: Gradients, level: int, block: Array, units: Array) -> None:
    """The gradient at the start of an objective's rows; each row belongs to one block, so nothing is added up."""
    lanes = lanes_of(room.values)
    for lane in range(block[COUNT]):
        for unit in range(rows.objective.shape[1]):
            place = room.origin[level] + unit * lanes
            into.objective[units[block[FIRST] + lane], unit] = room.gradient[place + lane]


@compiled_in_place
def _to_first_weights(rows: Rows, room: Room, into: Gradients, level: int, block: Array, units: Array) -> None:
    """The gradient at the start of a block of units, which is that of their weights."""
    geo, j = rows.geo, level + 1
    number = lists_before(geo, j) + block[POSITION] * geo[j, GROUPS]
    first, end = room.seen_starts[number], room.seen_starts[number + geo[j, GROUPS]]
    if side_by_side(geo, j, block, units):
        add_rows(
            into.turned, geo[j, WEIGHTS] + units[block[FIRST]], geo[j, OUT], room.seen_inputs,
            room.gradient, room.origin[level], room.seen_places, first, end - first,
        )  # fmt: skip
        return
    if geo[j, GROUPS] == 1:
        add_units(
            into.turned, geo[j, WEIGHTS], geo[j, OUT], room.seen_inputs,
            room.gradient, room.origin[level], room.seen_places, first, end - first, units, block[FIRST], block[COUNT],
        )  # fmt: skip
        return
    per_group = geo[j, OUT] // geo[j, GROUPS]
    for lane in range(block[COUNT]):
        unit = units[block[FIRST] + lane]
        group = unit // per_group
        for i in range(room.seen_starts[number + group], room.seen_starts[number + group + 1]):
            weight = geo[j, WEIGHTS] + room.seen_inputs[i] * geo[j, OUT] + unit
            into.turned[weight] += room.gradient[room.origin[level] + room.seen_places[i] + lane]

"""Gradients on their way back up a chain, compiled: from each row's radius to weights, slopes and radii."""

from __future__ import annotations

from reachbox.machine_code import compiled
from reachbox.reach.dual.descent import clear_inactive, clear_level, side_by_side, tap_of
from reachbox.reach.dual.lanes import add_rows, lane_sum, start_gradient, through_gradient
from reachbox.reach.dual.layout import (
    CHANNELS,
    COUNT,
    FIRST,
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
    POSITION,
    SAMPLE,
    STRIDE_X,
    STRIDE_Y,
    UNITS,
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
from reachbox.reach.dual.tiles import REGISTERS, pairs_of_many, pairs_of_one, tile_of_many, tile_of_one


@compiled
def ascend(rows: Rows, room: Room, into: Gradients, top: int, block: Array, units: Array, lanes: int) -> None:
    """The gradients of one block, after its descent; `room.of_rows` holds that of its radii.

    Those of slopes and radii stay lane by lane until `gather_lanes`.
    """
    n = block[SAMPLE]
    _through_activation(rows, room, into, 0, n, lanes)
    for level in range(1, top + 1):
        _through_layer(rows, room, into, level, n, lanes)
        if rows.geo[level, LANE_SUMS] < 0:
            _to_weights(rows, room, into, level, n, lanes)
        else:
            _to_lane_sums(rows, room, into, level, n, lanes)
        _through_activation(rows, room, into, level, n, lanes)
    if block[POSITION] < 0:
        _to_objective(rows, room, into, top, block, units, lanes)
    else:
        _to_first_weights(rows, room, into, top, block, units, lanes)


@compiled
def gather_lanes(rows: Rows, into: Gradients, top: int, n: int, lanes: int) -> None:
    """Adds up what a sample's blocks left lane by lane, for slopes and radii; units of radius 0 do not move."""
    slopes, radii = rows.slopes[n], rows.radii[n]
    for level in range(top + 1):
        for unit in range(rows.geo[level, UNITS], rows.geo[level + 1, UNITS]):
            if radii[unit] == 0:
                continue
            share = slopes[unit] if level else 1  # by which the coefficients were multiplied
            into.radii[n, unit] += lane_sum(into.radii_by_lane, unit * lanes) / share
            if level:
                into.slopes[n, unit] += lane_sum(into.slopes_by_lane, unit * lanes) / share
    into.radii_by_lane[:] = 0
    into.slopes_by_lane[:] = 0


@compiled
def _through_activation(rows: Rows, room: Room, into: Gradients, level: int, n: int, lanes: int) -> None:
    """The gradient of `a d` to that of `a`, and those of slopes and radii; at the input it starts."""
    window, active, slopes, radii = room.window, rows.active[n], rows.slopes[n], rows.radii[n]
    for y in range(window[level, 0], window[level, 1]):
        for x in range(window[level, 2], window[level, 3]):
            begin, count, place = at(rows, window, n, level, y, x, lanes)
            if level:
                through_gradient(
                    room.gradient, room.values, place, room.of_rows, slopes, radii, begin, active, begin, count,
                    into.slopes_by_lane, into.radii_by_lane,
                )  # fmt: skip
            else:
                start_gradient(
                    room.gradient, room.values, place, room.of_rows, slopes, radii, begin, active, begin, count,
                    into.slopes_by_lane, into.radii_by_lane,
                )  # fmt: skip


@compiled
def _through_layer(rows: Rows, room: Room, into: Gradients, j: int, n: int, lanes: int) -> None:
    """The gradient at level `j - 1` to that at level `j`."""
    geo, window, gradient = rows.geo, room.window, room.gradient
    clear_level(rows, window, j, n, gradient, lanes)
    active, counts, inputs = rows.active[n], rows.counts[n], geo[j, IN]
    for y in range(window[j, 0], window[j, 1]):
        for x in range(window[j, 2], window[j, 3]):
            begin, total, place = at(rows, window, n, j, y, x, lanes)
            for group in range(geo[j, GROUPS]):
                first, count = group_at(geo, active, j, begin, total, group)
                if not count:
                    continue
                seen = seen_from(geo, active, counts, room, j, y, x, group, 1, lanes)
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


@compiled
def _to_lane_sums(rows: Rows, room: Room, into: Gradients, j: int, n: int, lanes: int) -> None:
    """Adds to the gradient of layer `j`'s weights lane by lane, a tap at a time, so that sums stay in registers."""
    geo, inputs, outputs = rows.geo, rows.geo[j, IN], rows.geo[j, OUT]
    clear_inactive(rows, room.window, j, n, room.values, lanes)
    clear_inactive(rows, room.window, j - 1, n, room.gradient, lanes)
    per_group = outputs // geo[j, GROUPS]
    for ky in range(geo[j, KERNEL_Y]):
        for kx in range(geo[j, KERNEL_X]):
            pairs = _pairs_of_tap(geo, room, j, ky, kx, lanes)
            first = geo[j, LANE_SUMS] + (ky * geo[j, KERNEL_X] + kx) * outputs * inputs
            for c in range(geo[j - 1, CHANNELS]):
                group = c // inputs
                for r in range(group * per_group, (group + 1) * per_group, REGISTERS):
                    own = (first + r * inputs + c - group * inputs) * lanes
                    if r + REGISTERS <= (group + 1) * per_group:
                        pairs_of_many(
                            into.lane_sums, own, inputs, room.values, room.pair_values, r * lanes,
                            room.gradient, room.pair_gradients, pairs,
                        )  # fmt: skip
                        continue
                    for s in range((group + 1) * per_group - r):
                        pairs_of_one(
                            into.lane_sums, own + s * inputs * lanes, inputs, room.values, room.pair_values,
                            (r + s) * lanes, room.gradient, room.pair_gradients, pairs,
                        )  # fmt: skip
                for p in range(pairs):
                    room.pair_gradients[p] += lanes


@compiled
def _pairs_of_tap(geo: Array, room: Room, j: int, ky: int, kx: int, lanes: int) -> int:
    """Where values begin at each position of layer `j`, and gradients at the position that it sees by one tap."""
    low, window, found = j - 1, room.window, 0
    above, below = geo[j, CHANNELS] * lanes, geo[low, CHANNELS] * lanes
    wide, wide_below = window[j, 3] - window[j, 2], window[low, 3] - window[low, 2]
    for y in range(window[j, 0], window[j, 1]):
        yy = y * geo[j, STRIDE_Y] - geo[j, PAD_Y] + ky * geo[j, GAP_Y]
        if yy < window[low, 0] or yy >= window[low, 1]:
            continue
        for x in range(window[j, 2], window[j, 3]):
            xx = x * geo[j, STRIDE_X] - geo[j, PAD_X] + kx * geo[j, GAP_X]
            if xx < window[low, 2] or xx >= window[low, 3]:
                continue
            here = (y - window[j, 0]) * wide + x - window[j, 2]
            there = (yy - window[low, 0]) * wide_below + xx - window[low, 2]
            room.pair_values[found] = geo[j, VALUES] + here * above
            room.pair_gradients[found] = geo[low, VALUES] + there * below
            found += 1
    return found


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
    geo, window, n, j = rows.geo, room.window, block[SAMPLE], level + 1
    active, outputs, inputs = rows.active[n], geo[j, OUT], geo[j, IN]
    first = units[block[FIRST]]
    neighbours = side_by_side(geo, j, block, units)
    for y in range(window[level, 0], window[level, 1]):
        for x in range(window[level, 2], window[level, 3]):
            tap = tap_of(geo, j, block, y, x)
            if tap < 0:
                continue
            begin, count, place = at(rows, window, n, level, y, x, lanes)
            if neighbours:
                base = geo[j, WEIGHTS] + tap * outputs * inputs + first
                add_rows(into.turned, base, outputs, room.gradient, place, active, begin, count)
            else:
                _scatter(rows, room, into, j, tap, block, units, begin, count, place, lanes)


@compiled
def _scatter(
    rows: Rows, room: Room, into: Gradients, j: int, tap: int, block: Array, units: Array, begin: int, count: int,
    place: int, lanes: int,
) -> None:  # fmt: skip
    """What `descent._gather` took, given back."""
    geo, active, first = rows.geo, rows.active[block[SAMPLE]], block[FIRST]
    outputs, inputs = geo[j, OUT], geo[j, IN]
    per_group = outputs // geo[j, GROUPS]
    for i in range(begin, begin + count):
        c = active[i]
        here, group = place + c * lanes, c // inputs
        base = geo[j, WEIGHTS] + (tap * inputs + c - group * inputs) * outputs
        for lane in range(block[COUNT]):
            unit = units[first + lane]
            if geo[j, GROUPS] == 1 or unit // per_group == group:
                into.turned[base + unit] += room.gradient[here + lane]

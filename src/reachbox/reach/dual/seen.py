"""What each position of each layer sees, listed once for a sample: all its blocks run through the same lists."""

from __future__ import annotations

from reachbox.machine_code import compiled_in_place
from reachbox.reach.dual.lanes import list_channels
from reachbox.reach.dual.layout import (
    CHANNELS,
    GAP_X,
    GAP_Y,
    GROUPS,
    HEIGHT,
    IN,
    KERNEL_X,
    KERNEL_Y,
    PAD_X,
    PAD_Y,
    POSITIONS,
    STRIDE_X,
    STRIDE_Y,
    WIDTH,
    Array,
    Room,
    Rows,
    lanes_of,
)


@compiled_in_place
def list_seen(rows: Rows, room: Room, last: int) -> None:
    """For each position and group of the layers up to `last`: the active units below that it sees.

    Each is an entry of `seen_places`, where its vector lies from the level's origin on, and of `seen_inputs`, its
    column in the layer's matrix of weights. Those of list `i` begin at `seen_starts[i]`, and list `i + 1` follows.
    """
    geo, found, number = rows.geo, 0, 0
    for j in range(1, last + 1):
        for y in range(geo[j, HEIGHT]):
            for x in range(geo[j, WIDTH]):
                for group in range(geo[j, GROUPS]):
                    room.seen_starts[number] = found
                    number += 1
                    found = _list_position(rows, room, j, y, x, group, found)
    room.seen_starts[number] = found


@compiled_in_place
def _list_position(rows: Rows, room: Room, j: int, y: int, x: int, group: int, found: int) -> int:
    """Appends what one position sees; gives the number of entries."""
    geo, low, inputs, lanes = rows.geo, j - 1, rows.geo[j, IN], lanes_of(room.values)
    active, channels, width = rows.active, geo[j - 1, CHANNELS], geo[j - 1, WIDTH]
    for ky in range(geo[j, KERNEL_Y]):
        yy = y * geo[j, STRIDE_Y] - geo[j, PAD_Y] + ky * geo[j, GAP_Y]
        if yy < 0 or yy >= geo[low, HEIGHT]:
            continue
        for kx in range(geo[j, KERNEL_X]):
            xx = x * geo[j, STRIDE_X] - geo[j, PAD_X] + kx * geo[j, GAP_X]
            if xx < 0 or xx >= width:
                continue
            position = geo[low, POSITIONS] + yy * width + xx
            begin, end = rows.starts[position], rows.starts[position + 1]
            channel = xx * channels + group * inputs
            while begin < end and active[begin] < channel:
                begin += 1
            while begin < end and active[end - 1] >= channel + inputs:
                end -= 1
            shift = (ky * geo[j, KERNEL_X] + kx) * inputs - channel
            list_channels(
                room.seen_places, room.seen_inputs, found, active, begin, end - begin,
                yy * room.wide[low] * channels, lanes, shift,
            )  # fmt: skip
            found += end - begin
    return int(found)


@compiled_in_place
def lists_before(geo: Array, j: int) -> int:
    """The number of lists before those of layer `j`."""
    number = 0
    for i in range(1, j):
        number += geo[i, HEIGHT] * geo[i, WIDTH] * geo[i, GROUPS]
    return number


@compiled_in_place
def room_for_lists(geo: Array, last: int) -> int:
    """The most entries that all lists of the layers up to `last` can have."""
    entries = 0
    for j in range(1, last + 1):
        seen = geo[j, KERNEL_Y] * geo[j, KERNEL_X] * geo[j, IN] * geo[j, GROUPS]
        entries += geo[j, HEIGHT] * geo[j, WIDTH] * seen
    return entries

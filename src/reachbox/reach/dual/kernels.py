"""All blocks of rows, on several threads, compiled."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from reachbox.machine_code import compiled
from reachbox.reach.dual.ascent import ascend, gather_lanes
from reachbox.reach.dual.descent import descend
from reachbox.reach.dual.lanes import clear
from reachbox.reach.dual.layout import (
    COUNT,
    FIRST,
    HEIGHT,
    IN,
    KERNEL_X,
    KERNEL_Y,
    SAMPLE,
    VALUES,
    WIDTH,
    Array,
    Gradients,
    Room,
    Rows,
)


@compiled
def _room(rows: Rows, top: int, scratch: Array, lanes: int) -> Room:
    """One thread's share of the scratch memory."""
    geo = rows.geo
    size = geo[top + 1, VALUES]
    widest = (geo[:, KERNEL_Y] * geo[:, KERNEL_X] * geo[:, IN]).max()
    positions = (geo[:, HEIGHT] * geo[:, WIDTH]).max()
    two = 2 * lanes
    return Room(
        np.empty((len(geo), 4), np.int64), scratch[two : two + size], scratch[two + size : two + 2 * size],
        scratch[:lanes], scratch[lanes:two], np.empty(widest, np.int64), np.empty(widest, np.int64),
        np.empty(positions, np.int64), np.empty(positions, np.int64), scratch[two + 2 * size :], np.arange(lanes),
    )  # fmt: skip


@compiled
def _radii_of_share(
    rows: Rows, top: int, blocks: Array, units: Array, scratch: Array, found: Array, share: tuple[int, int]
) -> None:
    """`radii_of_rows` for one thread's share of the blocks: every so many from a first one on."""
    lanes = 64 // scratch.itemsize
    room = _room(rows, top, scratch, lanes)
    for number in range(share[0], len(blocks), share[1]):
        block = blocks[number]
        descend(rows, room, top, block, units, lanes)
        for lane in range(block[COUNT]):
            found[block[FIRST] + lane] = room.sums[lane]


@compiled
def _gradients_of_share(
    rows: Rows, top: int, blocks: Array, units: Array, scratch: Array, of_found: Array, into: Gradients,
    share: tuple[int, int],
) -> None:  # fmt: skip
    """`gradients_of_radii` for one thread's share of the blocks."""
    lanes = 64 // scratch.itemsize
    room = _room(rows, top, scratch, lanes)
    me = share[0]
    own = Gradients(
        into.weights[me], into.turned[me], into.lane_sums[me], into.objective, into.slopes[me], into.radii[me],
        into.slopes_by_lane[me], into.radii_by_lane[me],
    )  # fmt: skip
    sample = -1
    for number in range(me, len(blocks), share[1]):
        block = blocks[number]
        if sample >= 0 and block[SAMPLE] != sample:
            gather_lanes(rows, own, top, sample, lanes)
        sample = block[SAMPLE]
        descend(rows, room, top, block, units, lanes)
        clear(room.of_rows, 0)
        for lane in range(block[COUNT]):
            room.of_rows[lane] = of_found[block[FIRST] + lane]
        ascend(rows, room, own, top, block, units, lanes)
    if sample >= 0:
        gather_lanes(rows, own, top, sample, lanes)


def radii_of_rows(rows: Rows, top: int, blocks: Array, units: Array, scratch: Array, found: Array) -> None:
    """The radius of every row, into `found` `(rows,)`.

    Units of layer `top + 1` start at level `top`, an objective's rows at the output, level `top`. `units` is each row's
    channel, or its number in the objective. `scratch` is `(threads, ...)`; see `compiled.scratch_for`.
    """
    threads = len(scratch)
    _in_threads(
        threads,
        lambda thread: _radii_of_share(rows, top, blocks, units, scratch[thread], found, (thread, threads)),
    )


def gradients_of_radii(
    rows: Rows, top: int, blocks: Array, units: Array, scratch: Array, of_found: Array, into: Gradients
) -> None:
    """The gradients of `sum of_found * radii_of_rows(...)`, added to `into`, one copy for each thread.

    Every block is carried down again, then its gradient up: nothing is kept from the forward pass.
    """
    threads = len(scratch)
    _in_threads(
        threads,
        lambda thread: _gradients_of_share(
            rows, top, blocks, units, scratch[thread], of_found, into, (thread, threads)
        ),
    )


def _in_threads(threads: int, work: Callable[[int], None]) -> None:
    """`work` for each thread's number, side by side: compiled code does not hold the interpreter's lock."""
    if threads == 1:
        work(0)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))

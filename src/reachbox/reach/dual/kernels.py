"""All blocks of rows, on several threads, compiled."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from reachbox.machine_code import compiled
from reachbox.reach.dual.ascent import ascend
from reachbox.reach.dual.descent import descend
from reachbox.reach.dual.lanes import clear
from reachbox.reach.dual.layout import (
    COUNT,
    FIRST,
    HEIGHT,
    POSITION,
    POSITIONS,
    SAMPLE,
    UNITS,
    VALUES,
    WIDTH,
    Array,
    Batch,
    Gradients,
    Room,
    Rows,
    lanes_of,
    list_active,
    widest_windows,
)
from reachbox.reach.dual.seen import list_seen, lists_before, room_for_lists


@compiled
def _room(batch: Batch, last: int, top: int, scratch: Array) -> Room:
    """One thread's share of the scratch memory, for rows that meet the layers up to `last`."""
    geo, lanes = batch.geo, lanes_of(scratch)
    size, lists = geo[top + 1, VALUES], room_for_lists(geo, last)
    positions = (geo[:, HEIGHT] * geo[:, WIDTH]).max()
    values, gradient = 2 * lanes, 2 * lanes + size
    wide = np.zeros(len(geo), np.int64)
    widest_windows(geo, top, last > top, wide)
    return Room(
        np.empty((len(geo), 4), np.int64), wide, np.empty(len(geo), np.int64),
        scratch[values:gradient], scratch[gradient : gradient + size], scratch[:lanes], scratch[lanes:values],
        np.empty(lists_before(geo, last + 1) + 1, np.int64), np.empty(lists, np.int32), np.empty(lists, np.int32),
        np.empty(positions, np.int32), np.empty(positions, np.int32), scratch[gradient + size :],
        np.arange(lanes).astype(np.int32),
    )  # fmt: skip


@compiled
def _rows_of(batch: Batch, room: Room, top: int, last: int, sample: int) -> Rows:
    """One sample, with its lists of active units and of what each position sees."""
    geo = batch.geo
    rows = Rows(
        geo, batch.weights, batch.turned, batch.objective[min(sample, len(batch.objective) - 1)],
        batch.slopes[sample], batch.radii[sample],
        np.empty(geo[top + 1, UNITS] + 1, np.int32), np.empty(geo[top + 1, POSITIONS] + 1, np.int32),
    )  # fmt: skip
    list_active(rows, top)
    list_seen(rows, room, last)
    return rows


@compiled
def _radii_of_share(
    batch: Batch, top: int, blocks: Array, units: Array, scratch: Array, found: Array, share: tuple[int, int]
) -> None:
    """`radii_of_rows` for one thread's share of the blocks, from a first one to before another."""
    last = top + (blocks[0, POSITION] >= 0)
    room, sample = _room(batch, last, top, scratch), blocks[share[0], SAMPLE]
    rows = _rows_of(batch, room, top, last, sample)
    for number in range(share[0], share[1]):
        block = blocks[number]
        if block[SAMPLE] != sample:
            sample = block[SAMPLE]
            rows = _rows_of(batch, room, top, last, sample)
        descend(rows, room, top, block, units)
        for lane in range(block[COUNT]):
            found[block[FIRST] + lane] = room.sums[lane]


@compiled
def _gradients_of_share(
    batch: Batch, top: int, blocks: Array, units: Array, scratch: Array, of_found: Array, into: Gradients,
    share: tuple[int, int], thread: int,
) -> None:  # fmt: skip
    """`gradients_of_radii` for one thread's share of the blocks."""
    last = top + (blocks[0, POSITION] >= 0)
    room, sample = _room(batch, last, top, scratch), blocks[share[0], SAMPLE]
    rows, own = _rows_of(batch, room, top, last, sample), _gradients_of(into, thread, sample)
    for number in range(share[0], share[1]):
        block = blocks[number]
        if block[SAMPLE] != sample:
            sample = block[SAMPLE]
            rows, own = _rows_of(batch, room, top, last, sample), _gradients_of(into, thread, sample)
        descend(rows, room, top, block, units)
        clear(room.of_rows, 0)
        for lane in range(block[COUNT]):
            room.of_rows[lane] = of_found[block[FIRST] + lane]
        ascend(rows, room, own, top, block, units)


@compiled
def _gradients_of(into: Gradients, thread: int, sample: int) -> Gradients:
    """Where one thread adds the gradients of one sample's rows."""
    objective = into.objective[min(sample, len(into.objective) - 1)]
    return Gradients(
        into.weights[thread], into.turned[thread], into.lane_sums[thread], objective, into.slopes[thread, sample],
        into.radii[thread, sample],
    )  # fmt: skip


def radii_of_rows(batch: Batch, top: int, blocks: Array, units: Array, scratch: Array, found: Array) -> None:
    """The radius of every row, into `found` `(rows,)`.

    Units of layer `top + 1` start at level `top`, an objective's rows at the output, level `top`. `units` is each row's
    channel, or its number in the objective. `scratch` is `(threads, ...)`; see `compiled.scratch_for`.
    """
    _in_threads(
        len(scratch), len(blocks),
        lambda thread, share: _radii_of_share(batch, top, blocks, units, scratch[thread], found, share),
    )  # fmt: skip


def gradients_of_radii(
    batch: Batch, top: int, blocks: Array, units: Array, scratch: Array, of_found: Array, into: Gradients
) -> None:
    """The gradients of `sum of_found * radii_of_rows(...)`, added to `into`, one copy for each thread.

    Every block is carried down again, then its gradient up: nothing is kept from the forward pass.
    """
    _in_threads(
        len(scratch), len(blocks),
        lambda thread, share: _gradients_of_share(
            batch, top, blocks, units, scratch[thread], of_found, into, share, thread
        ),
    )  # fmt: skip


def _in_threads(threads: int, blocks: int, work: Callable[[int, tuple[int, int]], None]) -> None:
    """`work` for each thread's number and share, side by side: compiled code does not hold the interpreter's lock.

    Shares are neighbouring blocks, so that few samples are met by two threads, and the same for every call.
    """
    ends = [blocks * thread // threads for thread in range(threads + 1)]
    shares = [(thread, share) for thread, share in enumerate(pairwise(ends)) if share[0] < share[1]]
    if len(shares) < 2:
        for share in shares:
            work(*share)
        return
    with ThreadPoolExecutor(len(shares)) as pool:
        for done in [pool.submit(work, *share) for share in shares]:
            done.result()

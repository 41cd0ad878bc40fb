"""Nodes that wait to be split: for each problem a heap, the lowest bound first."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from reachbox.reach.exact.branching.kernels import Signs
from reachbox.reach.program import Floats, Integers


class Nodes(NamedTuple):
    """Parts of problems: the signs that are fixed, the best multipliers known, a proven bound, where to split."""

    problems: Integers  # (nodes,)
    signs: Signs  # (nodes, units)
    multipliers: Floats  # (nodes, units)
    bounds: Floats  # (nodes,)
    splits: Integers  # (nodes,): the unit

    def part(self, index: Integers) -> Nodes:
        """Some of the nodes."""
        return Nodes(
            self.problems[index], self.signs[index], self.multipliers[index], self.bounds[index], self.splits[index]
        )  # fmt: skip

    def halves(self) -> Nodes:
        """Each node twice: its unit on, and off."""
        both = self.part(np.repeat(np.arange(len(self.problems)), 2))
        place = np.arange(len(both.splits)), both.splits
        both.signs[place] = np.tile(np.array([1, -1], dtype=np.int8), len(self.splits))
        both.multipliers[place] = 0.0
        return both


@dataclass
class Pool:
    """The waiting nodes of all problems; of their units only those in `units` are kept: the others are never split."""

    count: int
    units: Integers
    all_units: int
    dtype: np.dtype[np.floating]
    heaps: list[list[tuple[float, int, int]]] = field(init=False)
    free: list[int] = field(init=False, default_factory=list)
    pushed: int = 0

    def __post_init__(self) -> None:
        self.heaps = [[] for _ in range(self.count)]
        self.signs = np.empty((0, len(self.units)), dtype=np.int8)
        self.multipliers = np.empty((0, len(self.units)), dtype=self.dtype)
        self.splits = np.empty(0, dtype=np.int64)

    def push(self, nodes: Nodes) -> None:
        """Takes nodes in."""
        count = len(nodes.problems)
        if len(self.free) < count:
            self._grow(count)
        slots = [self.free.pop() for _ in range(count)]
        self.signs[slots] = nodes.signs[:, self.units]
        self.multipliers[slots] = nodes.multipliers[:, self.units]
        self.splits[slots] = nodes.splits
        for problem, bound, slot in zip(nodes.problems.tolist(), nodes.bounds.tolist(), slots, strict=True):
            self.pushed += 1
            heappush(self.heaps[problem], (bound, self.pushed, slot))

    def pop(self, problems: Integers, most: int) -> Nodes:
        """Up to `most` nodes, in equal shares from these problems, each problem's lowest first."""
        share = max(1, most // max(1, len(problems)))
        chosen, bounds, slots = [], [], []
        for problem in problems[:most].tolist():
            heap = self.heaps[problem]
            for _ in range(min(share, len(heap))):
                bound, _, slot = heappop(heap)
                chosen.append(problem)
                bounds.append(bound)
                slots.append(slot)
        self.free.extend(slots)
        signs = np.zeros((len(slots), self.all_units), dtype=np.int8)
        multipliers = np.zeros((len(slots), self.all_units), dtype=self.dtype)
        signs[:, self.units], multipliers[:, self.units] = self.signs[slots], self.multipliers[slots]
        return Nodes(np.array(chosen, dtype=np.int64), signs, multipliers, np.array(bounds), self.splits[slots])

    def clear(self, problem: int) -> float:
        """Drops a problem's nodes; gives the lowest of their bounds."""
        lowest = self.lowest(problem)
        self.free.extend(slot for _, _, slot in self.heaps[problem])
        self.heaps[problem] = []
        return lowest

    def lowest(self, problem: int) -> float:
        """The lowest bound of a problem's nodes."""
        heap = self.heaps[problem]
        return heap[0][0] if heap else np.inf

    def waiting(self) -> Integers:
        """Problems with nodes, those with the most first."""
        return np.array(
            sorted((p for p, heap in enumerate(self.heaps) if heap), key=lambda p: -len(self.heaps[p])), dtype=np.int64
        )

    def _grow(self, count: int) -> None:
        room = len(self.splits)
        more = max(count, room)
        self.signs = np.concatenate([self.signs, np.empty((more, len(self.units)), dtype=np.int8)])
        self.multipliers = np.concatenate([self.multipliers, np.empty((more, len(self.units)), dtype=self.dtype)])
        self.splits = np.concatenate([self.splits, np.empty(more, dtype=np.int64)])
        self.free.extend(range(room, room + more))

"""Several threads on one list of boxes: each searches slices of its own nodes, and gives some away when others wait."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import TIMEOUT_MAX, Condition
from time import perf_counter

import numpy as np

from reachbox.reach.exact.enumeration import Limits
from reachbox.reach.exact.rounding import check_sizes, unit_ranges
from reachbox.reach.exact.splitting.descent import descend
from reachbox.reach.exact.splitting.problem import Problem
from reachbox.reach.exact.splitting.search import Incumbent, Nodes, Rules, search
from reachbox.reach.program import Floats

SLICE_SECONDS = 0.02
FIRST_POINTS, FIRST_STARTS, STEPS = 300, 6, 20
DESCENT_SHARE = 0.1  # of the time, while the search goes on
LEAF_UNITS, LEAF_REGIONS, LEAF_VERTICES = 25, 4_000, 20_000


@dataclass
class Search:
    """The search of one box for the goals of one problem: what it seeks, what is known, and the nodes that wait."""

    problem: Problem
    lower: Floats  # (inputs,)
    upper: Floats  # (inputs,)
    rules: Rules
    seed: int = 0
    most_nodes: int = sys.maxsize
    waiting: list[Nodes] = field(default_factory=list)
    seconds: float = 0.0
    nodes_done: int = 0
    descents: int = 0
    descent_seconds: float = 0.0

    def __post_init__(self) -> None:
        goals = self.problem.goals
        self.random = np.random.default_rng(self.seed)
        lower, upper = self.lower[None], self.upper[None]
        low, high, size = unit_ranges(self.problem.program, np.zeros(1, dtype=np.int64), lower, upper)
        check_sizes(size)
        self.size = size[0]
        self.incumbent = Incumbent(np.full(goals, np.inf), np.tile(self.lower, (goals, 1)), np.full(goals, np.inf))
        self.waiting.append(Nodes(low, high, np.full((1, goals), -np.inf), np.array([LEAF_UNITS])))

    def thresholds(self) -> Floats:
        """What a bound of each goal must exceed to close it."""
        if self.rules.stops:
            return np.full(self.problem.goals, self.rules.aim)
        return np.minimum(self.rules.aim, self.incumbent.value - self.rules.tolerance)

    def least(self) -> Floats:
        """A proven lower bound of each goal, `(goals,)`: of what is closed, what is stuck, and what still waits."""
        still = [nodes.bounds.min(0) for nodes in self.waiting]
        return np.asarray(np.minimum.reduce([self.thresholds(), self.incumbent.stuck, *still]))

    @property
    def is_closed(self) -> bool:
        """Whether every goal is above the thresholds throughout the box."""
        return not self.waiting and bool((self.incumbent.stuck == np.inf).all())

    @property
    def is_spent(self) -> bool:
        """Whether as many nodes were searched as are allowed."""
        return self.nodes_done >= self.most_nodes

    def merge(self, found: Incumbent) -> None:
        """Takes in what one thread has found."""
        better = found.value < self.incumbent.value
        self.incumbent.value[better] = found.value[better]
        self.incumbent.point[better] = found.point[better]
        np.minimum(self.incumbent.stuck, found.stuck, out=self.incumbent.stuck)

    def own_incumbent(self) -> Incumbent:
        """A copy for one thread."""
        value, point, stuck = (part.copy() for part in self.incumbent)
        return Incumbent(value, point, stuck)


Judge = Callable[[Search, Floats], bool]
"""Whether a point that a search has found is accepted, and ends all searches."""


class Workers:
    """Threads that share the nodes of several searches until all are done, one point is accepted, or they are stopped.

    Use `run` once. A point is shown to `judge` when the rules of its search say that it ends the search.
    """

    def __init__(self, searches: Sequence[Search], judge: Judge | None = None) -> None:
        self.searches = searches
        self.judge = judge
        self.accepted: tuple[Search, Floats] | None = None
        self.limits = Limits(LEAF_REGIONS, LEAF_VERTICES, np.zeros(1, dtype=np.uint8))
        self.changed = Condition()
        self.busy = 0
        self.hungry = 0
        self.list = [(one, nodes) for one in searches for nodes in one.waiting]
        for one in searches:
            one.waiting = []

    def run(self, threads: int, deadline: float) -> None:
        """Searches until `deadline`, of `perf_counter`; what is left then is put back into the searches."""
        self.prepare()
        with ThreadPoolExecutor(threads) as pool:
            workers = [pool.submit(self._work) for _ in range(threads)]
            try:
                wait(workers, min(max(0.0, deadline - perf_counter()), TIMEOUT_MAX), FIRST_EXCEPTION)
            finally:
                self._stop()
            for worker in workers:
                worker.result()
        for one, nodes in self.list:
            one.waiting.append(nodes)

    def prepare(self) -> None:
        """Searches no node and evaluates no point, so that compilation can be interrupted, and be off the clock."""
        for one, nodes in self.list[:1]:
            self._slice(one, nodes.part(slice(0)), 0, 1)
            self._descend(one, np.empty((0, len(one.lower))), one.own_incumbent())

    def _stop(self) -> None:
        with self.changed:
            self.limits.stop[0] = 1
            self.changed.notify_all()

    def _work(self) -> None:
        while True:
            with self.changed:
                self.hungry += 1
                while not self.list and self.busy and not self.limits.stop[0]:
                    self.changed.wait()
                self.hungry -= 1
                if not self.list or self.limits.stop[0]:
                    self.changed.notify_all()
                    return
                one, nodes = self.list.pop()
                self.busy += 1
            try:
                self._search(one, nodes)
            finally:
                with self.changed:
                    self.busy -= 1
                    self.changed.notify_all()

    def _search(self, one: Search, nodes: Nodes) -> None:
        """Searches some nodes of a box until none is left, or puts back what is."""
        budget = 1
        if not one.descents:
            self._attack(one)
        while len(nodes.bounds) and not self.limits.stop[0] and not one.is_spent:
            started = perf_counter()
            own, nodes, done = self._slice(one, nodes, len(nodes.bounds), budget)
            took = perf_counter() - started
            nodes = self._account(one, own, nodes, done, took)
            if one.rules.stops and own.value.min() <= one.rules.aim:
                self._show(one, own)
            if one.descent_seconds < DESCENT_SHARE * one.seconds:
                self._attack(one)
            budget = max(1, min(1000, int(done * SLICE_SECONDS / max(took, 1e-6)), 2 * budget))
        if len(nodes.bounds):
            with self.changed:
                if one.is_spent:
                    one.waiting.append(nodes)
                else:
                    self.list.append((one, nodes))

    def _account(self, one: Search, own: Incumbent, nodes: Nodes, done: int, took: float) -> Nodes:
        """Keeps what a slice has found, and gives the older half of the nodes away if somebody waits."""
        with self.changed:
            one.merge(own)
            one.seconds += took
            one.nodes_done += done
            count = len(nodes.bounds)
            if count > 1 and self.hungry > len(self.list):
                self.list.append((one, nodes.part(slice(count // 2))))
                self.changed.notify()
                nodes = nodes.part(slice(count // 2, count))
        return nodes

    def _slice(self, one: Search, nodes: Nodes, count: int, budget: int) -> tuple[Incumbent, Nodes, int]:
        """Searches up to `budget` nodes in compiled code: what was found, the nodes left, and how many were done."""
        with self.changed:
            own = one.own_incumbent()
        store = _with_room(nodes, count + budget + 1)
        left, done = search(one.problem, one.size, store, count, budget, own, one.rules, self.limits)
        return own, store.part(slice(left)), done

    def _attack(self, one: Search) -> None:
        """Looks for small values by random points and descents: twice as many as the last time."""
        with self.changed:
            number, own = one.descents, one.own_incumbent()
            one.descents += 1
            points = _points(one, FIRST_POINTS << number)
        started = perf_counter()
        found = self._descend(one, points, own, FIRST_STARTS << number)
        with self.changed:
            one.merge(own)
            one.descent_seconds += perf_counter() - started
        if found and one.rules.stops:
            self._show(one, own)

    def _descend(self, one: Search, points: Floats, own: Incumbent, starts: int = 1, stops: bool = True) -> bool:
        rules = one.rules._replace(stops=one.rules.stops and stops)
        return bool(descend(one.problem, one.lower, one.upper, points, starts, STEPS, own, rules, self.limits))

    def _show(self, one: Search, own: Incumbent) -> None:
        """Shows the judge the best point; if it is refused, deeper points nearby."""
        assert self.judge is not None
        goal = int(own.value.argmin())
        for _ in range(2):
            point = own.point[goal].copy()
            if self.judge(one, point):
                self.accepted = one, point
                return self._stop()
            self._descend(one, point[None], own, stops=False)
        with self.changed:
            one.merge(own)


def _with_room(nodes: Nodes, room: int) -> Nodes:
    """A copy with room for more."""
    count, goals = nodes.bounds.shape
    values = nodes.low.shape[1]
    larger = Nodes(
        np.empty((room, values)), np.empty((room, values)), np.empty((room, goals)), np.empty(room, dtype=np.int64)
    )
    larger.low[:count], larger.high[:count] = nodes.low, nodes.high
    larger.bounds[:count], larger.leaf_units[:count] = nodes.bounds, nodes.leaf_units
    return larger


def _points(one: Search, number: int) -> Floats:
    """Random points of a box, each coordinate on a face with a chance of a third: small values are often there."""
    share, face = one.random.random((2, number, len(one.lower)))
    share[face < 1 / 3] = face[face < 1 / 3] < 1 / 6
    return np.asarray(np.minimum(one.lower + share * (one.upper - one.lower), one.upper))

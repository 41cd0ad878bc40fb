"""The search: nodes are taken in batches from all problems, bounded, proven, and split at the unit that costs most."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch

from reachbox.errors import InputError
from reachbox.reach.exact.batch import Answer, Tasks, evaluated, interval_bounds, joined
from reachbox.reach.exact.branching.bounds import Proof, Relaxation, ascend
from reachbox.reach.exact.branching.kernels import Signs, compile_kernels
from reachbox.reach.exact.branching.layers import Layers, rows_of
from reachbox.reach.exact.branching.leaf import solve_leaf
from reachbox.reach.exact.branching.points import Incumbents
from reachbox.reach.exact.branching.pool import Nodes, Pool
from reachbox.reach.exact.branching.ranges import error_of_program, hidden_ranges
from reachbox.reach.exact.enumeration import SOLVED, STOPPED, TOO_MANY_REGIONS
from reachbox.reach.exact.rounding import unit_ranges
from reachbox.reach.program import Floats, Integers, Program

FIRST_STEPS, STEPS, LEAF_STEPS = 30, 8, 60
DESCENT_STEPS, RANDOM_STARTS = 12, 2
ENTRIES_AT_ONCE = 1 << 19
MOST_AT_ONCE, FEWEST_AT_ONCE = 512, 16
FINEST_FOR_FLOAT32 = 2.0**-15
"""A tolerance below this share of the outputs is beyond the digits of float32."""
ALLOWED, MARGIN = 0.95, 0.02
"""Shares of the tolerance: what a part may be short of the least value seen, and what steps aim at beyond."""
TINY = 1e-30
ABOUT_AIMS = 1e-3
"""What stands for a tolerance where there are aims, as a share of their size: coarse enough for float32."""


def branch_signs(program: Program, tasks: Tasks, tolerance: float, nodes: int, seconds: float) -> Answer:
    """The answer to every task: what is proven and attained when all is within `tolerance`, or a limit comes first.

    `nodes` is how many each task may have, `seconds` are for all. Bounds are those of intervals at worst.
    """
    compile_kernels()  # before the clock starts
    until = perf_counter() + seconds
    parts = [np.flatnonzero(tasks.networks == network) for network in np.unique(tasks.networks)]
    answers = [_of_one_network(program, tasks.part(part), tolerance, nodes, until) for part in parts]
    return joined(answers, np.concatenate(parts))


def _of_one_network(program: Program, tasks: Tasks, tolerance: float, nodes: int, until: float) -> Answer:
    ranges = _finite_ranges(program, tasks)
    search = Search(program, tasks, np.concatenate([tasks.objectives, -tasks.objectives], axis=1), tolerance, nodes)
    search.run(until)
    shape = (len(tasks), 2, tasks.objectives.shape[1])
    least, points = search.least().reshape(shape), search.incumbents.points.reshape(*shape, program.inputs)
    widest = interval_bounds(program, tasks.objectives, *ranges[:2])
    outer = np.stack([np.maximum(least[:, 0], widest[:, 0]), np.minimum(-least[:, 1], widest[:, 1])], axis=1)
    inner = evaluated(program, tasks, ranges, points)
    return Answer(outer, inner, points, search.ended(), ("branching",))


def _finite_ranges(program: Program, tasks: Tasks) -> tuple[Floats, Floats, Floats]:
    """`unit_ranges`; `InputError` where they overflow."""
    ranges = unit_ranges(program, tasks.networks, tasks.lower, tasks.upper)
    if not all(np.isfinite(part).all() for part in ranges):
        raise InputError("exact: the network's values overflow float64; its weights or the box are too large")
    return ranges


class Least(NamedTuple):
    """Of each row of each task: what it is proven to be at least, a value that is attained, and where."""

    proven: Floats  # (tasks, rows)
    attained: Floats  # (tasks, rows), up to rounding
    points: Floats  # (tasks, rows, inputs)
    nodes: int


def rows_above(program: Program, tasks: Tasks, aims: Floats, seconds: float) -> Least:
    """Searches until each row of the objectives, all of one network, is proven to exceed its aim, or one does not.

    `aims` are `(tasks, rows)`.
    """
    compile_kernels()
    until, shape = perf_counter() + seconds, aims.shape
    _finite_ranges(program, tasks)
    tolerance = ABOUT_AIMS * (1.0 + float(np.abs(aims).max()))
    search = Search(program, tasks, tasks.objectives, tolerance, sys.maxsize, aims.reshape(-1))
    search.run(until)
    points = search.incumbents.points.reshape(*shape, program.inputs)
    return Least(search.least().reshape(shape), search.incumbents.values.reshape(shape), points, int(search.done.sum()))


class Search:
    """The problems, numbered task by task: each of the `rows` `(tasks, rows, outputs)` is to be minimised.

    The search ends when all are known to within the tolerance; or, where there are `aims` `(problems,)`, when each is
    proven to exceed its aim or one does not.
    """

    def __init__(
        self, program: Program, tasks: Tasks, rows: Floats, tolerance: float, most_nodes: int,
        aims: Floats | None = None,
    ) -> None:  # fmt: skip
        self.program, self.tasks, self.most_nodes, self.aims = program, tasks, most_nodes, aims
        self.layers = Layers.of(program, int(tasks.networks[0]))
        self.owner = np.repeat(np.arange(len(tasks)), rows.shape[1])
        self.rows = torch.from_numpy(rows.reshape(len(self.owner), program.outputs))
        self.incumbents = Incumbents.at_centres(
            self.layers, tasks.lower[self.owner], tasks.upper[self.owner], self.rows
        )
        self.closed = np.full(len(self.owner), -np.inf)  # the least bound of the parts that need no more search
        self.allowed = ALLOWED * tolerance
        is_coarse = tolerance > FINEST_FOR_FLOAT32 * np.abs(self.incumbents.values).max(initial=0.0)
        self.dtype = torch.float32 if is_coarse else torch.float64
        self.done = np.zeros(len(tasks), dtype=np.int64)  # nodes of each task
        self.at_once = max(FEWEST_AT_ONCE, min(MOST_AT_ONCE, ENTRIES_AT_ONCE // (program.inputs + self.layers.units)))

    def run(self, until: float) -> None:
        """Searches until every problem is closed, its task has had its nodes, or the clock says `until`."""
        tasks, outputs = self.tasks, slice(int(self.program.begin[-2]), None)
        ranges = hidden_ranges(self.program, int(tasks.networks[0]), self.layers, tasks.lower, tasks.upper, until)
        self.fast = self.layers.to(self.dtype)
        self.relaxation, self.exact = Relaxation.of(self.fast, ranges), Relaxation(self.layers, ranges)
        self.proof = Proof(self.exact, error_of_program(self.program))
        size = unit_ranges(self.program, tasks.networks, tasks.lower, tasks.upper)[2][:, outputs]
        self.proven_rows = rows_of(self.layers, self.owner, len(self.layers.hidden), self.rows, size[self.owner])
        self.fast_rows = self.proven_rows.to(self.dtype)
        self.is_open = ranges.is_open(self.layers.slope)
        units = np.flatnonzero(self.is_open.any(0))
        self.pool = Pool(len(self.owner), units, self.layers.units, self.fast.slope.dtype)
        self._visit_roots(until)
        while perf_counter() < until and not self._has_missed():
            problems = self._unfinished()
            if not len(problems):
                break
            nodes = self.pool.pop(problems, self.at_once // 2)
            self._visit(nodes.halves(), STEPS)

    def _has_missed(self) -> bool:
        """Whether some row attains its aim."""
        return self.aims is not None and bool((self.incumbents.values <= self.aims).any())

    def _levels(self, problems: Integers) -> Floats:
        """What the bound of a part must exceed to need no more search."""
        return np.asarray(self.incumbents.values[problems] - self.allowed if self.aims is None else self.aims[problems])

    def least(self) -> Floats:
        """The proven lower bound of every problem."""
        waiting = [self.pool.lowest(problem) for problem in range(len(self.owner))]
        return np.asarray(np.minimum(self.closed, waiting))

    def ended(self) -> Integers:
        """How each task ended."""
        is_left = np.array([len(heap) > 0 for heap in self.pool.heaps], dtype=np.bool_) | np.isneginf(self.closed)
        of_tasks = is_left.reshape(len(self.tasks), -1).any(1)
        limit = np.where(self.done > self.most_nodes, TOO_MANY_REGIONS, STOPPED)
        return np.where(of_tasks, limit, SOLVED)

    def _visit_roots(self, until: float) -> None:
        for start in range(0, len(self.owner), self.at_once):
            if perf_counter() >= until:
                return
            problems = np.arange(start, min(start + self.at_once, len(self.owner)))
            self.closed[problems] = np.inf
            signs = np.zeros((len(problems), self.layers.units), dtype=np.int8)
            multipliers = self.relaxation.first_multipliers(self.owner[problems])
            self._descend(problems, signs, multipliers)
            bounds = np.full(len(problems), -np.inf)
            self._visit(Nodes(problems, signs, multipliers, bounds, np.zeros_like(problems)), FIRST_STEPS)

    def _descend(self, problems: Integers, signs: Signs, multipliers: Floats) -> None:
        """Looks for small values from where the relaxation is smallest, and from random corners."""
        found = self.relaxation.bounds(self.fast_rows.part(problems), signs, multipliers)
        starts = [found.points.double().numpy()]
        random = np.random.default_rng(0)
        lower, upper = self.incumbents.lower[problems], self.incumbents.upper[problems]
        starts += [np.where(random.random(lower.shape) < 0.5, lower, upper) for _ in range(RANDOM_STARTS)]
        for points in starts:
            self.incumbents.descend(self.fast, problems, points, DESCENT_STEPS)

    def _unfinished(self) -> Integers:
        """The problems that have nodes worth splitting; those of others are dropped, their bounds kept."""
        problems = self.pool.waiting()
        for problem, level in zip(problems, self._levels(problems), strict=True):
            if self.pool.lowest(problem) > level:
                self.closed[problem] = min(self.closed[problem], self.pool.clear(problem))
        has_nodes = np.array([len(self.pool.heaps[problem]) > 0 for problem in problems], dtype=np.bool_)
        problems = problems[has_nodes]
        return np.asarray(problems[self.done[self.owner[problems]] <= self.most_nodes])

    def _visit(self, nodes: Nodes, steps: int) -> None:
        """Bounds nodes; those that may still hold a value smaller than is allowed go into the pool."""
        problems = nodes.problems
        np.add.at(self.done, self.owner[problems], 1)
        targets = self._levels(problems) + MARGIN * self.allowed
        best = ascend(
            self.relaxation, self.fast_rows.part(problems), nodes.signs, nodes.multipliers,
            targets.astype(nodes.multipliers.dtype), steps,
        )  # fmt: skip
        self.incumbents.see_fast(self.fast, problems[best.active], best.points)
        proven = self.proof.bounds(self.proven_rows.part(problems), nodes.signs, best.multipliers)
        is_open = self.is_open[self.owner[problems]] & (nodes.signs == 0)
        worth = np.where(is_open, TINY, 0.0)
        worth[best.active] += np.where(is_open[best.active], best.gaps, 0.0)
        splits = worth.argmax(1) if self.layers.units else np.zeros_like(problems)
        nodes = Nodes(problems, nodes.signs, best.multipliers, np.maximum(nodes.bounds, proven), splits)
        nodes = self._left(nodes)
        is_leaf = ~(self.is_open[self.owner[nodes.problems]] & (nodes.signs == 0)).any(1)
        self.pool.push(nodes.part(np.flatnonzero(~is_leaf)))
        if is_leaf.any():
            self._close(nodes.part(np.flatnonzero(is_leaf)))

    def _left(self, nodes: Nodes) -> Nodes:
        """The nodes that are not closed by their bounds; the others' bounds are kept."""
        is_left = nodes.bounds <= self._levels(nodes.problems)
        np.minimum.at(self.closed, nodes.problems[~is_left], nodes.bounds[~is_left])
        return nodes.part(np.flatnonzero(is_left))

    def _close(self, leaves: Nodes) -> None:
        """Proves what can be proven of leaves: by more steps in float64, then with a linear program's multipliers."""
        rows = self.proven_rows.part(leaves.problems)
        targets = self._levels(leaves.problems) + MARGIN * self.allowed
        best = ascend(self.exact, rows, leaves.signs, leaves.multipliers.astype(np.float64), targets, LEAF_STEPS)
        proven = self.proof.bounds(rows, leaves.signs, best.multipliers)
        leaves = self._left(leaves._replace(bounds=np.maximum(leaves.bounds, proven)))
        for number in range(len(leaves.problems)):
            self._solve(leaves.part(np.array([number])))

    def _solve(self, node: Nodes) -> None:
        """Closes a leaf with what a linear program's multipliers prove."""
        problem, bound = int(node.problems[0]), float(node.bounds[0])
        leaf = solve_leaf(self.exact, int(self.owner[problem]), self.rows[problem], node.signs[0])
        if leaf is not None:
            proven = self.proof.bounds(self.proven_rows.part(node.problems), node.signs, leaf.multipliers[None])
            bound = max(bound, float(proven[0]))
            self.incumbents.see(node.problems, leaf.point[None])
        self.closed[problem] = min(self.closed[problem], bound)

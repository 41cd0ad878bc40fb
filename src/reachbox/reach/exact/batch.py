"""Many problems at once: chunks over threads, within a time limit, each answer widened by what rounding can do."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch

from reachbox.reach.exact.enumeration import SOLVED, Limits, allowances, enumerate_regions
from reachbox.reach.exact.rounding import ULP, check_sizes, evaluate, unit_ranges, widening
from reachbox.reach.program import Floats, Integers, Program

FEWEST_AT_ONCE, MOST_AT_ONCE = 16, 512  # tasks of one call into compiled code, which costs as much as some tasks do


@dataclass(frozen=True)
class Tasks:
    """Network `networks[i]` of a program over the box from `lower[i]` to `upper[i]`, for the objectives' rows."""

    networks: Integers  # (tasks,)
    lower: Floats  # (tasks, inputs)
    upper: Floats  # (tasks, inputs)
    objectives: Floats  # (tasks, rows, outputs)

    def __len__(self) -> int:
        return len(self.networks)

    def part(self, chunk: slice | Integers) -> Tasks:
        """Some of the tasks, in memory of their own: compiled code takes no read-only views."""
        return Tasks(
            np.array(self.networks[chunk]), np.array(self.lower[chunk], order="C"),
            np.array(self.upper[chunk], order="C"), np.array(self.objectives[chunk], order="C"),
        )  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """Proven bounds, attained values and the inputs that attain them; side 0 is the least, side 1 the largest."""

    outer: Floats  # (tasks, sides, rows)
    inner: Floats  # (tasks, sides, rows)
    points: Floats  # (tasks, sides, rows, inputs)
    ended: Integers  # (tasks,): SOLVED, TOO_MANY_REGIONS, ...
    engines: tuple[str, ...]  # those that were asked, in that order

    @property
    def gap(self) -> Floats:
        """How far what is proven lies from what is attained, `(tasks, sides, rows)`."""
        return np.asarray(np.abs(self.outer - self.inner))

    def with_part(self, index: Integers, part: Answer) -> Answer:
        """The same with another answer to some of the tasks: of both the tighter bounds and the farther values."""
        inward = np.array([[1.0], [-1.0]])  # lower and upper sides
        outer, inner, points, ended = self.outer.copy(), self.inner.copy(), self.points.copy(), self.ended.copy()
        is_farther = inward * part.inner < inward * inner[index]
        outer[index] = inward * np.maximum(inward * outer[index], inward * part.outer)
        points[index] = np.where(is_farther[..., None], part.points, points[index])
        inner[index] = np.where(is_farther, part.inner, inner[index])
        ended[index] = part.ended
        return Answer(outer, inner, points, ended, _united(self.engines, part.engines))


def joined(answers: Sequence[Answer], tasks: Integers) -> Answer:
    """Answers to parts of the tasks as one; `tasks` numbers them, part after part."""
    order = np.argsort(tasks)
    return Answer(
        np.concatenate([answer.outer for answer in answers])[order],
        np.concatenate([answer.inner for answer in answers])[order],
        np.concatenate([answer.points for answer in answers])[order],
        np.concatenate([answer.ended for answer in answers])[order],
        _united(*(answer.engines for answer in answers)),
    )


def _united(*engines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(engines)))


@dataclass(frozen=True)
class Limit:
    """Where the work ends although it is not done: regions and vertices of each task, seconds for all."""

    regions: int = 1_000_000
    vertices: int = 100_000
    seconds: float | None = None


def solve(program: Program, tasks: Tasks, limit: Limit) -> Answer:
    """The answer to every task by enumeration, on as many threads as torch uses.

    Tasks that end early have interval bounds. Raises `InputError` where a magnitude overflows.
    """
    limits = Limits(limit.regions, limit.vertices, np.array([limit.seconds == 0], dtype=np.uint8))
    compile_enumeration(program, tasks)
    at_once = min(max(len(tasks) // (4 * torch.get_num_threads()), FEWEST_AT_ONCE), MOST_AT_ONCE)
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        chunks = [
            threads.submit(_solve_chunk, program, tasks.part(slice(start, start + at_once)), limits)
            for start in range(0, len(tasks), at_once)
        ]
        try:
            if wait(chunks, limit.seconds, FIRST_EXCEPTION).not_done:
                limits.stop[0] = 1
            answers = [chunk.result() for chunk in chunks]
        except BaseException:
            limits.stop[0] = 1
            threads.shutdown(cancel_futures=True)
            raise
    return joined(answers, np.arange(len(tasks)))


def compile_enumeration(program: Program, tasks: Tasks) -> None:
    """Solves no task, so that compilation is not on anybody's clock, and can be interrupted."""
    _solve_chunk(program, tasks.part(slice(0)), Limits(1, 1, np.zeros(1, dtype=np.uint8)))


def _solve_chunk(program: Program, tasks: Tasks, limits: Limits) -> Answer:
    ranges = low, high, size = unit_ranges(program, tasks.networks, tasks.lower, tasks.upper)
    check_sizes(size)
    extremes, points, took = enumerate_regions(
        program, tasks.networks, tasks.lower, tasks.upper, low, high, tasks.objectives, limits
    )
    ended = took[:, 0]
    extreme_error, value_error = widening(program, tasks.networks, ranges, tasks.objectives, *allowances(took))
    enumerated = _moved(extremes, extreme_error, outward=True)
    by_intervals = interval_bounds(program, tasks.objectives, low, high)
    values = evaluate(program, tasks.networks, ranges, tasks.objectives, points)
    return Answer(
        outer=np.where((ended == SOLVED)[:, None, None], enumerated, by_intervals),
        inner=_moved(values, value_error, outward=False),
        points=points,
        ended=ended,
        engines=("enumeration",),
    )


def evaluated(program: Program, tasks: Tasks, ranges: tuple[Floats, Floats, Floats], points: Floats) -> Floats:
    """What the objectives surely reach at `points`, `(tasks, sides, rows, inputs)`: values less their rounding."""
    nothing = np.zeros(len(tasks))
    _, error = widening(program, tasks.networks, ranges, tasks.objectives, nothing, nothing)
    values = evaluate(program, tasks.networks, ranges, tasks.objectives, points)
    return _moved(values, error, outward=False)


def interval_bounds(program: Program, objectives: Floats, low: Floats, high: Floats) -> Floats:
    """Bounds of each row from the ranges of the outputs, `(tasks, 2, rows)`."""
    low, high = low[:, None, program.begin[-2] :], high[:, None, program.begin[-2] :]
    least, most = np.where(objectives > 0, low, high), np.where(objectives > 0, high, low)
    bounds = np.stack([(objectives * least).sum(-1), (objectives * most).sum(-1)], axis=1)
    size = (np.abs(objectives) * np.maximum(np.abs(low), np.abs(high))).sum(-1)
    return _moved(bounds, (program.outputs + 16) * ULP * size, outward=True)


def _moved(values: Floats, error: Floats, outward: bool) -> Floats:
    """`values` `(tasks, sides, rows)` moved by `error` `(tasks, rows)`, and by the rounding of that, to one side."""
    to = np.array([-np.inf, np.inf]) if outward else np.array([np.inf, -np.inf])
    moved = values + np.sign(to)[:, None] * error[:, None, :]
    return np.asarray(np.nextafter(moved, to[:, None]))

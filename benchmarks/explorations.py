"""Explorations of the paper's Iris network: how many minima and transition states they find, and in what time.

`python benchmarks/explorations.py --help`; `README.md` beside this file tells what is measured and how.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated

import numpy as np
import typer
from tables import digits, machine, titled, write_results

from reachbox.data import load
from reachbox.landscape import (
    Activation,
    Database,
    Landscape,
    LocalWorkers,
    Mode,
    PerceptronEnergy,
    ReLU,
    Tanh,
    Tolerance,
    distinct_count,
    explore,
    landscape_of,
)
from reachbox.studies.landscape import TOLERANCES, Survey, survey
from reachbox.studies.refinement import Refined, refine

WIDTHS, L2 = (4, 25, 25, 25, 3), 1e-3
LOOK = 5.0
"""Seconds between two counts of the states that join distinct minima."""
REFINED = 100
"""How many of the points found as published are asked to converge."""


@dataclass(frozen=True)
class Task:
    """What is explored, and how many minima, or states that join two distinct minima, end it.

    `tolerance`: points are distinct whose energies differ by more.
    """

    name: str
    activation: Activation
    mode: Mode
    width: float | None = None
    minima: int = 0
    joining: int = 0
    tolerance: float = 1e-5

    @property
    def landscape(self) -> Landscape:
        """With the settings of `reachbox landscape explore`."""
        iris = load("iris")
        inputs, labels = iris.x_train.double().numpy(), iris.y_train.numpy()
        return landscape_of(PerceptronEnergy(WIDTHS, self.activation, inputs, labels, l2=L2), self.mode, self.width)


TASKS = (
    Task("ReLU as published", ReLU(), Mode.PAPER, minima=763),
    Task("ReLU, bend .001", ReLU(), Mode.SMOOTHED, minima=100),
    Task("ReLU, bend 1", ReLU(), Mode.SMOOTHED, width=1.0, joining=300),
    Task("tanh", Tanh(), Mode.SMOOTH, joining=300, tolerance=1e-6),
)


@dataclass(frozen=True)
class Found:
    """What an exploration found: distinct points, the time, and down to which bends its states could be followed."""

    name: str
    seconds: float
    work_seconds: float
    distinct: dict[str, int]
    exist: float
    states: int
    coarse_states: int
    joining: int
    largest_part: int
    widths: list[float]


def explored(task: Task, folder: Path, workers: int, minutes: float) -> tuple[Found, Survey]:
    """Explores from nothing until the task is done or the time is over."""
    landscape, begin = task.landscape, perf_counter()
    path = folder / f"{task.name}.db"
    with (
        LocalWorkers(workers) as pool,
        Database(path, landscape.energy.describe(), Tolerance(task.tolerance), landscape.is_strict) as database,
    ):
        looked = begin
        for progress in explore(landscape.energy, database, landscape.exploration, pool):
            now = perf_counter()
            if task.minima and progress.minima >= task.minima:
                break
            if task.joining and progress.transition_states >= task.joining and now - looked > LOOK:
                looked = now
                if survey(database).joining >= task.joining:
                    break
            if now - begin > 60 * minutes:
                break
        seconds = perf_counter() - begin
        found = survey(database)
    distinct = {f"{tolerance:g}": found.distinct[tolerance] for tolerance in TOLERANCES}
    widths = [state.found.width for state in found.states if state.found.width is not None]
    coarse = distinct_count(np.array([state.found.energy for state in found.states]), Tolerance().energy)
    return Found(
        task.name, seconds, found.seconds, distinct, found.unseen_and_seen, len(found.states), coarse, found.joining,
        found.largest_part, widths,
    ), found  # fmt: skip


def counts(found: Sequence[Found]) -> str:
    """A row for each exploration."""
    rows = [
        [
            one.name, digits(one.seconds), digits(one.work_seconds), *one.distinct.values(), digits(one.exist),
            one.states, one.coarse_states, one.joining, one.largest_part,
        ]
        for one in found
    ]  # fmt: skip
    at = [f"at {tolerance:g}" for tolerance in TOLERANCES]
    header = ["exploration", "seconds", "of work", *at, "Chao", "states", "at 1e-05", "joining", "largest part"]
    return titled("Distinct minima at three tolerances, and transition states", header, rows)


def survival(found: Sequence[Found]) -> Iterator[str]:
    """How many states are still there when the bend becomes narrower."""
    levels = (1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02)
    rows = [
        [one.name, *(sum(width <= level + 1e-9 for width in one.widths) for level in levels)]
        for one in found
        if one.widths
    ]
    if rows:
        yield titled("Transition states that survive down to a bend of", ["exploration", *map(str, levels)], rows)


def refined(paper: Survey) -> Iterator[Refined]:
    """What becomes of points found as published, one in so many by energy, when they are asked to converge."""
    energy = TASKS[0].landscape.energy
    assert isinstance(energy, PerceptronEnergy)
    chosen = paper.minima[:: max(1, len(paper.minima) // REFINED)][:REFINED]
    return refine(energy, np.stack([minimum.found.point for minimum in chosen]))


def main(
    workers: Annotated[int, typer.Option(min=1, help="processes")] = 2,
    minutes: Annotated[float, typer.Option(help="the most for each exploration")] = 20.0,
    names: Annotated[str, typer.Option("--tasks", help="numbers of the tasks, from 0")] = "0,1,2,3",
    out: Annotated[Path | None, typer.Option("--json", help="file that receives every figure")] = None,
    record: Annotated[bool, typer.Option("--record", help="write the tables into README.md")] = False,
) -> None:
    """Explores the landscape of Iris in every mode, from nothing."""
    found, tables = [], []
    load_at_start = os.getloadavg()[0]
    with TemporaryDirectory() as folder:
        for task in (TASKS[int(number)] for number in names.split(",")):
            one, whole = explored(task, Path(folder), workers, minutes)
            found.append(one)
            print(counts([one]), flush=True)
            if task.mode is Mode.PAPER:
                rows = [[row.name, row.converged, row.distinct, digits(row.median_fall)] for row in refined(whole)]
                header = ["asked for", "converge", "distinct", "median fall"]
                tables.append(titled("The points found as published, asked to converge", header, rows))
    head = f"{datetime.now(UTC).date()}, {machine()['processor']}, {workers} processes, load {load_at_start:.1f}."
    text = "\n\n".join([head, counts(found), *survival(found), *tables]) + "\n"
    print(text)
    if out is not None:
        out.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")
    if record:
        write_results(text, "explorations.py")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    typer.run(main)

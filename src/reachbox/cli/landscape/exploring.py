"""What `reachbox landscape explore` does once its options are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import perf_counter
from typing import TypeAlias

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from reachbox.cli.answer import Answer, ExitCode
from reachbox.cli.landscape.problem import Problem
from reachbox.cli.landscape.survey import survey_record, survey_view
from reachbox.cli.progress import is_shown
from reachbox.errors import InputError
from reachbox.landscape import DaskWorkers, Database, Landscape, LocalWorkers, Progress, Tolerance, Workers, explore
from reachbox.studies.landscape import Survey, survey

Tell: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True)
class Goal:
    """When to stop: all counts that are given must be there, or the minutes be over."""

    minima: int | None
    states: int | None
    minutes: float | None

    def __post_init__(self) -> None:
        if self.minima is None and self.states is None and self.minutes is None:
            raise InputError("explore: say when to stop, by --minima, --states or --minutes")
        if self.minutes is not None and not self.minutes > 0:
            raise InputError(f"minutes: must be positive, found {self.minutes:g}")

    @property
    def has_counts(self) -> bool:
        """Whether a number of minima or of states is asked for."""
        return not (self.minima is None and self.states is None)

    def is_reached(self, minima: int, states: int) -> bool:
        """Whether all the counts asked for are there; never where none is."""
        return self.has_counts and minima >= (self.minima or 0) and states >= (self.states or 0)


def explored(
    problem: Problem, path: Path, tolerance: float, goal: Goal, workers: int, dask: str | None, as_json: bool
) -> Answer:
    """Explore until the goal is reached, and tell what is there."""
    landscape, begin = problem.landscape(), perf_counter()
    with team_of(workers, dask) as team:
        found, is_reached = explored_into(path, landscape, problem.about(), goal, team, Tolerance(energy=tolerance))
    gave_up = not is_reached and goal.has_counts
    return Answer(
        record={**survey_record(found), "database": path, "seed": problem.data.seed, "seconds": perf_counter() - begin},
        view=survey_view(found),
        exit_code=ExitCode.GAVE_UP if gave_up else ExitCode.DONE,
        as_json=as_json,
    )


def explored_into(
    path: Path,
    landscape: Landscape,
    about: Mapping[str, object],
    goal: Goal,
    team: Workers | None,
    tolerance: Tolerance | None = None,
) -> tuple[Survey, bool]:
    """What a database holds once an exploration was at its goal, or its time over; and whether it is at its goal."""
    limit = inf if goal.minutes is None else perf_counter() + 60 * goal.minutes
    words = {**about, "mode": str(landscape.mode), "rms": landscape.exploration.searching.minimiser.rms}
    surface = landscape.energy.describe()
    with Database(path, surface, tolerance or Tolerance(), landscape.is_strict, words) as database:
        reached = goal.is_reached(len(database.known_minima), len(database.known_transition_states))
        if not reached:
            with _progress() as tell:
                for progress in explore(landscape.energy, database, landscape.exploration, team):
                    tell(progress)
                    reached = goal.is_reached(progress.minima, progress.transition_states)
                    if reached or perf_counter() > limit:
                        break
        return survey(database), reached


def team_of(count: int, dask: str | None = None) -> Workers | nullcontext[None]:
    """Who does the jobs: this process alone, several, or those of a cluster."""
    if dask is not None:
        return DaskWorkers(dask)
    return nullcontext() if count == 1 else LocalWorkers(count)


@contextmanager
def _progress() -> Iterator[Tell]:
    """A line on the terminal that counts what is found."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True, disable=not is_shown(console)) as bar:
        task = bar.add_task("exploring", total=None)

        def tell(progress: Progress) -> None:
            words = f"{progress.minima} minima, {progress.transition_states} transition states"
            bar.update(task, description=f"job {progress.attempts}: {words}")

        yield tell

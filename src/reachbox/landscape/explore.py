"""The loop that explores a landscape: job after job, each stored before the next is told of."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass

from reachbox.errors import InputError
from reachbox.landscape.database import Database, Outcome
from reachbox.landscape.energy import Energy
from reachbox.landscape.jobs import Exploration, plan, run


@dataclass(frozen=True)
class Progress:
    """How much is stored after a job: attempts, distinct minima and transition states in the database."""

    attempts: int
    minima: int
    transition_states: int


def explore(
    energy: Energy,
    database: Database,
    options: Exploration | None = None,
    executor: Executor | None = None,
    workers: int = 1,
) -> Iterator[Progress]:
    """Run jobs without end, storing each before its progress is yielded; stop by leaving the loop.

    An interrupted exploration goes on where it was. Without an executor the same seed repeats the same exploration.
    With one (processes, or a cluster's) `workers` jobs run at a time, and the order in which they end matters.
    Raises `InputError` where one of database and search is strict and the other is not.
    """
    options = options or Exploration()
    if options.searching.strict != database.strict:
        raise InputError(
            f"explore: the database must be as strict as the search, found {database.strict} and {not database.strict}"
        )
    outcomes = (
        _parallel(energy, database, options, executor, workers) if executor else _serial(energy, database, options)
    )
    for outcome in outcomes:
        attempts = database.store(outcome)
        yield Progress(attempts, len(database.known_minima), len(database.known_transition_states))


def _serial(energy: Energy, database: Database, options: Exploration) -> Iterator[Outcome]:
    while True:
        yield run(energy, options, plan(database, options, database.next_seed))


def _parallel(
    energy: Energy, database: Database, options: Exploration, executor: Executor, workers: int
) -> Iterator[Outcome]:
    """Outcomes as they arrive; jobs not begun when the loop is left are cancelled."""
    seed = database.next_seed
    running: set[Future[Outcome]] = set()
    try:
        while True:
            while len(running) < workers:
                running.add(executor.submit(run, energy, options, plan(database, options, seed)))
                seed += 1
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    finally:
        for future in running:
            future.cancel()

"""The loop that explores a landscape: job after job, each stored before the next is told of."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from reachbox.errors import InputError
from reachbox.landscape.energy import Energy
from reachbox.landscape.exploring.jobs import Exploration, Job, plan, run
from reachbox.landscape.exploring.workers import Workers
from reachbox.landscape.storage.database import Database
from reachbox.landscape.storage.stored import Outcome

LOG = logging.getLogger(__name__)

LOST = "lost"
LOST_IN_A_ROW = 3


@dataclass(frozen=True)
class Progress:
    """How much is stored after a job: attempts, distinct minima and transition states in the database."""

    attempts: int
    minima: int
    transition_states: int


def explore(
    energy: Energy, database: Database, options: Exploration | None = None, workers: Workers | None = None
) -> Iterator[Progress]:
    """Run jobs without end, storing each before its progress is yielded; stop by leaving the loop.

    An interrupted exploration goes on where it was. Without workers the same seed repeats the same exploration; with
    them, processes or those of a cluster, the order in which jobs end matters. A job whose worker dies is stored as
    `lost`, and the others go on. Raises `InputError` where one of database and search is strict and the other is not,
    and where worker after worker dies.
    """
    options = options or Exploration()
    if options.searching.strict != database.strict:
        raise InputError(
            f"explore: the database must be as strict as the search, found {database.strict} and {not database.strict}"
        )
    outcomes = _parallel(energy, database, options, workers) if workers else _serial(energy, database, options)
    for outcome in outcomes:
        attempts = database.store(outcome)
        progress = Progress(attempts, len(database.known_minima), len(database.known_transition_states))
        LOG.info(
            "job %d, %s, %.3g s: %d minima, %d transition states are known",
            attempts, outcome.kind, outcome.seconds, progress.minima, progress.transition_states,
        )  # fmt: skip
        yield progress


def _serial(energy: Energy, database: Database, options: Exploration) -> Iterator[Outcome]:
    while True:
        yield run(energy, options, plan(database, options, database.next_seed))


def _parallel(energy: Energy, database: Database, options: Exploration, workers: Workers) -> Iterator[Outcome]:
    """Outcomes as they arrive; jobs not begun when the loop is left are cancelled."""
    seed, lost = database.next_seed, 0
    running: dict[Future[Outcome], Job] = {}
    try:
        while True:
            while len(running) < workers.count:
                job = plan(database, options, seed)
                running[workers.submit(run, energy, options, job)] = job
                seed += 1
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                outcome = _outcome(future, running.pop(future), workers)
                lost = lost + 1 if LOST in outcome.counts else 0
                if lost > LOST_IN_A_ROW * workers.count:
                    raise InputError(f"explore: {lost} jobs in a row lost their worker; is there memory for them?")
                yield outcome
    finally:
        for future in running:
            future.cancel()


def _outcome(future: Future[Outcome], job: Job, workers: Workers) -> Outcome:
    """What the job brought home, or that it was lost with its worker."""
    error = future.exception()
    if error is None:
        return future.result()
    if not isinstance(error, workers.deaths):
        raise error
    return Outcome(job.kind, job.seed, searched=job.searched, counts={LOST: 1})

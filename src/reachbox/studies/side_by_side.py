"""Jobs in processes side by side, each on one thread: a process takes the next job that waits."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from functools import partial
from logging.handlers import QueueHandler
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, TypeAlias, TypeVar

from reachbox.studies.chapter import Progress
from reachbox.studies.one_thread import one_thread

Result = TypeVar("Result")
Job: TypeAlias = Callable[[Progress], Result]
Hear: TypeAlias = Callable[[int, str, float], None]
"""Told the number of a job, what it is doing and the share of it that is done."""

HEARING = 0.2  # seconds
LOG = logging.getLogger("reachbox")


def side_by_side(jobs: Sequence[Job[Result]], workers: int, hear: Hear) -> list[Result]:
    """The results of all jobs, in order; with one worker in this process, one after the other.

    With more, jobs and results must pickle. An error in one ends the others and is raised here; so does an interrupt.
    What jobs log is logged here.
    """
    if workers == 1 or len(jobs) == 1:
        with one_thread():
            return [job(partial(hear, number)) for number, job in enumerate(jobs)]
    context = get_context("spawn")
    channel = context.SimpleQueue()
    pool = ProcessPoolExecutor(min(workers, len(jobs)), context, _begin, (channel, LOG.getEffectiveLevel()))
    try:
        futures = [pool.submit(_do, number, job) for number, job in enumerate(jobs)]
        while _unfinished(futures):
            _listen(channel, hear)
        _listen(channel, hear)
        return [future.result() for future in futures]
    except BaseException:
        _end(pool)
        raise
    finally:
        pool.shutdown()
        channel.close()


def _unfinished(futures: Sequence[Future[Any]]) -> bool:
    """Whether jobs are open; an error of one is raised at once."""
    done, open_ = wait(futures, HEARING, FIRST_EXCEPTION)
    for future in done:
        future.result()
    return bool(open_)


def _listen(channel: Any, hear: Hear) -> None:
    """Passes on everything that the jobs have told so far."""
    while not channel.empty():
        message = channel.get()
        if isinstance(message, logging.LogRecord):
            logging.getLogger(message.name).handle(message)
        else:
            hear(*message)


def _end(pool: ProcessPoolExecutor) -> None:
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


_channel: Any = None
"""In a worker: the queue to the process that listens."""


class _ToParent(QueueHandler):
    """Sends what is logged through the channel."""

    def enqueue(self, record: logging.LogRecord) -> None:
        _channel.put(record)


def _begin(channel: Any, level: int) -> None:
    """A worker leaves interrupts and its log to its parent, and ends when that is gone."""
    global _channel  # noqa: PLW0603
    _channel = channel
    LOG.setLevel(level)
    LOG.addHandler(_ToParent(channel))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _do(number: int, job: Job[Result]) -> Result:
    with one_thread():
        return job(partial(_tell, number))


def _tell(number: int, doing: str, share: float) -> None:
    _channel.put((number, doing, share))

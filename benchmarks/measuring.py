"""Time of many subjects that take turns, and the memory of one in a process of its own."""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Callable
from ctypes import CDLL
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import TypeAlias

import numpy as np
import torch
from subjects import SUBJECTS, backward
from tables import kibibytes
from workloads import WORKLOADS, problem

TURN = 0.25  # seconds: a turn is as many calls as fit, at least one
SLOW, SLOW_TURNS = 2.0, 3  # a subject whose call takes longer than SLOW seconds has so many turns

Tasks: TypeAlias = dict[tuple[str, str], Callable[[], object]]
"""What is timed, by the pass and by who makes it."""


@dataclass(frozen=True)
class Peak:
    """Memory that one forward + backward needs above what the process held before, or why there is no number."""

    workload: str
    subject: str
    mebibytes: float | None = None
    failure: str = ""


def peak(name: str, subject: str, folder: Path, patience: int) -> Peak:
    """Measured in a fresh process, which ends after `patience` seconds of computing."""
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=measure_peak, args=(name, subject, folder, patience, sys.path, sender))
    process.start()
    sender.close()
    try:
        found: Peak = receiver.recv()
    except EOFError:
        process.join()
        is_slow = process.exitcode == -signal.SIGXCPU
        reason = f"more than {patience} s of processor time" if is_slow else f"exit code {process.exitcode}"
        return Peak(name, subject, failure=reason)
    process.join()
    return found


def measure_peak(name: str, subject: str, folder: Path, patience: int, path: list[str], sender: Connection) -> None:
    """The fresh process: everything is loaded and compiled on one sample of a tiny box, then the peak is counted anew.

    Linux resets the peak of the resident set when 5 is written to `clear_refs`. Half of the free memory is the limit.
    """
    sys.path[:] = path
    torch.set_num_threads(1)
    given = problem(WORKLOADS[name], folder)
    small = replace(given, x=given.x[:1], radius=given.radius / 1000)
    backward(SUBJECTS[subject](small), small)
    CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    limit(resource.RLIMIT_AS, kibibytes("/proc/meminfo", "MemAvailable") * 1024 // 2)
    limit(resource.RLIMIT_CPU, int(process_time()) + patience)
    before = kibibytes("/proc/self/status", "VmRSS")
    try:
        backward(SUBJECTS[subject](given), given)
        sender.send(Peak(name, subject, (kibibytes("/proc/self/status", "VmHWM") - before) / 1024))
    except (RuntimeError, MemoryError) as error:
        reason = "more than half of the free memory" if "allocate" in str(error) else str(error).splitlines()[0]
        sender.send(Peak(name, subject, failure=reason))


def limit(kind: int, value: int) -> None:
    resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call: median and quartiles over `calls`, and the median by the clock on the wall."""

    workload: str
    threads: int
    passes: str
    subject: str
    milliseconds: float
    lower_quartile: float
    upper_quartile: float
    wall_milliseconds: float
    calls: int


def timings(name: str, threads: int, tasks: Tasks, rounds: int) -> list[Timing]:
    """The workload's tasks with that many threads: processor time for one thread, wall-clock time for more."""
    torch.set_num_threads(threads)
    found = []
    for (passes, subject), calls in interleaved(tasks, rounds).items():
        wall, processor = zip(*calls, strict=True)
        seconds = processor if threads == 1 else wall
        low, middle, high = (1e3 * float(quartile) for quartile in np.quantile(seconds, (0.25, 0.5, 0.75)))
        found.append(Timing(name, threads, passes, subject, middle, low, high, 1e3 * median(wall), len(calls)))
    return found


def interleaved(tasks: Tasks, rounds: int) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """The seconds of every call: the tasks take turns, round by round, after one call each that does not count."""
    first = {name: timed(task) for name, task in tasks.items()}
    calls: dict[tuple[str, str], list[tuple[float, float]]] = {name: [] for name in tasks}
    for number in range(rounds):
        for name, task in tasks.items():
            every = -(-rounds // SLOW_TURNS) if min(first[name]) > SLOW else 1
            if number % every == 0:
                calls[name] += turn(task)
    return calls


def turn(task: Callable[[], object]) -> list[tuple[float, float]]:
    calls = [timed(task)]
    while sum(wall for wall, _ in calls) + calls[-1][0] < TURN:
        calls.append(timed(task))
    return calls


def timed(task: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock on the wall, and of all processors together."""
    wall, processor = perf_counter(), process_time()
    task()
    return perf_counter() - wall, process_time() - processor

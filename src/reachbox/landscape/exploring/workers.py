"""Who does the jobs of an exploration: processes of this machine, or those of a Dask cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from itertools import cycle
from multiprocessing import get_context
from typing import Any, TypeVar

from reachbox.errors import InputError

Result = TypeVar("Result")


class Workers(AbstractContextManager["Workers"], ABC):
    """Some processes that do jobs, `count` at a time; `deaths` are the errors of a job whose process died."""

    count: int
    deaths: tuple[type[BaseException], ...]

    @abstractmethod
    def submit(self, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Have it called in one of the processes."""


class LocalWorkers(Workers):
    """Processes of this machine, each a pool of its own: one that dies takes its job with it, and is replaced."""

    deaths = (BrokenProcessPool,)

    def __init__(self, count: int) -> None:
        if count < 1:
            raise InputError(f"workers: one or more are needed, found {count}")
        self.count = count
        self._pools = [_pool() for _ in range(count)]
        self._jobs: list[Future[Any] | None] = [None] * count
        self._turns = cycle(range(count))

    def submit(self, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Have it called in the next process that is idle, or after what the next one is doing."""
        turns = [next(self._turns) for _ in range(self.count)]
        idle = [turn for turn in turns if (job := self._jobs[turn]) is None or job.done()]
        place = (idle or turns)[0]
        try:
            future = self._pools[place].submit(function, *arguments)
        except BrokenProcessPool:
            self._pools[place].shutdown(wait=False)
            self._pools[place] = _pool()
            future = self._pools[place].submit(function, *arguments)
        self._jobs[place] = future
        return future

    def __exit__(self, *error: object) -> None:
        """Ends the processes at once: what a job has not brought home yet is nowhere promised."""
        for pool in self._pools:
            processes = list((getattr(pool, "_processes", None) or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_one_thread)


def _one_thread() -> None:
    """A worker is one thread: the others have the other cores."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)


class DaskWorkers(Workers):
    """The processes of a Dask cluster whose scheduler listens at `address`, such as `tcp://host:8786`.

    Each needs reachbox installed. Raises `InputError` without the extra `distributed`, or where nothing listens.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client, KilledWorker
        except ImportError:
            raise InputError("workers: a Dask cluster needs the extra, pip install 'reachbox[distributed]'") from None
        try:
            self._client = Client(address, timeout=10)
        except (OSError, ValueError) as error:
            raise InputError(f"workers: no Dask scheduler at {address}: {error}") from None
        self._executor = self._client.get_executor(pure=False, retries=0)
        self.deaths = (KilledWorker,)
        self.count = sum(self._client.nthreads().values())
        if not self.count:
            raise InputError(f"workers: the Dask scheduler at {address} has none")

    def submit(self, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Have it called in any of the processes."""
        future: Future[Result] = self._executor.submit(function, *arguments)
        return future

    def __exit__(self, *error: object) -> None:
        """Leaves the cluster; jobs not begun are cancelled."""
        self._executor.shutdown(wait=False)
        self._client.close()

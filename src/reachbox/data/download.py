"""Downloads that are checked: a file from the first mirror that gives it with the right SHA-256, kept in a cache."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from reachbox.errors import FileError


def cache_folder() -> Path:
    """Where downloads are kept: the operating system's cache folder of the user."""
    import pooch

    return Path(pooch.os_cache("reachbox"))


def fetch(file: str, sha256: str, mirrors: Sequence[str], folder: Path) -> Path:
    """The path of `file` in `folder`, downloaded from the first of `mirrors` (addresses that end in `/`) that has it.

    A file that is there already, with the right checksum, is not downloaded again. Progress stands on standard error
    where that is a terminal. Raises `FileError` when no mirror gives the file, with the reason of each.
    """
    import pooch

    failures = []
    for mirror in mirrors:
        with _Bar(file) as bar, _quiet(pooch.get_logger()):
            try:
                downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=30)
                found = pooch.retrieve(mirror + file, f"sha256:{sha256}", file, folder, downloader=downloader)
                return Path(found)
            except (OSError, ValueError) as error:
                failures.append(f"{mirror}: {_reason(error)}")
    raise FileError(f"{file}: cannot be downloaded ({'; '.join(failures)})")


def _reason(error: Exception) -> str:
    """A short reason: a checksum's message is long, a connection's names every layer that it passed."""
    if isinstance(error, ValueError) and "hash" in str(error):
        return "wrong checksum"
    return type(error).__name__


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Bar:
    """One download's progress in the form that pooch speaks to; it appears when the size is known."""

    def __init__(self, file: str) -> None:
        console = Console(stderr=True)
        self._progress = Progress(console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task(file, total=None)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @property
    def total(self) -> float | None:
        return self._progress.tasks[0].total

    @total.setter
    def total(self, size: int) -> None:
        self._progress.start()
        self._progress.update(self._task, total=size or None)

    def update(self, size: int) -> None:
        self._progress.advance(self._task, size)

    def reset(self) -> None:
        self._progress.reset(self._task, total=self.total)

    def close(self) -> None:
        self._progress.refresh()

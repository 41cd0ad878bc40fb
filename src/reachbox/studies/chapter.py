"""A chapter: what a part of the report is asked for, and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from reachbox.report import Section
from reachbox.report.page import Highlight

Progress: TypeAlias = Callable[[str, float], None]


def silent(doing: str, share: float) -> None:
    """Progress that nobody listens to; a function with a name, so that a request can go to another process."""


@dataclass(frozen=True)
class Request:
    """What a chapter needs to know.

    `folder` is the chapter's own, for results on the way: what is found finished there, under the same settings, is
    not computed again. `quick` asks for small data in a minute or two. `seeds` is how many trainings the tables have of
    each method, from `seed` on; without it as many as the chapter sees fit. `data_dir` is where MNIST lies, if
    anywhere. `progress` is told what is being done and the share that is done, from 0 to 1. Networks are trained and
    measured on `device`; `as_is` asks for a page of the trainings that are finished, and no more.
    """

    folder: Path
    quick: bool = False
    seed: int = 0
    seeds: int | None = None
    data_dir: Path | None = None
    progress: Progress = silent
    device: str = "cpu"
    as_is: bool = False


@dataclass(frozen=True)
class Chapter:
    """Sections of a page; what it takes to compute them again, by name; and, for a few, the numbers on top."""

    sections: tuple[Section, ...]
    settings: tuple[tuple[str, str], ...]
    highlights: tuple[Highlight, ...] = ()

"""All chapters by name, and the page that binds those asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

from reachbox.errors import InputError
from reachbox.report import Page, versions, write_page
from reachbox.studies.boxes import boxes
from reachbox.studies.chapter import Chapter, Progress, Request, silent
from reachbox.studies.digits import digits
from reachbox.studies.fig4 import fig4
from reachbox.studies.fig5 import fig5
from reachbox.studies.fig6 import fig6
from reachbox.studies.iris_landscape import landscape
from reachbox.studies.sections import words_section
from reachbox.studies.side_by_side import side_by_side
from reachbox.studies.tables.chapters import table1, table2, table3
from reachbox.studies.tradeoff import tradeoff

LOG = logging.getLogger(__name__)

CHAPTERS: Mapping[str, Callable[[Request], Chapter]] = {
    "digits": digits,
    "boxes": boxes,
    "fig4": fig4,
    "landscape": landscape,
    "fig5": fig5,
    "fig6": fig6,
    "table1": table1,
    "table2": table2,
    "table3": table3,
    "tradeoff": tradeoff,
}
ALL = "all"
SHARING = ("table2", "table3")  # the same trainings: one after the other
# What others use is compiled first: the exact engine by `boxes`. Then those that take long, and beside each other those
# that compile different code.
QUEUE = ("boxes", "landscape", "table1", "fig5", "table2", "table3", "tradeoff", "fig4", "fig6", "digits")

TITLE = "How far can a small change move a network?"
LEAD = (
    "Let every number that a network reads change a little, and its answers change too. reachbox proves how far they "
    "can go, as a box around every possible answer, and trains networks whose boxes stay small."
)


def reproduce(
    names: Sequence[str],
    folder: Path,
    *,
    quick: bool = False,
    seed: int = 0,
    seeds: int | None = None,
    data_dir: Path | None = None,
    device: str = "cpu",
    as_is: bool = False,
    workers: int = 1,
    progress: Progress = silent,
) -> Path:
    """Computes chapters and binds them to a page in `folder`; gives the path of its `index.html`.

    `names` are keys of `CHAPTERS`, or `all`. Results on the way are kept in `folder/work/CHAPTER`, with the settings
    that they are of, so a report that was interrupted goes on where it stopped. The same seed gives the same numbers on
    the same device, whatever the number of `workers`, processes on one thread each; only the times differ. `seeds` is
    how many trainings of each method the tables have; without it 3, quick 1. `device` trains and measures the networks
    of the tables and the trade-off; with `as_is` these chapters show the trainings that are finished, and train
    nothing.

    Raises `InputError` for a name that is none, `FileError` where the folder cannot be written.
    """
    started = perf_counter()
    chosen = _chosen(names)
    jobs = [
        partial(_computed, part, Request(folder, quick, seed, seeds, data_dir, device=device, as_is=as_is))
        for part in _parts(chosen)
    ]
    shares = [0.0] * len(jobs)

    def hear(number: int, doing: str, share: float) -> None:
        shares[number] = max(share, shares[number])
        progress(doing, sum(shares) / len(jobs))
        if share == 1.0:
            LOG.info(doing)

    timed = {one.name: one for part in side_by_side(jobs, workers, hear) for one in part}
    path = write_page(_page([timed[name] for name in chosen], seed, workers, perf_counter() - started), folder)
    progress("done", 1.0)
    return path


@dataclass(frozen=True)
class _Timed:
    """A chapter, and how long it took: by the clock, and of processor time."""

    name: str
    chapter: Chapter
    seconds: float
    cpu_seconds: float


def _computed(names: Sequence[str], request: Request, progress: Progress) -> list[_Timed]:
    """Some chapters, one after the other, each in its own folder below that of `request`."""
    found = []
    for number, name in enumerate(names):

        def tell(doing: str, share: float, done: int = number, chapter: str = name) -> None:
            progress(f"{chapter}: {doing}", (done + share) / len(names))

        started, cpu_started = perf_counter(), process_time()
        chapter = CHAPTERS[name](replace(request, folder=request.folder / "work" / name, progress=tell))
        found.append(_Timed(name, chapter, perf_counter() - started, process_time() - cpu_started))
        tell(f"done in {found[-1].seconds:.0f} s, {found[-1].cpu_seconds:.0f} s of processor time", 1.0)
    return found


def _chosen(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name != ALL and name not in CHAPTERS:
            raise InputError(f"reproduce: {name!r} is unknown; allowed: {', '.join((ALL, *CHAPTERS))}")
    return tuple(CHAPTERS) if ALL in names else tuple(dict.fromkeys(names))


def _parts(names: Sequence[str]) -> list[tuple[str, ...]]:
    """What one process computes at a time, in order of beginning: a chapter, or those that share trainings."""
    together = tuple(name for name in names if name in SHARING)
    parts = [together if name in together else (name,) for name in names]
    return sorted(dict.fromkeys(parts), key=lambda part: QUEUE.index(part[0]))


def _page(found: Sequence[_Timed], seed: int, workers: int, seconds: float) -> Page:
    chapters = [timed.chapter for timed in found]
    how = "in one process" if workers == 1 else f"in {workers} processes side by side"
    each = ", ".join(f"{timed.name} {timed.seconds:.0f} ({timed.cpu_seconds:.0f})" for timed in found)
    return Page(
        TITLE,
        LEAD,
        tuple(highlight for chapter in chapters for highlight in chapter.highlights),
        (words_section(), *(section for chapter in chapters for section in chapter.sections)),
        (
            ("seed", str(seed)),
            *(setting for chapter in chapters for setting in chapter.settings),
            ("with", ", ".join(f"{name} {version}" for name, version in versions())),
            ("time taken", f"{seconds:.0f} s {how}, each on one thread"),
            ("of each chapter", f"{each}; seconds, in brackets those of the processor"),
        ),
    )

"""All chapters by name, and the page that binds those asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter

from reachbox.errors import InputError
from reachbox.report import Page, versions, write_page
from reachbox.studies.boxes import boxes
from reachbox.studies.chapter import Chapter, Progress, Request
from reachbox.studies.digits import digits
from reachbox.studies.fig5 import fig5
from reachbox.studies.fig6 import fig6
from reachbox.studies.iris_landscape import landscape
from reachbox.studies.one_thread import one_thread
from reachbox.studies.overestimate import overestimate
from reachbox.studies.sections import words_section
from reachbox.studies.tables.chapters import table1, table2, table3
from reachbox.studies.tradeoff import tradeoff

CHAPTERS: Mapping[str, Callable[[Request], Chapter]] = {
    "digits": digits,
    "boxes": boxes,
    "fig4": overestimate,
    "landscape": landscape,
    "fig5": fig5,
    "fig6": fig6,
    "table1": table1,
    "table2": table2,
    "table3": table3,
    "tradeoff": tradeoff,
}
ALL = "all"

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
    data_dir: Path | None = None,
    device: str = "cpu",
    as_is: bool = False,
    progress: Progress = lambda doing, share: None,
) -> Path:
    """Computes chapters and binds them to a page in `folder`; gives the path of its `index.html`.

    `names` are keys of `CHAPTERS`, or `all`. Results on the way are kept in `folder/work/CHAPTER`, so a report that
    was interrupted goes on where it stopped. The same seed gives the same numbers on the same device; only the times
    differ. `device` trains and measures the networks of the tables and the trade-off; with `as_is` these chapters show
    the trainings that are finished, and train nothing.

    Raises `InputError` for a name that is none, `FileError` where the folder cannot be written.
    """
    started = perf_counter()
    chosen = _chosen(names)
    chapters = []
    with one_thread():
        for number, name in enumerate(chosen):

            def tell(doing: str, share: float, done: int = number, chapter: str = name) -> None:
                progress(f"{chapter}: {doing}", (done + share) / len(chosen))

            request = Request(folder / "work" / name, quick, seed, data_dir, tell, device, as_is)
            chapters.append(CHAPTERS[name](request))
    path = write_page(_page(chapters, seed, perf_counter() - started), folder)
    progress("done", 1.0)
    return path


def _chosen(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name != ALL and name not in CHAPTERS:
            raise InputError(f"reproduce: {name!r} is unknown; allowed: {', '.join((ALL, *CHAPTERS))}")
    return tuple(CHAPTERS) if ALL in names else tuple(dict.fromkeys(names))


def _page(chapters: Sequence[Chapter], seed: int, seconds: float) -> Page:
    return Page(
        TITLE,
        LEAD,
        tuple(highlight for chapter in chapters for highlight in chapter.highlights),
        (words_section(), *(section for chapter in chapters for section in chapter.sections)),
        (
            ("seed", str(seed)),
            *(setting for chapter in chapters for setting in chapter.settings),
            ("with", ", ".join(f"{name} {version}" for name, version in versions())),
            ("time taken", f"{seconds:.0f} s on one thread"),
        ),
    )

"""`reachbox reproduce`: the paper's experiments as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer

Quick = Annotated[bool, typer.Option("--quick", help="Small data sets, a few minutes.")]
Folder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where index.html goes.")]


def reproduce(
    quick: Quick = False,
    out: Folder = Path("report"),
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> Answer:
    """Trains, measures and writes the report: what sensitivity is, and that training against it works.

    reachbox reproduce --quick --out report/
    """
    from time import perf_counter

    from reachbox.cli.progress import share_done
    from reachbox.cli.tables import duration, facts
    from reachbox.errors import InputError
    from reachbox.report.versions import versions
    from reachbox.studies.quick import run_quick

    if not quick:
        raise InputError("reproduce: the quick report is the one that can be made; say --quick")
    started = perf_counter()
    with share_done() as progress:
        page = run_quick(out, seed=seed, progress=progress)
    seconds = perf_counter() - started
    return Answer(
        record={"report": page, "seed": seed, "seconds": seconds, "versions": dict(versions())},
        view=(facts({"report": str(page), "time": duration(seconds)}),),
        as_json=as_json,
    )

"""`reachbox reproduce`: the paper's experiments as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer

Names = Annotated[list[str] | None, typer.Argument(metavar="CHAPTER", help="Chapters such as boxes, or all of them.")]
Quick = Annotated[bool, typer.Option("--quick", help="Small data sets, a few minutes.")]
Folder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where index.html goes.")]
Seeds = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Trainings of each method in the tables; 3 without it, 1 of a quick one."),
]
AsIs = Annotated[bool, typer.Option("--as-is", help="Show the trainings that are finished, and train nothing.")]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Chapters at a time, each in a process on one thread; one for each core without it."
    ),
]


def reproduce(
    chapters: Names = None,
    quick: Quick = False,
    out: Folder = Path("report"),
    data_dir: options.DataDir = None,
    as_is: AsIs = False,
    device: options.Device = "cpu",
    workers: Workers = None,
    seed: options.Seed = 0,
    seeds: Seeds = None,
    as_json: options.Json = False,
) -> Answer:
    """Computes the paper's figures and tables again and binds them to one page.

    The folder gets index.html, which stands alone, and the data of every figure as CSV. Interrupted, the same command
    goes on where it stopped. Chapters: digits, boxes, landscape, fig4, fig5, fig6, table1, table2, table3, tradeoff.

    reachbox reproduce all --quick --out report/

    reachbox reproduce fig4 fig5 --out report/
    """
    import os
    from time import perf_counter

    from reachbox.cli.computation import device_of
    from reachbox.cli.progress import share_done
    from reachbox.cli.tables import duration, facts
    from reachbox.report.versions import versions
    from reachbox.studies import chapters as studies

    started = perf_counter()
    with share_done() as progress:
        page = studies.reproduce(
            chapters or [studies.ALL],
            out,
            quick=quick,
            seed=seed,
            seeds=seeds,
            data_dir=data_dir,
            device=str(device_of(device)),
            as_is=as_is,
            workers=workers or os.cpu_count() or 1,
            progress=progress,
        )
    seconds = perf_counter() - started
    return Answer(
        record={"report": page, "seed": seed, "seconds": seconds, "versions": dict(versions())},
        view=(facts({"report": page, "time": duration(seconds)}),),
        as_json=as_json,
    )

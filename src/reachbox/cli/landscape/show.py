"""`reachbox landscape show`: what a database holds, in numbers and in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer

File = Annotated[Path, typer.Argument(metavar="DATABASE", help="A file that explore has written.")]
Folder = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", help="Where the pictures go: index.html, SVG files and CSV tables."),
]


def show(database: File, out: Folder = None, as_json: options.Json = False) -> Answer:
    """Counts, the lowest minima and how the searches went; with --out the disconnectivity graph and other pictures.

    reachbox landscape show iris.db --out pictures/
    """
    from reachbox.cli.landscape.survey import survey_record, survey_view
    from reachbox.landscape import Database
    from reachbox.studies.landscape import survey

    with Database.existing(database) as stored:
        found = survey(stored)
    record, view = {**survey_record(found), "database": database}, list(survey_view(found))
    if out is not None:
        from reachbox.cli.landscape.pictures import write_pictures
        from reachbox.cli.tables import facts

        page = write_pictures(found, out)
        record["pictures"] = page
        view += ["", facts({"pictures": page})]
    return Answer(record=record, view=view, as_json=as_json)

"""`reachbox landscape export`: a database in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer

if TYPE_CHECKING:
    from reachbox.landscape import Database

FORMATS = ("csv", "graphml", "pele")
File = Annotated[Path, typer.Argument(metavar="DATABASE", help="A file that explore has written.")]
Folder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the files go.")]
Formats = Annotated[
    str, typer.Option("--format", metavar="NAME[,NAME]", help="csv, graphml and pele (SQLite with the weights).")
]


def export(database: File, out: Folder, formats: Formats = "csv,graphml", as_json: options.Json = False) -> Answer:
    """Writes minima.csv and transition_states.csv, network.graphml, pele.sqlite.

    reachbox landscape export iris.db --format csv,pele --out files/
    """
    from reachbox.cli.tables import facts
    from reachbox.errors import FileError, InputError
    from reachbox.landscape import Database

    wanted = formats.split(",")
    if not set(wanted) <= set(FORMATS):
        raise InputError(f"format: {', '.join(FORMATS)} are allowed, found {formats!r}")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{out}: the folder cannot be made: {error.strerror or error}") from None
    with Database.existing(database) as stored:
        files = [file for name in wanted for file in _written(name, stored, out)]
    return Answer(
        record={"database": database, "files": files},
        view=(facts({"files": files}),),
        as_json=as_json,
    )


def _written(name: str, stored: Database, out: Path) -> list[Path]:
    from reachbox.landscape import write_graphml, write_minima_csv, write_pele, write_transition_states_csv

    minima, states = stored.minima(), stored.transition_states()
    if name == "csv":
        files = [out / "minima.csv", out / "transition_states.csv"]
        write_minima_csv(files[0], minima)
        write_transition_states_csv(files[1], states)
    elif name == "graphml":
        files = [out / "network.graphml"]
        write_graphml(files[0], minima, states)
    else:
        files = [out / "pele.sqlite"]
        files[0].unlink(missing_ok=True)
        write_pele(files[0], minima, states)
    return files

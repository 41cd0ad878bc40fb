"""How `reachbox study` explores the landscape of a network in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from reachbox.cli import options

EXPLORATION = "Exploration, of a MODEL"
Database = Annotated[
    Path | None,
    typer.Option(
        "--database",
        metavar="FILE.db",
        callback=options.writable,
        help="Where its landscape is kept, what is there goes on; landscape.db in --out without it.",
        rich_help_panel=EXPLORATION,
    ),
]
L2 = Annotated[
    float | None,
    typer.Option("--l2", metavar="W", help="Weight of the sum of W^2, 0.001.", rich_help_panel=EXPLORATION),
]
Minima = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Stop at so many minima, 20.", rich_help_panel=EXPLORATION)
]
Minutes = Annotated[
    float | None, typer.Option(metavar="M", help="Stop after so many minutes.", rich_help_panel=EXPLORATION)
]
Workers = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Processes on this machine, 1.", rich_help_panel=EXPLORATION),
]


@dataclass(frozen=True)
class ExploringOptions:
    """How far it is explored, and where it is kept; None where nothing was said."""

    database: Database = None
    l2: L2 = None
    minima: Minima = None
    minutes: Minutes = None
    workers: Workers = None

    @property
    def are_given(self) -> bool:
        """Whether anything was said."""
        return self != ExploringOptions()

    @property
    def has_no_end(self) -> bool:
        """Whether neither minima nor minutes were said."""
        return self.minima is None and self.minutes is None

"""`reachbox landscape`: explore the landscape of a loss, look at what was found, and pass it on."""

from __future__ import annotations

import typer

from reachbox.cli.flattened import flattened
from reachbox.cli.landscape.explore import explore
from reachbox.cli.landscape.export import export
from reachbox.cli.landscape.show import show

landscape = typer.Typer(
    help="Minima and transition states of a network's loss, and how they connect.", no_args_is_help=True
)
for command in (explore, show, export):
    landscape.command()(flattened(command))

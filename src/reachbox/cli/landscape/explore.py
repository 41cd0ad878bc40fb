"""`reachbox landscape explore`: minima and transition states into a database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer
from reachbox.cli.option_groups import DataOptions

PROBLEM, SEARCH = "Problem", "Search"
Database = Annotated[
    Path,
    typer.Option(
        "--database", metavar="FILE.db", callback=options.writable, help="Where it is kept; what is there goes on."
    ),
]
Network = Annotated[
    str,
    typer.Option(
        metavar="SPEC", help="mlp:25,25,25 (hidden widths) or package.module:factory.", rich_help_panel=PROBLEM
    ),
]
Activation = Annotated[
    str, typer.Option(metavar="NAME", help="Of mlp: relu, tanh or softplus.", rich_help_panel=PROBLEM)
]
L2 = Annotated[float, typer.Option("--l2", metavar="W", help="Weight of the sum of W^2.", rich_help_panel=PROBLEM)]
Biases = Annotated[bool, typer.Option("--free-biases", help="The l2 term leaves biases out.", rich_help_panel=PROBLEM)]
Standardise = Annotated[
    bool,
    typer.Option(
        "--standardise/--raw", help="Mean 0 and deviation 1 for every feature.", rich_help_panel=options.SAMPLES
    ),
]
Mode = Annotated[
    str | None,
    typer.Option(
        metavar="paper|smoothed|smooth",
        help="ReLU of mlp: as in the paper, or smoothed (default). Others: smooth; modules with kinks: paper.",
        rich_help_panel=SEARCH,
    ),
]
Width = Annotated[
    float | None,
    typer.Option(metavar="W", help="Bend of the smoothed ReLU, 0.001; 0.3 to 1 for states.", rich_help_panel=SEARCH),
]
Rms = Annotated[
    float | None, typer.Option(metavar="R", help="RMS gradient of a converged point.", rich_help_panel=SEARCH)
]
Tolerance = Annotated[
    float, typer.Option(metavar="E", help="Energies that differ by more are distinct.", rich_help_panel=SEARCH)
]
Minima = Annotated[int | None, typer.Option(metavar="N", min=1, help="Stop at so many minima.", rich_help_panel=SEARCH)]
States = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Stop at so many transition states.", rich_help_panel=SEARCH)
]
Minutes = Annotated[float | None, typer.Option(metavar="M", help="Stop after so many minutes.", rich_help_panel=SEARCH)]
Workers = Annotated[
    int, typer.Option(metavar="N", min=1, help="Processes on this machine.", rich_help_panel=options.COMPUTATION)
]
Dask = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Scheduler of a Dask cluster instead.", rich_help_panel=options.COMPUTATION),
]


@dataclass(frozen=True)
class Explored(DataOptions):
    """The samples of the loss."""

    standardise: Standardise = False


def explore(
    data: Explored,
    database: Database,
    network: Network = "mlp:25,25,25",
    activation: Activation = "relu",
    l2: L2 = 1e-3,
    free_biases: Biases = False,
    mode: Mode = None,
    width: Width = None,
    rms: Rms = None,
    tolerance: Tolerance = 1e-5,
    minima: Minima = None,
    states: States = None,
    minutes: Minutes = None,
    workers: Workers = 1,
    dask: Dask = None,
    as_json: options.Json = False,
) -> Answer:
    """Searches for minima and transition states of a network's loss on the training samples.

    Everything found is stored at once; the same command goes on where it was stopped or killed. It ends when all the
    counts asked for are there (exit code 0), or when the minutes are over before (exit code 3).

    reachbox landscape explore --data iris --network mlp:25,25,25 --minima 763 --database iris.db
    """
    from reachbox.cli.landscape.exploring import Goal, explored
    from reachbox.cli.landscape.problem import Problem

    goal = Goal(minima, states, minutes)
    problem = Problem(
        data=data,
        network=network,
        activation=activation,
        l2=l2,
        biases_count=not free_biases,
        mode=mode,
        width=width,
        rms=rms,
    )
    return explored(problem, database, tolerance, goal, workers, dask, as_json)

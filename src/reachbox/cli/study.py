"""`reachbox study`: the sensitivity of every minimum of a landscape against its energy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer
from reachbox.cli.option_groups import DataOptions

EXPLORATION = "Exploration, of a MODEL"
File = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL|DATABASE",
        help="A perceptron, FILE.onnx or FILE.safetensors, or what landscape explore has written.",
    ),
]
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
Sigma = Annotated[
    float, typer.Option(metavar="S", help="Radius, as a share of each feature's range.", rich_help_panel=options.RADIUS)
]
Folder = Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Where the page with pictures goes.")]


def study(
    file: File,
    data: DataOptions,
    sigma: Sigma = 0.1,
    out: Folder = None,
    database: Database = None,
    l2: L2 = None,
    minima: Minima = None,
    minutes: Minutes = None,
    workers: Workers = None,
    as_json: options.Json = False,
) -> Answer:
    """How sensitive the network is at every minimum of its loss, on the training samples, against the energy.

    Of a MODEL the landscape is explored first, and the model set beside its minima. Of a DATABASE say the same data
    options as to landscape explore. Boxes are exact for perceptrons with ReLU, dual bounds for all others. With --out a
    page shows the sensitivities over the energies, and the disconnectivity graph coloured by them.

    reachbox study iris.db --data iris --sigma 0.1 --out study/
    """
    from reachbox.cli.study_subject import Exploring, subject_of
    from reachbox.cli.studying import Study

    exploring = Exploring(database, l2, minima, minutes, workers)
    return Study(file, sigma, out, subject_of(file, data, sigma, out, exploring)).answer(as_json)

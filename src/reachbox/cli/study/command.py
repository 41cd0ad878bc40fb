"""`reachbox study`: the sensitivity of every minimum of a landscape against its energy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer
from reachbox.cli.option_groups import DataOptions
from reachbox.cli.study.exploring_options import ExploringOptions

File = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL|DATABASE",
        help="A perceptron, FILE.onnx or FILE.safetensors, or what landscape explore has written.",
    ),
]
Sigma = Annotated[
    float, typer.Option(metavar="S", help="Radius, as a share of each feature's range.", rich_help_panel=options.RADIUS)
]
Folder = Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Where the page with pictures goes.")]


def study(
    file: File,
    data: DataOptions,
    exploring: ExploringOptions,
    sigma: Sigma = 0.1,
    out: Folder = None,
    as_json: options.Json = False,
) -> Answer:
    """How sensitive the network is at every minimum of its loss, on the training samples, against the energy.

    Of a MODEL the landscape is explored first, and the model set beside its minima. Of a DATABASE say the same data
    options as to landscape explore. Boxes are exact for perceptrons with ReLU, dual bounds for all others. With --out a
    page shows the sensitivities over the energies, and the disconnectivity graph coloured by them.

    reachbox study iris.db --data iris --sigma 0.1 --out study/
    """
    from reachbox.cli.study.studying import Study
    from reachbox.cli.study.subject import subject_of

    return Study(file, sigma, out, subject_of(file, data, sigma, out, exploring)).answer(as_json)

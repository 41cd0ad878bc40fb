"""`reachbox study`: the sensitivity of every minimum of a landscape against its energy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer

File = Annotated[Path, typer.Argument(metavar="DATABASE", help="A ReLU landscape that landscape explore has written.")]
Sigma = Annotated[
    float, typer.Option(metavar="S", help="Radius, as a share of each feature's range.", rich_help_panel=options.RADIUS)
]
Folder = Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Where the page with pictures goes.")]


def study(
    database: File,
    data: options.Data,
    data_dir: options.DataDir = None,
    label: options.Label = None,
    one_hot: options.OneHot = False,
    split: options.Split = None,
    standardise: options.Standardise = False,
    sigma: Sigma = 0.1,
    out: Folder = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> Answer:
    """Exact output boxes of the network at every minimum, on the samples that it was explored on.

    Say the same data options as to landscape explore. With --out a page shows the sensitivities over the energies, and
    the disconnectivity graph coloured by them.

    reachbox study iris.db --data iris --sigma 0.1 --out study/
    """
    from reachbox.cli.samples import DataOptions
    from reachbox.cli.studying import Study

    chosen = DataOptions(data, data_dir, label, one_hot, split, standardise, seed=seed)
    return Study(database, chosen, sigma, out).answer(as_json)

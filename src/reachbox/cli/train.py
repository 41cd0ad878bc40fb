"""`reachbox train`: train a network, against its sensitivity or otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer

if TYPE_CHECKING:
    pass

OBJECTIVE, TRAINING = "Objective", "Training"
Folder = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="The run's folder; an interrupted run in it goes on.")
]
Network = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        help="mlp:25,25,25 (hidden widths), conv:16,32 (channels) or package.module:factory; "
        "mlp:25,25,25 without it, conv:16,32 for images.",
        rich_help_panel=TRAINING,
    ),
]
Measured = Annotated[
    int,
    typer.Option(
        "--samples", metavar="N", min=1, help="Test samples to measure after each epoch, the first N.",
        rich_help_panel=TRAINING,
    ),
]  # fmt: skip
Objective = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="plain, sensitivity, spectral, dropout, jacobian or robust.", rich_help_panel=OBJECTIVE
    ),
]
Weight = Annotated[
    float | None, typer.Option(metavar="W", help="Weight of the objective's own term.", rich_help_panel=OBJECTIVE)
]
Bounds = Annotated[
    str | None,
    typer.Option(
        "--method", metavar="NAME", help="Bounds in the objective: dual, interval or crown.", rich_help_panel=OBJECTIVE
    ),
]
ObjectiveOption = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="An option of the objective, such as form=geometric_width or radius_warm_up=0,4; may be repeated.",
        rich_help_panel=OBJECTIVE,
    ),
]
L2 = Annotated[
    float | None, typer.Option("--l2", metavar="W", help="Weight of the sum of W^2.", rich_help_panel=OBJECTIVE)
]
Epochs = Annotated[int, typer.Option(metavar="N", help="Passes over the samples.", rich_help_panel=TRAINING)]
BatchSize = Annotated[int, typer.Option(metavar="N", help="Samples a step.", rich_help_panel=TRAINING)]
Optimiser = Annotated[str, typer.Option(metavar="adam|sgd", help="What takes the steps.", rich_help_panel=TRAINING)]
LearningRate = Annotated[float, typer.Option(metavar="R", help="Constant.", rich_help_panel=TRAINING)]
Momentum = Annotated[float, typer.Option(metavar="M", help="Of sgd.", rich_help_panel=TRAINING)]
GradientLimit = Annotated[
    float | None, typer.Option(metavar="NORM", help="Largest norm of the gradient.", rich_help_panel=TRAINING)
]


def train(
    data: options.Data,
    out: Folder,
    data_dir: options.DataDir = None,
    label: options.Label = None,
    one_hot: options.OneHot = False,
    split: options.Split = None,
    standardise: options.Standardise = False,
    network: Network = None,
    objective: Objective = "plain",
    l2: L2 = None,
    weight: Weight = None,
    method: Bounds = None,
    option: ObjectiveOption = None,
    eps: options.Eps = None,
    sigma: options.Sigma = None,
    within: options.Within = None,
    epochs: Epochs = 10,
    batch_size: BatchSize = 50,
    optimiser: Optimiser = "adam",
    learning_rate: LearningRate = 1e-3,
    momentum: Momentum = 0.0,
    gradient_limit: GradientLimit = None,
    samples: Measured = 1000,
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> Answer:
    """Trains a network and measures it after each epoch.

    The run lies in a folder: run.json, metrics.csv, and network.safetensors for the other commands. The same command
    goes on where it was interrupted; more --epochs go on where it ended. SENSE and ADV_ERR, by dual bounds, are
    measured where a radius is given, also for objectives that need none.

    reachbox train --data mnist --objective sensitivity --weight 1e-6 --sigma 0.05 --out runs/sm
    """
    from reachbox.cli.objective import ObjectiveOptions
    from reachbox.cli.radius import RadiusOptions
    from reachbox.cli.samples import DataOptions
    from reachbox.cli.training import Training
    from reachbox.training import Settings

    training = Training(
        folder=out,
        data=DataOptions(data, data_dir, label, one_hot, split, standardise, seed=seed),
        network=network,
        objective=ObjectiveOptions(objective, l2, weight, method, tuple(option or ())),
        radius=RadiusOptions.of(eps, sigma, within),
        settings=Settings(epochs, batch_size, optimiser, learning_rate, momentum, gradient_limit, seed),
        measured=samples,
        device=device,
    )
    return training.answer(as_json)

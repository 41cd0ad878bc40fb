"""`reachbox train`: train a network, against its sensitivity or otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer
from reachbox.cli.option_groups import ClippedRadiusOptions, DataOptions

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
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A whole training: recommended, paper, plain, spectral, jacobian or robust; other options change it.",
        rich_help_panel=OBJECTIVE,
    ),
]
Objective = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="plain (also without it), sensitivity, spectral, dropout, jacobian or robust.",
        rich_help_panel=OBJECTIVE,
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
Epochs = Annotated[
    int | None, typer.Option(metavar="N", help="Passes over the samples; 10 without it.", rich_help_panel=TRAINING)
]
BatchSize = Annotated[
    int | None, typer.Option(metavar="N", help="Samples a step; 50 without it.", rich_help_panel=TRAINING)
]
Optimiser = Annotated[
    str | None,
    typer.Option(metavar="adam|sgd", help="What takes the steps; adam without it.", rich_help_panel=TRAINING),
]
LearningRate = Annotated[
    float | None,
    typer.Option(metavar="R", help="Constant but for --cool-down; .001 without it.", rich_help_panel=TRAINING),
]
CoolDown = Annotated[
    str | None,
    typer.Option(
        metavar="START,END", help="The epochs between which the learning rate falls to 0.", rich_help_panel=TRAINING
    ),
]
Momentum = Annotated[float | None, typer.Option(metavar="M", help="Of sgd.", rich_help_panel=TRAINING)]
GradientLimit = Annotated[
    float | None, typer.Option(metavar="NORM", help="Largest norm of the gradient.", rich_help_panel=TRAINING)
]
TensorBoard = Annotated[
    bool,
    typer.Option("--tensorboard", help="Write the metrics for TensorBoard too, into FOLDER/tensorboard."),
]


def train(
    data: DataOptions,
    radius: ClippedRadiusOptions,
    out: Folder,
    network: Network = None,
    preset: Preset = None,
    objective: Objective = None,
    l2: L2 = None,
    weight: Weight = None,
    method: Bounds = None,
    option: ObjectiveOption = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    optimiser: Optimiser = None,
    learning_rate: LearningRate = None,
    cool_down: CoolDown = None,
    momentum: Momentum = None,
    gradient_limit: GradientLimit = None,
    samples: Measured = 1000,
    device: options.Device = "cpu",
    tensorboard: TensorBoard = False,
    as_json: options.Json = False,
) -> Answer:
    """Trains a network and measures it after each epoch.

    The run lies in a folder: run.json, metrics.csv, and network.safetensors for the other commands. The same command
    goes on where it was interrupted; more --epochs go on where it ended. SENSE and ADV_ERR, by dual bounds, are
    measured where a radius is given, also for objectives that need none.

    reachbox train --data mnist --preset recommended --out runs/best

    reachbox train --data mnist --objective sensitivity --weight 1e-6 --sigma 0.05 --out runs/sm
    """
    from reachbox.cli.objective import ObjectiveOptions
    from reachbox.cli.training import Training
    from reachbox.cli.training_settings import SettingsOptions

    training = Training(
        folder=out,
        data=data,
        network=network,
        preset=preset,
        objective=ObjectiveOptions(objective, l2, weight, method, tuple(option or ())),
        radius=radius.read(),
        settings=SettingsOptions(epochs, batch_size, optimiser, learning_rate, momentum, gradient_limit, cool_down),
        measured=samples,
        device=device,
        tensorboard=tensorboard,
    )
    return training.answer(as_json)

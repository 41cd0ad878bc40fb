"""`reachbox evaluate`: the paper's metrics of a network."""

from __future__ import annotations

from typing import Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer
from reachbox.cli.option_groups import ClippedRadiusOptions, MethodOptions, SampleOptions

Metrics = Annotated[
    str | None,
    typer.Option(metavar="NAME[,NAME...]", help="Which metrics; all without it.", rich_help_panel="Computation"),
]


def evaluate(
    model: options.Model,
    samples: SampleOptions,
    radius: ClippedRadiusOptions,
    computing: MethodOptions,
    metrics: Metrics = None,
    as_json: options.Json = False,
    out: options.Out = None,
) -> Answer:
    """The paper's metrics of a network: error, robust error, sensitivity, Jacobian and more.

    All test samples are taken unless --samples says how many. SENSE and its companions are decimal logarithms.

    reachbox evaluate runs/sm/model.safetensors --data mnist --sigma 0.05
    """
    from time import perf_counter

    from reachbox.cli.progress import waiting
    from reachbox.cli.samples import task_from_data
    from reachbox.cli.setting import Setting
    from reachbox.cli.tables import facts, metric
    from reachbox.network.files import load
    from reachbox.training.attacks import Attack
    from reachbox.training.metrics import METRICS, Evaluation

    computation = computing.read(samples.seed)
    network = load(model).to(device=computation.device)
    around = radius.read()
    task = task_from_data(samples, around, network.input_shape, samples.samples)
    names = tuple(METRICS) if metrics is None else tuple(metrics.split(","))
    x, labels, each = (part.to(computation.device) for part in (task.x, task.labels, task.radius))
    evaluation = Evaluation(x, labels, each, names, computation.method, around.within, Attack(seed=samples.seed))
    started = perf_counter()
    with waiting(", ".join(names)):
        found = evaluation(network)
    seconds = perf_counter() - started
    setting = Setting(model, task, computation)
    shown = facts({name: metric(name, value) for name, value in found.items()})
    return Answer(
        record={"method": computing.method, "metrics": found, "seconds": seconds, **setting.record()},
        view=(setting.view("sound", seconds), "", shown),
        as_json=as_json,
        out=out,
    )

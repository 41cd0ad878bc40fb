"""`reachbox evaluate`: the paper's metrics of a network."""

from __future__ import annotations

from typing import Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer

Metrics = Annotated[
    str | None,
    typer.Option(metavar="NAME[,NAME...]", help="Which metrics; all without it.", rich_help_panel="Computation"),
]


def evaluate(
    model: options.Model,
    data: options.Data,
    data_dir: options.DataDir = None,
    label: options.Label = None,
    one_hot: options.OneHot = False,
    split: options.Split = None,
    standardise: options.Standardise = False,
    train: options.Train = False,
    samples: options.Samples = None,
    eps: options.Eps = None,
    sigma: options.Sigma = None,
    within: options.Within = None,
    method: options.Method = "dual",
    option: options.MethodOption = None,
    metrics: Metrics = None,
    timeout: options.Timeout = None,
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    as_json: options.Json = False,
    out: options.Out = None,
) -> Answer:
    """The paper's metrics of a network: error, robust error, sensitivity, Jacobian and more.

    All test samples are taken unless --samples says how many. SENSE and its companions are decimal logarithms.

    reachbox evaluate runs/sm/model.safetensors --data mnist --sigma 0.05
    """
    from time import perf_counter

    from reachbox.cli.computation import Computation
    from reachbox.cli.progress import waiting
    from reachbox.cli.radius import RadiusOptions
    from reachbox.cli.samples import DataOptions, task_from_data
    from reachbox.cli.setting import Setting
    from reachbox.cli.tables import facts, metric
    from reachbox.network.files import load
    from reachbox.training.attacks import Attack
    from reachbox.training.metrics import METRICS, Evaluation

    computation = Computation.of(method, "float64", device, options=option or (), timeout=timeout, seed=seed)
    network = load(model).to(device=computation.device)
    data_set = DataOptions(data, data_dir, label, one_hot, split, standardise, train, seed)
    radius = RadiusOptions.of(eps, sigma, within)
    task = task_from_data(data_set, radius, network.input_shape, samples)
    names = tuple(METRICS) if metrics is None else tuple(metrics.split(","))
    x, labels, each = (part.to(computation.device) for part in (task.x, task.labels, task.radius))
    evaluation = Evaluation(x, labels, each, names, computation.method, radius.within, Attack(seed=seed))
    started = perf_counter()
    with waiting(", ".join(names)):
        found = evaluation(network)
    seconds = perf_counter() - started
    setting = Setting(model, task, computation)
    shown = facts({name: metric(name, value) for name, value in found.items()})
    return Answer(
        record={"method": method, "metrics": found, "seconds": seconds, **setting.record()},
        view=(setting.view("sound", seconds), "", shown),
        as_json=as_json,
        out=out,
    )

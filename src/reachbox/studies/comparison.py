"""Networks that start alike and see the same mini-batches, each trained by an objective of its own (paper, Sec. 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.data import Dataset
from reachbox.network import Network
from reachbox.network.files import load
from reachbox.reach import reach
from reachbox.sensitivity import in_batches
from reachbox.studies.chapter import Request
from reachbox.studies.runs import Finished, Measured, Plan, finished
from reachbox.training import Epoch, Evaluation, Objective, Preset, Settings
from reachbox.training.run import RESULT

EPOCH_METRICS = ("ERR", "SENSE", "ADV_ERR")
FINAL_METRICS = ("CE", "ERR", "PGD_ERR", "ADV_ERR", "SENSE")


@dataclass(frozen=True)
class Contender:
    """An objective under the name and in the words of a report; `cost` is what a step takes, relative to the others."""

    name: str
    words: str
    objective: Objective
    cost: float = 1.0


@dataclass(frozen=True)
class Trained:
    """What became of a contender, on the test samples.

    `history` has one entry an epoch, the untrained network first, with the metrics of `EPOCH_METRICS`; `metrics` are
    those of `FINAL_METRICS` at the end; `mean_width` is that of each output's side over the samples, `(outputs,)`.
    """

    name: str
    words: str
    history: tuple[Epoch, ...]
    metrics: Mapping[str, float]
    mean_width: Tensor


def train_contenders(
    dataset: Dataset,
    network: str,
    contenders: Sequence[Contender],
    sigma: float,
    settings: Settings,
    request: Request,
) -> tuple[Trained, ...]:
    """Trains `network` (such as `conv:16`) once for each contender: same first weights, same mini-batches.

    Each has a run folder in that of the request, and is not trained again where it is found there. Measures by `dual`,
    in float64, at the radius of `sigma`.
    """
    radius = dataset.radius(sigma=sigma)
    plans = [_plan(contender, network, settings, sigma) for contender in contenders]
    measured = Measured(
        {"test": Evaluation(dataset.x_test, dataset.y_test, radius, EPOCH_METRICS)},
        {"test": Evaluation(dataset.x_test, dataset.y_test, radius, FINAL_METRICS)},
    )
    runs = finished(plans, dataset, measured, request)
    box = Box.around(dataset.x_test, radius)
    return tuple(_trained(contender, run, box) for contender, run in zip(contenders, runs, strict=True))


def _plan(contender: Contender, network: str, settings: Settings, sigma: float) -> Plan:
    preset = Preset(contender.words, lambda radius, epochs: contender.objective, network, settings, sigma)
    return Plan(contender.name.replace(" ", "-"), preset, settings.seed, contender.cost)


def _trained(contender: Contender, run: Finished, box: Box) -> Trained:
    history = tuple(replace(epoch, metrics=_on_test(epoch.metrics)) for epoch in run.history)
    network = load(run.folder / RESULT)
    return Trained(contender.name, contender.words, history, _on_test(run.metrics), mean_width(network, box))


def _on_test(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name.removeprefix("test_"): value for name, value in metrics.items()}


def mean_width(network: Network, box: Box) -> Tensor:
    """The side of each output's `dual` box, averaged over the samples, float64 `(outputs,)`."""
    with torch.no_grad():
        return torch.cat([reach(network, part).width for part in in_batches(box)]).mean(0)

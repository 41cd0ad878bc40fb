"""Networks that start alike and see the same mini-batches, each trained by an objective of its own (paper, Sec. 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.data import Dataset
from reachbox.network.architectures import build
from reachbox.reach import reach
from reachbox.sensitivity import in_batches
from reachbox.training import Epoch, Evaluation, Objective, Settings, Step, train

Progress: TypeAlias = Callable[[str, float], None]

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
    radius: Tensor,
    settings: Settings,
    progress: Progress | None = None,
) -> tuple[Trained, ...]:
    """Trains `network` (such as `conv:16`) once for each contender: same first weights, same mini-batches.

    Measures by `dual`, in float64, at `radius`. `progress` hears what is being done and the share that is done.
    """
    total = sum(contender.cost for contender in contenders)
    done, trained = 0.0, []
    for contender in contenders:

        def on_step(step: Step, name: str = contender.name, before: float = done, cost: float = contender.cost) -> None:
            share = (step.epoch - 1 + step.step / step.steps) / step.epochs
            if progress:
                progress(f"training: {name}, epoch {step.epoch} of {step.epochs}", (before + cost * share) / total)

        trained.append(_trained(dataset, network, contender, radius, settings, on_step))
        done += contender.cost
    return tuple(trained)


def _trained(
    dataset: Dataset,
    network: str,
    contender: Contender,
    radius: Tensor,
    settings: Settings,
    on_step: Callable[[Step], None],
) -> Trained:
    module = build(network, dataset.input_shape, dataset.classes, settings.seed)
    measure = Evaluation(dataset.x_test, dataset.y_test, radius, EPOCH_METRICS)
    state = train(
        module, contender.objective, dataset.x_train, dataset.y_train, settings, measure=measure, on_step=on_step
    )
    final = Evaluation(dataset.x_test, dataset.y_test, radius, FINAL_METRICS)
    box = Box.around(dataset.x_test, radius)
    return Trained(contender.name, contender.words, state.history, final(module), mean_width(module, box))


def mean_width(module: torch.nn.Module, box: Box) -> Tensor:
    """The side of each output's `dual` box, averaged over the samples, float64 `(outputs,)`."""
    with torch.no_grad():
        return torch.cat([reach(module, part).width for part in in_batches(box)]).mean(0)

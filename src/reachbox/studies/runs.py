"""The trainings behind a study: each in a run folder of its own, done once and found again after a kill."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from reachbox.data import Dataset
from reachbox.errors import FileError
from reachbox.file_access import write_atomically
from reachbox.network.architectures import build
from reachbox.report.versions import versions
from reachbox.studies.chapter import Request
from reachbox.training import Epoch, Evaluation, Preset, State, Step, run
from reachbox.training.checkpoint import read_checkpoint
from reachbox.training.description import JSON, describe, fingerprint
from reachbox.training.run import CHECKPOINT, known_run
from reachbox.training.train import device_words

FINAL = "final.json"


@dataclass(frozen=True)
class Plan:
    """A training that a study asks for: the name of its folder, what is trained, and from which seed.

    The seed decides the first weights and the order of the samples, alike for every plan. `cost` is what a step
    takes, relative to plain training: with it the share that is done grows evenly.
    """

    name: str
    preset: Preset
    seed: int
    cost: float = 1.0

    @property
    def total_cost(self) -> float:
        """What the whole training takes, relative to an epoch of plain training."""
        return self.cost * self.preset.settings.epochs


@dataclass(frozen=True)
class Measured:
    """What is measured: `each` after every epoch, `final` at the end, both by what they measure on, such as `test`."""

    each: Mapping[str, Evaluation]
    final: Mapping[str, Evaluation]


@dataclass(frozen=True)
class Finished:
    """A training that is done: its epochs, and its final metrics, such as `test_ERR`."""

    plan: Plan
    folder: Path
    history: tuple[Epoch, ...]
    metrics: Mapping[str, float]

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds an epoch, the mean over all, without the metrics."""
        trained = self.history[1:]
        return sum(epoch.cpu_seconds for epoch in trained) / max(1, len(trained))

    @property
    def seconds(self) -> float:
        """Elapsed seconds of all epochs, without the metrics."""
        return sum(epoch.seconds for epoch in self.history)

    @property
    def devices(self) -> Mapping[str, tuple[float, ...]]:
        """What it was trained on, each with the CPU seconds of its epochs."""
        trained = self.history[1:]
        return {
            device: tuple(epoch.cpu_seconds for epoch in trained if epoch.device == device)
            for device in dict.fromkeys(epoch.device for epoch in trained)
        }


def finished(plans: Sequence[Plan], dataset: Dataset, measured: Measured, request: Request) -> tuple[Finished, ...]:
    """Every plan's training, in order; `NAME-SEED` in the request's folder holds each. What is done is only read.

    The request's `progress` hears what is being done, the time that the rest may take, and the share that is done.
    With `as_is` only those that are done already.
    """
    if request.as_is:
        plans = [plan for plan in plans if _is_done(plan, _folder(plan, request))]
    total, done, found = sum(plan.total_cost for plan in plans), 0.0, []
    pace = _Pace()
    for plan in plans:

        def tell(doing: str, share: float, plan: Plan = plan, before: float = done) -> None:
            reached = (before + plan.total_cost * share) / total
            request.progress(f"{plan.name}, seed {plan.seed}, {doing}{pace.left(reached)}", reached)

        found.append(brought_to_end(plan, dataset, measured, replace(request, progress=tell)))
        done += plan.total_cost
    return tuple(found)


def _folder(plan: Plan, request: Request) -> Path:
    return request.folder / f"{plan.name}-{plan.seed}"


def _is_done(plan: Plan, folder: Path) -> bool:
    """Whether it is trained to its last epoch and measured."""
    try:
        return read_checkpoint(folder / CHECKPOINT).epoch == plan.preset.settings.epochs and (folder / FINAL).exists()
    except FileError:
        return False


class _Pace:
    """How long the rest may take, from what was done since the start."""

    def __init__(self) -> None:
        self.began: tuple[float, float] | None = None

    def left(self, share: float) -> str:
        """The words for it, at the share that is done; none while there is nothing to judge by."""
        now = perf_counter()
        if self.began is None:
            self.began = now, share
        since, grown = now - self.began[0], share - self.began[1]
        if since < 5 or grown <= 0:
            return ""
        minutes = since / grown * (1 - share) / 60
        return f", about {minutes / 60:.1f} h left" if minutes > 90 else f", about {minutes:.0f} min left"


def brought_to_end(plan: Plan, dataset: Dataset, measured: Measured, request: Request) -> Finished:
    """A plan's training, from where it stands in its folder to its last epoch and its final metrics.

    With `as_is` it is at its end, and only read.
    """
    folder = _folder(plan, request)
    module = build(plan.preset.network, dataset.input_shape, dataset.classes, plan.seed).to(request.device)
    objective = plan.preset.objective(dataset.radius(sigma=plan.preset.sigma))
    settings = replace(plan.preset.settings, seed=plan.seed)
    if request.as_is:
        state = known_run(folder, module, objective, dataset, settings, evaluations=measured.each)
        module.load_state_dict(dict(state.module))
        return Finished(plan, folder, state.history, _final(folder, module, state, measured.final))

    def on_step(step: Step) -> None:
        share = (step.epoch - 1 + step.step / step.steps) / step.epochs
        request.progress(f"epoch {step.epoch} of {step.epochs}", share)

    about: dict[str, JSON] = {
        "study": plan.name, "network": plan.preset.network, "data": dataset.name,
        "radius": dataset.describe_radius(sigma=plan.preset.sigma),
    }  # fmt: skip
    state = run(folder, module, objective, dataset, settings, evaluations=measured.each, about=about, on_step=on_step)
    return Finished(plan, folder, state.history, _final(folder, module, state, measured.final))


def _final(
    folder: Path, module: torch.nn.Module, state: State, evaluations: Mapping[str, Evaluation]
) -> dict[str, float]:
    """The final metrics, from `final.json` where it is of these weights and this measurement."""
    file = folder / FINAL
    weights = fingerprint(dict(sorted(state.module.items())))  # a checkpoint keeps no order
    asked: dict[str, JSON] = {"evaluations": describe(evaluations), "weights": weights}
    known = _read(file)
    if known is not None and all(known.get(key) == value for key, value in asked.items()):
        return {name: float(value) for name, value in known["metrics"].items()}
    metrics = {f"{on}_{name}": v for on, evaluate in evaluations.items() for name, v in evaluate(module).items()}
    device = device_words(next(module.parameters()).device)
    whole = {"metrics": describe(metrics), **asked, "versions": dict(versions()), "device": device}
    write_atomically(file, json.dumps(whole, indent=2).encode() + b"\n")
    return metrics


def _read(file: Path) -> dict[str, Any] | None:
    """What the file holds; None where it is not there or is damaged, for then it is measured again."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("metrics"), dict) else None

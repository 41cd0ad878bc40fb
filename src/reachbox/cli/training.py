"""What `reachbox train` does once its options are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.table import Table
from torch import Tensor

from reachbox.cli.answer import Answer
from reachbox.cli.computation import device_of
from reachbox.cli.objective import ObjectiveOptions
from reachbox.cli.option_groups import DataOptions
from reachbox.cli.progress import training_progress
from reachbox.cli.radius import Radius
from reachbox.cli.tables import duration, facts, headline, metric, numbers_table
from reachbox.cli.torchrun import process_group
from reachbox.cli.training_settings import SettingsOptions
from reachbox.data import Dataset
from reachbox.errors import InputError
from reachbox.network.architectures import build
from reachbox.report.versions import versions
from reachbox.training import PRESETS, Epoch, Preset, State
from reachbox.training.metrics import Evaluation
from reachbox.training.presets import TWO_CONVOLUTIONS
from reachbox.training.processes import Processes
from reachbox.training.run import RESULT, run
from reachbox.training.tensorboard import tensorboard

SHOWN, EVENTS = 12, "tensorboard"
WITH_RADIUS = ("CE", "ERR", "SENSE", "ADV_ERR")
WITHOUT_RADIUS = ("CE", "ERR")


@dataclass(frozen=True)
class Training:
    """Everything that decides a run, and where it lies."""

    folder: Path
    data: DataOptions
    network: str | None
    preset: str | None
    objective: ObjectiveOptions
    radius: Radius
    settings: SettingsOptions
    measured: int
    device: str
    tensorboard: bool = False

    def answer(self, as_json: bool) -> Answer:
        """Train, or go on, and tell what came out; of several processes the first one tells."""
        if self.radius.within is not None and self.data.standardise:
            raise InputError("within: is in original units, which do not fit standardised samples; leave one out")
        with process_group(device_of(self.device)) as device:
            about, state = self._train(device)
            is_first = Processes.present().is_first
        return self._told(state, about, as_json) if is_first else Answer({}, ())

    def _train(self, device: torch.device) -> tuple[dict[str, str], State]:
        """What was trained, in words, and its final state."""
        preset, dataset = self._preset(), self.data.load()
        radius = self.radius
        if preset and not radius.is_given:
            radius = replace(radius, sigma=preset.sigma)
        each, words = radius.in_units_of(dataset) if radius.is_given else (None, "none")
        if preset and each is not None:
            objective = self.objective.changed(preset.objective(each), radius.within)
        else:
            objective = self.objective.build(each, radius.within)
        settings = self.settings.build(preset, self.data.seed)
        spec = self.network or (TWO_CONVOLUTIONS if len(dataset.input_shape) == 3 else "mlp:25,25,25")
        module = build(spec, dataset.input_shape, dataset.classes, self.data.seed).to(device)
        named = {"preset": self.preset} if self.preset else {}
        about = {"data": dataset.name, "network": spec, **named, "objective": objective.name, "radius": words}
        with training_progress(settings.epochs) as (on_step, show), self._events() as write:

            def on_epoch(state: State) -> None:
                show(state)
                write(state)

            state = run(
                self.folder, module, objective, dataset, settings,
                evaluations={"test": self._evaluation(dataset, each, device)},
                about=about, on_step=on_step, on_epoch=on_epoch,
            )  # fmt: skip
        return about, state

    def _events(self) -> AbstractContextManager[Callable[[State], object]]:
        """What writes an epoch for TensorBoard, if that was asked for."""
        return tensorboard(self.folder / EVENTS) if self.tensorboard else nullcontext(lambda state: None)

    def _preset(self) -> Preset | None:
        """The preset that was asked for, over the epochs that were."""
        if self.preset is None:
            return None
        if self.preset not in PRESETS:
            raise InputError(f"preset: {', '.join(PRESETS)} are allowed, found {self.preset!r}")
        preset = PRESETS[self.preset]
        return preset if self.settings.epochs is None else preset.lasting(self.settings.epochs)

    def _evaluation(self, dataset: Dataset, radius: Tensor | None, device: torch.device) -> Evaluation:
        """The metrics on the first test samples; without a radius only those that need none."""
        x, y = dataset.x_test[: self.measured].double().to(device), dataset.y_test[: self.measured].to(device)
        names = WITHOUT_RADIUS if radius is None else WITH_RADIUS
        return Evaluation(x, y, 0.0 if radius is None else radius, names, within=self.radius.within)

    def _told(self, state: State, about: Mapping[str, str], as_json: bool) -> Answer:
        result = self.folder / RESULT
        run_facts: dict[str, str | Path] = {"folder": self.folder, **about, "result": result}
        record = {**run_facts, "epochs": state.epoch, "seed": self.data.seed}
        history = [epoch.row() for epoch in state.history]
        return Answer(
            record={**record, "history": history, "versions": dict(versions())},
            view=(facts(run_facts), "", _epochs(state.history)),
            as_json=as_json,
        )


def _epochs(history: Sequence[Epoch]) -> Table:
    """A row for each epoch; of a long training the first and the last ones."""
    rows = [
        (
            str(epoch.number),
            f"{sum(epoch.losses.values()):.4g}" if epoch.losses else "-",
            *(metric(name, value) for name, value in headline(epoch.metrics).items()),
            duration(epoch.seconds) if epoch.losses else "-",
        )
        for epoch in history
    ]
    if len(rows) > SHOWN:
        rows = [rows[0], ("...",) * len(rows[0]), *rows[2 - SHOWN :]]
    return numbers_table(("epoch", "loss", *headline(history[-1].metrics), "time"), rows, words=0)

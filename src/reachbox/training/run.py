"""A run: training in a folder, which survives a kill at any moment and tells afterwards what was done.

`run.json` says what the run is, `metrics.csv` has a row for each epoch, `checkpoint.safetensors` is what training goes
on from, and `network.safetensors` is the result, for every other command; it takes inputs in original units.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from reachbox import __version__
from reachbox.data import Dataset
from reachbox.errors import FileError, InputError
from reachbox.file_access import reading, write_atomically
from reachbox.network import Network
from reachbox.network.files import save
from reachbox.network.operators import Scale
from reachbox.training.checkpoint import read_checkpoint, write_checkpoint
from reachbox.training.description import JSON, describe, difference, fingerprint
from reachbox.training.metrics import Evaluation
from reachbox.training.objectives import Objective
from reachbox.training.processes import Processes
from reachbox.training.state import State
from reachbox.training.train import Settings, Step, train

LOG = logging.getLogger(__name__)

DESCRIPTION = "run.json"
METRICS = "metrics.csv"
CHECKPOINT = "checkpoint.safetensors"
RESULT = "network.safetensors"


def run(
    folder: str | os.PathLike[str],
    module: torch.nn.Module,
    objective: Objective,
    dataset: Dataset,
    settings: Settings,
    *,
    evaluations: Mapping[str, Evaluation] = MappingProxyType({}),
    about: Mapping[str, JSON] = MappingProxyType({}),
    on_step: Callable[[Step], None] | None = None,
    on_epoch: Callable[[State], None] | None = None,
) -> State:
    """Trains the untrained `module` on the training samples of `dataset` in a folder; gives the final state.

    A run that was killed goes on after its last finished epoch, with the same result, bit for bit; one that is done is
    only read, or goes on where `settings.epochs` has grown. `evaluations` measure after each epoch and are named by
    what they measure on, such as `test` and `train`: their columns are `test_ERR` and so on. `about` is what else the
    caller wants to find in `run.json`, such as the words of a command line.

    Raises `InputError`, naming what differs, where the folder holds another run; `FileError` for damaged or unwritable
    files; `DivergedError` as `train` does, with the checkpoint before it intact. In torch's process group the folder
    is the first process's; the others only train.
    """
    place = Path(folder)
    description = describe_run(module, objective, dataset, settings, evaluations)
    processes = Processes.present()
    if processes.is_first:
        _claim(place, description, about, settings.epochs)
    start = processes.told(_checkpoint(place) if processes.is_first else None)
    if start and start.epoch > settings.epochs:
        raise InputError(f"{place}: {start.epoch} epochs are done there, {settings.epochs} are asked for")

    if start:
        LOG.info("%s: goes on after epoch %d of %d", place, start.epoch, settings.epochs)

    def measure(network: torch.nn.Module) -> dict[str, float]:
        return {f"{on}_{name}": value for on, found in evaluations.items() for name, value in found(network).items()}

    def finished(state: State) -> None:
        write_checkpoint(state, place / CHECKPOINT)
        write_atomically(place / METRICS, table(state).encode())
        measured = ", ".join(f"{name} {value:.4g}" for name, value in state.history[-1].metrics.items())
        LOG.info("%s: epoch %d of %d, %s", place, state.epoch, settings.epochs, measured)
        if on_epoch:
            on_epoch(state)

    x, y = dataset.x_train, dataset.y_train
    state = train(module, objective, x, y, settings, measure=measure, start=start, on_step=on_step, on_epoch=finished)
    if processes.is_first:
        write_atomically(place / METRICS, table(state).encode())
        save(in_original_units(Network.from_module(module, x[:1]), dataset), place / RESULT)
    return state


def known_run(
    folder: str | os.PathLike[str],
    module: torch.nn.Module,
    objective: Objective,
    dataset: Dataset,
    settings: Settings,
    *,
    evaluations: Mapping[str, Evaluation] = MappingProxyType({}),
) -> State:
    """The state of a run in its folder, which is left as it is; `module` is untrained, as `run` took it.

    Raises `InputError`, naming what differs, for another run, `FileError` where there is none or a file is damaged.
    """
    place = Path(folder)
    _check_same(
        place, _read_description(place / DESCRIPTION), describe_run(module, objective, dataset, settings, evaluations)
    )
    return read_checkpoint(place / CHECKPOINT)


def in_original_units(network: Network, dataset: Dataset) -> Network:
    """The network of a standardised data set with the standardisation built in: it takes the data as they were."""
    scale, shift = dataset.feature_scale.double(), dataset.feature_shift.double()
    if bool((scale == 1).all()) and bool((shift == 0).all()):
        return network
    return network.preceded_by("standardise", Scale(1 / scale, -shift / scale))


def describe_run(
    module: torch.nn.Module,
    objective: Objective,
    dataset: Dataset,
    settings: Settings,
    evaluations: Mapping[str, Evaluation],
) -> dict[str, JSON]:
    """What decides a run's result: two runs with the same description give the same numbers."""
    layers = {name or "module": f"{type(part).__name__}({part.extra_repr()})" for name, part in module.named_modules()}
    samples = {"x_train": describe(dataset.x_train), "y_train": describe(dataset.y_train)}
    return {
        "objective": {"name": objective.name, **_entries(objective)},
        "settings": {key: value for key, value in _entries(settings).items() if key != "epochs"},
        "data": {"name": dataset.name, **samples},
        "network": {"layers": describe(layers), "initial_weights": fingerprint(module.state_dict())},
        "evaluations": describe(evaluations),
    }


def table(state: State) -> str:
    """The history as CSV: a row for each epoch, a column for each part of the loss and each metric."""
    rows = [epoch.row() for epoch in state.history]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _claim(place: Path, description: dict[str, JSON], about: Mapping[str, JSON], epochs: int) -> None:
    """Makes the folder this run's, or raises because it is another's.

    What a run was begun with stays written there, whoever goes on with it or reads it.
    """
    file = place / DESCRIPTION
    if file.exists():
        known = _read_description(file)
        _check_same(place, known, description)
        if known.get("epochs") == epochs:
            return
        write_atomically(file, _json({**known, "epochs": epochs}))
        return
    if (place / CHECKPOINT).exists():
        raise FileError(f"{place}: a checkpoint without {DESCRIPTION} is there; choose another folder")
    versions = {
        "reachbox": __version__, "torch": torch.__version__, "numpy": np.__version__,
        "python": platform.python_version(),
    }  # fmt: skip
    whole: dict[str, JSON] = {"run": description, "epochs": epochs, "about": describe(about), "versions": {**versions}}
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{place}: cannot be made: {error.strerror or error}") from None
    write_atomically(file, _json(whole))


def _check_same(place: Path, known: Mapping[str, JSON], description: dict[str, JSON]) -> None:
    differs = difference(known["run"], description)
    if differs:
        raise InputError(f"{place}: the folder holds another run: {differs}; choose another folder")


def _checkpoint(place: Path) -> State | None:
    return read_checkpoint(place / CHECKPOINT) if (place / CHECKPOINT).exists() else None


def _read_description(file: Path) -> dict[str, JSON]:
    try:
        with reading(file):
            whole: dict[str, JSON] = json.loads(file.read_bytes())
        return {**whole, "run": whole["run"]}
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(f"{file}: not the description of a run: {str(error).splitlines()[0]}") from None


def _json(whole: Mapping[str, JSON]) -> bytes:
    return json.dumps(whole, indent=2).encode() + b"\n"


def _entries(options: object) -> dict[str, JSON]:
    described = describe(options)
    assert isinstance(described, dict)
    return described

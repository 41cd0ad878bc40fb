"""What `reachbox study` looks at: a landscape from a database, or one that it explores around a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from reachbox.box import Box
from reachbox.cli.landscape.exploring import Goal, explored_into, team_of
from reachbox.cli.landscape.problem import ACTIVATIONS, MLP
from reachbox.cli.option_groups import DataOptions
from reachbox.cli.samples import fitted
from reachbox.cli.study.exploring_options import ExploringOptions
from reachbox.data import Dataset
from reachbox.errors import InputError
from reachbox.file_access import reading
from reachbox.landscape import Database, Energy, ModuleEnergy, PerceptronEnergy, ReLU, landscape_of, loss_of_network
from reachbox.landscape.energy import Array
from reachbox.network import Network, load
from reachbox.network.architectures import build
from reachbox.reach import reach
from reachbox.studies.energy_sensitivity import boxes_around
from reachbox.studies.landscape import Survey, survey

SQLITE = b"SQLite format 3\0"
MINIMA, L2 = 20, 1e-3


@dataclass(frozen=True, eq=False)
class Subject:
    """A landscape, its surface, the boxes around its samples; `model` is the network's own point `(1, weights)`."""

    found: Survey
    energy: Energy
    boxes: Box
    model: Array | None = None


def subject_of(file: Path, data: DataOptions, sigma: float, out: Path | None, exploring: ExploringOptions) -> Subject:
    """What a file holds, or what is found around it."""
    with reading(file), file.open("rb") as opened:
        is_database = opened.read(len(SQLITE)) == SQLITE
    if is_database and exploring.are_given:
        raise InputError(
            f"{file}: is explored already; --database, --l2, --minima, --minutes, --workers are for models"
        )
    return _stored(file, data, sigma) if is_database else _explored(file, data, sigma, out, exploring)


def _stored(file: Path, data: DataOptions, sigma: float) -> Subject:
    with Database.existing(file) as database:
        found = survey(database)
    dataset = data.load()
    energy, boxes = _surface(file, found, dataset), boxes_around(dataset, sigma)
    if isinstance(energy, PerceptronEnergy):
        boxes = Box(boxes.lower.flatten(1), boxes.upper.flatten(1))
    return Subject(found, energy, boxes)


def _surface(file: Path, found: Survey, dataset: Dataset) -> Energy:
    """The surface that was explored; `InputError` where there are no networks on it, or data do not fit."""
    problem, spec = found.problem, str(found.about.get("network"))
    known = {repr(activation): activation for activation in ACTIVATIONS.values()}
    inputs, labels = dataset.x_train.double(), dataset.y_train
    energy: Energy
    if problem.get("surface") == "PerceptronEnergy":
        widths: tuple[int, ...] = tuple(problem["widths"])  # type: ignore[arg-type]
        activation = known.get(str(problem["activation"]), ReLU())  # a smoothed one is studied as it is without
        energy = PerceptronEnergy(widths, activation, inputs.flatten(1).numpy(), labels.numpy())
    elif problem.get("surface") == "ModuleEnergy" and ":" in spec and not spec.startswith(MLP):
        energy = ModuleEnergy(build(spec, dataset.input_shape, dataset.classes), inputs, labels)
    else:
        raise InputError(f"{file}: holds no landscape of networks, found {dict(problem)}")
    if energy.describe()["data"] != problem["data"]:
        raise InputError(f"{file}: was explored on other samples than {dataset.name} with these options")
    return energy


def _explored(file: Path, data: DataOptions, sigma: float, out: Path | None, exploring: ExploringOptions) -> Subject:
    network, dataset = load(file), data.load()
    path = exploring.database or (None if out is None else out / "landscape.db")
    if path is None:
        raise InputError("study: the landscape of a network needs a place, by --out FOLDER or --database FILE.db")
    x = fitted(dataset.x_train, network.input_shape, dataset.name)
    radius = fitted(dataset.radius(sigma=sigma).unsqueeze(0), network.input_shape, dataset.name)[0]
    own = loss_of_network(network, x, dataset.y_train, l2=L2 if exploring.l2 is None else exploring.l2)
    landscape = landscape_of(own.energy, seed=data.seed)
    about = {"data": dataset.name, "network": file.name, "activation": repr(own.energy.activation)}
    goal = Goal(MINIMA if exploring.has_no_end else exploring.minima, None, exploring.minutes)
    path.parent.mkdir(parents=True, exist_ok=True)
    with team_of(exploring.workers or 1) as team:
        found, _ = explored_into(path, landscape, about, goal, team)
    return Subject(found, own.energy, _behind(own.before, Box.around(x.double(), radius)), own.point[None])


def _behind(before: Network, boxes: Box) -> Box:
    """The boxes of what the weights see: exact, for each element is scaled and shifted by itself."""
    with torch.no_grad():
        found = reach(before, boxes, "interval") if before.nodes else boxes
    return Box(found.lower.flatten(1), found.upper.flatten(1))

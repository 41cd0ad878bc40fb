"""The trade-off: each method's weight swept, clean error against proven error, and what every point costs (Sec. 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from reachbox.data import Dataset, load
from reachbox.errors import InputError
from reachbox.report import Section
from reachbox.studies.chapter import Chapter, Request
from reachbox.studies.runs import Finished, Measured, Plan, finished
from reachbox.studies.sections.tradeoff import tradeoff_section
from reachbox.studies.tables.experiment import WATCHED, quick_dataset
from reachbox.studies.wording import described, sample_counts
from reachbox.training import Evaluation, Jacobian, Objective, Plain, Preset, Robust, Sensitivity, Spectral, WarmUp
from reachbox.training.presets import COOLING, L2, SIGMA, TWO_CONVOLUTIONS

METRICS = ("CE", "ERR", "SENSE", "ADV_LOSS", "ADV_ERR", "PGD_ERR")
EPOCHS, QUICK_EPOCHS, QUICK_NETWORK = 8, 4, "conv:8"
QUICK_METHODS = ("plain", "sensitivity", "interval", "robust")
TASK = Plain(l2=L2 / 10)

Weigh = Callable[[float, Tensor, int], Objective]
"""An objective from its weight, the radius of each feature and the number of epochs."""


@dataclass(frozen=True)
class Sweep:
    """A method whose weight is swept, in its `share` of the epochs.

    `cost` is that of an epoch, relative to plain training, on one thread of a CPU.
    """

    words: str
    make: Weigh
    weights: tuple[float, ...]
    cost: float
    share: float = 1.0


def _sensitivity(weight: float, radius: Tensor, epochs: int) -> Sensitivity:
    return Sensitivity(
        radius=radius, weight=weight, form="geometric_width", of="log_probability", method="interval",
        weight_warm_up=WarmUp(end=0.1 * epochs), task=TASK,
    )  # fmt: skip


def _volume(weight: float, radius: Tensor, epochs: int) -> Objective:
    return Sensitivity(radius=radius, weight=weight, subsample=0.2, task=TASK)


def _interval(share: float, radius: Tensor, epochs: int) -> Objective:
    rising = WarmUp(end=0.2 * epochs)
    return Robust(radius=share * radius, method="interval", radius_warm_up=rising, task=TASK)


def _robust(share: float, radius: Tensor, epochs: int) -> Objective:
    return Robust(radius=share * radius, radius_warm_up=WarmUp(end=0.2 * epochs), task=TASK)


def _with_interval(weight: float, radius: Tensor, epochs: int) -> Objective:
    return replace(_sensitivity(weight, radius, epochs), task=_interval(0.5, radius, epochs))


def _with_robust(weight: float, radius: Tensor, epochs: int) -> Objective:
    return replace(_sensitivity(weight, radius, epochs), task=_robust(0.5, radius, epochs))


SWEEPS: Mapping[str, Sweep] = {
    "plain": Sweep("l2 alone, its weight swept", lambda weight, *_: Plain(l2=weight), (L2 / 10, L2, 4 * L2), 1),
    "sensitivity": Sweep("the recommended form, weight swept", _sensitivity, (0.02, 0.05, 0.1, 0.2, 0.4), 3),
    "spectral": Sweep("weight swept", lambda weight, *_: Spectral(weight=weight, task=TASK), (0.01, 0.03, 0.1), 1.3),
    "interval": Sweep("robust training by interval bounds, radius swept", _interval, (0.25, 0.5, 1.0), 3),
    "sensitivity + interval": Sweep("the sum of both, the latter at half the radius", _with_interval, (0.02, 0.1), 5),
    "jacobian": Sweep("weight swept", lambda weight, *_: Jacobian(weight=weight, task=TASK), (0.03, 0.1, 0.3), 10),
    "volume": Sweep("the paper's form on a fifth of each batch, weight swept", _volume, (1e-8, 1e-6, 1e-4), 5),
    "robust": Sweep("Kolter and Wong's, by dual bounds, radius swept", _robust, (0.25, 0.5, 1.0), 11),
    "robust in equal time": Sweep(
        "the same in a quarter of the epochs: on one CPU the seconds that sensitivity takes in all of them",
        _robust,
        (0.25, 0.5, 1.0),
        11,
        share=0.25,
    ),
    "sensitivity + robust": Sweep("the sum of both, the latter at half the radius", _with_robust, (0.02, 0.1), 13),
}


def sweep(
    dataset: Dataset, network: str, epochs: int, request: Request, *, methods: Sequence[str] = tuple(SWEEPS)
) -> dict[str, dict[float, Finished]]:
    """Trains every weight of the named methods, each in a folder of its own, and gives the runs by method and weight.

    Same first weights, mini-batches and cool-down for all. Raises `InputError` for a method that is none of `SWEEPS`.
    """
    unknown = [method for method in methods if method not in SWEEPS]
    if unknown:
        raise InputError(f"tradeoff: {', '.join(SWEEPS)} are allowed, found {unknown[0]!r}")
    points = points_of(methods, network, epochs, request.seed)
    runs: dict[str, dict[float, Finished]] = {}
    for run in finished(tuple(points), dataset, measured_on(dataset), request):
        method, weight = points[run.plan]
        runs.setdefault(method, {})[weight] = run
    if not runs:
        raise InputError("tradeoff: no training is finished; run it without --as-is")
    return runs


def measured_on(dataset: Dataset) -> Measured:
    """The test samples: some of them after every epoch, all at the end."""
    x, y, radius = dataset.x_test, dataset.y_test, dataset.radius(sigma=SIGMA)
    watched = Evaluation(x[:WATCHED], y[:WATCHED], radius, ("ERR", "ADV_ERR"))
    return Measured({"test": watched}, {"test": Evaluation(x, y, radius, METRICS)})


def points_of(methods: Sequence[str], network: str, epochs: int, seed: int) -> dict[Plan, tuple[str, float]]:
    """The training of every weight, with the method and the weight that it stands for."""
    pairs = [(method, weight) for method in methods for weight in SWEEPS[method].weights]
    return {_plan(method, weight, network, epochs, seed): (method, weight) for method, weight in pairs}


def _plan(method: str, weight: float, network: str, epochs: int, seed: int) -> Plan:
    chosen = SWEEPS[method]
    preset = Preset(chosen.words, lambda radius, n: chosen.make(weight, radius, n), network, COOLING, SIGMA)
    name = f"{method.replace(' + ', '-and-').replace(' ', '-')}-{weight:g}"
    return Plan(name, preset.lasting(max(1, round(chosen.share * epochs))), seed, chosen.cost)


def tradeoff(request: Request) -> Chapter:
    """Every method's front on two convolutions; a quick one on fewer samples or on digits."""
    dataset = quick_dataset(request) if request.quick else load("mnist", data_dir=request.data_dir)
    network = QUICK_NETWORK if request.quick else TWO_CONVOLUTIONS
    epochs = QUICK_EPOCHS if request.quick else EPOCHS
    methods = QUICK_METHODS if request.quick else tuple(SWEEPS)
    runs = sweep(dataset, network, epochs, request, methods=methods)
    return Chapter((section_of(runs, dataset),), settings_of(dataset, network, epochs))


def section_of(runs: Mapping[str, Mapping[float, Finished]], dataset: Dataset) -> Section:
    """The fronts of a sweep, as a section of a page."""
    words = {method: SWEEPS[method].words for method in runs}
    return tradeoff_section(runs, words, len(dataset.y_test), dataset.describe_radius(sigma=SIGMA))


def settings_of(dataset: Dataset, network: str, epochs: int) -> tuple[tuple[str, str], ...]:
    """What it takes to compute a sweep again."""
    how = described(replace(COOLING, epochs=epochs, cool_down=None))
    return (("trade-off", f"{dataset.name}: {sample_counts(dataset)}; network {network}; {how}, falling to 0"),)

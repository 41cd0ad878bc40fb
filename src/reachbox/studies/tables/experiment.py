"""The two experiments of Sec. 6: which methods, on which network, and how small a quick one is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reachbox.data import Dataset, load
from reachbox.errors import InputError
from reachbox.studies.chapter import Request
from reachbox.studies.runs import Finished, Measured, Plan, finished
from reachbox.training import PRESETS, Evaluation, Preset
from reachbox.training.presets import ONE_CONVOLUTION, SGD, SIGMA

FINAL_METRICS = ("CE", "ERR", "SENSE", "ADV_LOSS", "ADV_ERR", "PGD_ERR", "JACOB", "SPECTRAL")
EPOCH_METRICS = ("CE", "ERR", "SENSE", "ADV_LOSS", "ADV_ERR", "JACOB", "SPECTRAL")
SEEDS, WATCHED = 3, 1000
QUICK_SEEDS, QUICK_TRAINING, QUICK_TEST, QUICK_EPOCHS = 1, 3000, 500, 3
DIGITS_EPOCHS, DIGITS_WATCHED, FEWER_CHANNELS = 10, 100, 2


@dataclass(frozen=True)
class Method:
    """A row of a table: its name in the paper, or our own name for it; its training; what a step of it costs."""

    name: str
    words: str
    preset: Preset
    cost: float = 1.0


@dataclass(frozen=True)
class Experiment:
    """Methods on identical mini-batches, over several seeds; `name` is that of the folder with its runs."""

    name: str
    methods: tuple[Method, ...]
    measured_on: tuple[str, ...]


def _preset(name: str, of_section_62: bool) -> Preset:
    """A preset as it is, for Sec. 6.1; on one convolution with plain SGD for Sec. 6.2."""
    preset = PRESETS[name]
    return replace(preset, network=ONE_CONVOLUTION, settings=SGD) if of_section_62 else preset


def _method(name: str, words: str, preset: str, cost: float, *, of_section_62: bool = False) -> Method:
    return Method(name, words, _preset(preset, of_section_62), cost)


BASE = "Cross-entropy and l2."
SM = "The paper's method: in addition, a millionth of the mean volume of the output boxes, by dual bounds."
OURS = "Not in the paper: in addition, a tenth of the width of the label's log-probability, by interval bounds."

SENSITIVITY_METHODS = Experiment(
    "section-6-1",
    (
        _method("Base", BASE, "plain", 1),
        _method("specM", "In addition, the squared spectral norms of the layers.", "spectral", 1.3),
        _method("jacobM", "Then dropout, then the norm of the Jacobian, in stages.", "jacobian", 6),
        _method("recommended", OURS, "recommended", 3.5),
        _method("SM", SM, "paper", 13),
    ),
    ("test",),
)
MARGIN_METHODS = Experiment(
    "section-6-2",
    (
        _method("Base", BASE, "plain", 1, of_section_62=True),
        _method("recommended", OURS, "recommended", 3, of_section_62=True),
        _method("SM", SM, "paper", 6, of_section_62=True),
        _method("K&W", "The robust cross-entropy instead, by dual bounds.", "robust", 5, of_section_62=True),
    ),
    ("test", "train"),
)


@dataclass(frozen=True)
class Trained:
    """What came out: each method's finished runs, one a seed, and the data that they saw.

    `missing` are the methods of the experiment without a finished run; there are some only as long as it is not done.
    """

    methods: tuple[Method, ...]
    runs: dict[str, tuple[Finished, ...]]
    dataset: Dataset
    missing: tuple[str, ...] = ()

    @property
    def watched(self) -> int:
        """How many samples of each kind were measured after every epoch, at most."""
        return _watched(self.dataset)

    def values(self, method: str, metric: str) -> list[float]:
        """A final metric, such as `test_ERR`, of every seed."""
        return [run.metrics[metric] for run in self.runs[method]]


def train_methods(experiment: Experiment, request: Request) -> Trained:
    """Trains every method from every seed, or finds it trained; a seed at a time, so that whole tables come early."""
    dataset = quick_dataset(request) if request.quick else load("mnist", data_dir=request.data_dir)
    methods = methods_of(experiment, request, dataset)
    plans, measured = plans_of(methods, request), measured_in(experiment, dataset)
    found = finished(plans, dataset, measured, replace(request, folder=request.folder.with_name(experiment.name)))
    runs = {method.name: tuple(run for run in found if run.plan.name == _folder(method.name)) for method in methods}
    known = tuple(method for method in methods if runs[method.name])
    if not known:
        raise InputError(f"{experiment.name}: no training is finished; run it without --as-is")
    missing = tuple(method.name for method in methods if not runs[method.name])
    return Trained(known, {method.name: runs[method.name] for method in known}, dataset, missing)


def methods_of(experiment: Experiment, request: Request, dataset: Dataset) -> tuple[Method, ...]:
    """The experiment's methods; for a quick look with fewer steps."""
    return tuple(_sized(method, dataset) for method in experiment.methods) if request.quick else experiment.methods


def plans_of(methods: Sequence[Method], request: Request) -> list[Plan]:
    """A training for each seed and method."""
    seeds = request.seeds or (QUICK_SEEDS if request.quick else SEEDS)
    return [
        Plan(_folder(method.name), method.preset, request.seed + seed, method.cost)
        for seed in range(seeds)
        for method in methods
    ]


def quick_dataset(request: Request) -> Dataset:
    """The first samples of MNIST where its files are at hand, else scikit-learn's digits."""
    if request.data_dir is None and "REACHBOX_DATA" not in os.environ:
        return load("digits", seed=request.seed)
    mnist = load("mnist", data_dir=request.data_dir)
    return replace(
        mnist,
        name=f"mnist, the first {QUICK_TRAINING} samples",
        x_train=mnist.x_train[:QUICK_TRAINING],
        y_train=mnist.y_train[:QUICK_TRAINING],
        x_test=mnist.x_test[:QUICK_TEST],
        y_test=mnist.y_test[:QUICK_TEST],
    )


def _sized(method: Method, dataset: Dataset) -> Method:
    """A method for a quick look; on digits with half of the channels, for many more but cheaper epochs."""
    if dataset.name != "digits":
        return replace(method, preset=method.preset.lasting(QUICK_EPOCHS))
    preset = method.preset.lasting(DIGITS_EPOCHS)
    return replace(method, preset=replace(preset, network=_narrow(preset.network)))


def _narrow(network: str) -> str:
    """The same layers with a share of the channels."""
    kind, _, channels = network.partition(":")
    return f"{kind}:{','.join(str(int(each) // FEWER_CHANNELS) for each in channels.split(','))}"


def _watched(dataset: Dataset) -> int:
    """How many samples of each kind are measured after every epoch, at most."""
    return DIGITS_WATCHED if dataset.name == "digits" else WATCHED


def measured_in(experiment: Experiment, dataset: Dataset) -> Measured:
    """Some samples after every epoch, all of them at the end."""
    radius = dataset.radius(sigma=SIGMA)
    samples = {"test": (dataset.x_test, dataset.y_test), "train": (dataset.x_train, dataset.y_train)}
    chosen = {on: samples[on] for on in experiment.measured_on}
    watched = _watched(dataset)
    return Measured(
        {on: Evaluation(x[:watched], y[:watched], radius, EPOCH_METRICS) for on, (x, y) in chosen.items()},
        {on: Evaluation(x, y, radius, FINAL_METRICS) for on, (x, y) in chosen.items()},
    )


def _folder(method: str) -> str:
    return method.lower().replace("&", "")


def described_methods(methods: Sequence[Method]) -> tuple[tuple[str, str], ...]:
    """Each method's name with the words for it."""
    return tuple((method.name, method.words) for method in methods)

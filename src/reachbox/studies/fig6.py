"""Fig. 6: how sensitivity moves while a network trains on Iris, by exact boxes: plainly, and with the term."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from reachbox.data import load
from reachbox.errors import InputError
from reachbox.studies.chapter import Chapter, Request
from reachbox.studies.runs import Finished, Measured, Plan, finished
from reachbox.studies.sections.fig6 import fig6_section
from reachbox.studies.wording import described, sample_counts
from reachbox.training import Evaluation, Objective, Plain, Preset, Sensitivity, Settings

NETWORK, SIGMA, WEIGHT = "mlp:25,25,25", 0.1, 0.05
EPOCHS, QUICK_EPOCHS, BATCH = 200, 10, 15


@dataclass(frozen=True)
class Optimiser:
    """A way to train: its name, its settings and the weight of l2."""

    name: str
    settings: Settings
    l2: float

    @property
    def folder(self) -> str:
        """A name without spaces."""
        return self.name.replace(", ", "-").replace(" ", "-")


OPTIMISERS = (
    Optimiser("SGD", Settings(EPOCHS, BATCH, "sgd", 0.02), 0.0),
    Optimiser("SGD, l2 .001", Settings(EPOCHS, BATCH, "sgd", 0.02), 1e-3),
    Optimiser("momentum, l2 .001", Settings(EPOCHS, BATCH, "sgd", 0.01, momentum=0.9), 1e-3),
    Optimiser("Adam", Settings(EPOCHS, BATCH, "adam", 3e-3), 0.0),
    Optimiser("Adam, l2 .001", Settings(EPOCHS, BATCH, "adam", 3e-3), 1e-3),
    Optimiser("Adam, l2 .01", Settings(EPOCHS, BATCH, "adam", 3e-3), 1e-2),
)


def fig6(request: Request) -> Chapter:
    """Trains the paper's network by every optimiser, twice; measures the exact sensitivity after every epoch."""
    dataset = load("iris", seed=request.seed)
    x, y, radius = dataset.x_train, dataset.y_train, dataset.radius(sigma=SIGMA)
    measured = Measured({"train": Evaluation(x, y, radius, ("ERR", "SENSE"), method="exact")}, {})
    epochs = QUICK_EPOCHS if request.quick else EPOCHS
    plans = [
        Plan(f"{optimiser.folder}{'-with-term' if with_term else ''}", preset.lasting(epochs), request.seed, cost)
        for with_term, cost in ((False, 1.0), (True, 3.0))
        for optimiser in OPTIMISERS
        for preset in [_preset(optimiser, with_term)]
    ]
    runs = finished(plans, dataset, measured, replace(request, device="cpu"))  # exact boxes have no GPU
    if len(runs) < len(plans):
        raise InputError(f"fig6: {len(runs)} of {len(plans)} trainings are finished; run it without --as-is")
    plain, with_term = _named(runs[: len(OPTIMISERS)]), _named(runs[len(OPTIMISERS) :])
    return Chapter(
        (fig6_section(plain, with_term, len(y), dataset.describe_radius(sigma=SIGMA), WEIGHT),),
        (
            ("figure 6", f"iris: {sample_counts(dataset)}; network {NETWORK}; {epochs} epochs, {_settings()}"),
            ("radius of figure 6", dataset.describe_radius(sigma=SIGMA)),
        ),
    )


def _preset(optimiser: Optimiser, with_term: bool) -> Preset:
    task = Plain(l2=optimiser.l2)

    def make(radius: Tensor, epochs: int) -> Objective:
        if not with_term:
            return task
        return Sensitivity(radius=radius, weight=WEIGHT, form="geometric_width", task=task)

    return Preset(optimiser.name, make, NETWORK, optimiser.settings, SIGMA)


def _named(runs: tuple[Finished, ...]) -> dict[str, Finished]:
    return {optimiser.name: run for optimiser, run in zip(OPTIMISERS, runs, strict=True)}


def _settings() -> str:
    return "; ".join(f"{each.name}: {described(each.settings).partition('; ')[2]}" for each in OPTIMISERS)

"""The chapter of the paper's Fig. 5, as `docs/fig5.md` lays it down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from reachbox.box import Box
from reachbox.data import Dataset, load
from reachbox.landscape import (
    Activation,
    Database,
    Landscape,
    Minimum,
    Mode,
    PerceptronEnergy,
    ReLU,
    Tanh,
    Tolerance,
    TransitionState,
    explore,
    landscape_of,
)
from reachbox.landscape.energy import Array
from reachbox.studies.chapter import Chapter, Request
from reachbox.studies.energy_sensitivity import (
    Cell,
    Measured,
    boxes_around,
    correlation,
    first_of_each_class,
    measured,
)
from reachbox.studies.kept import hash_of, kept
from reachbox.studies.sections.energy_sensitivity import energy_sensitivity_section

WIDTHS, SIGMAS, SHOWN_SIGMA, EACH_CLASS = (4, 25, 25, 25, 3), (0.05, 0.1, 0.2), 0.1, 10
RELU, TANH = ReLU(), Tanh()


@dataclass(frozen=True)
class Variant:
    """Which features, which weight of the l2 term, and which activation."""

    standardise: bool
    l2: float
    activation: Activation = RELU

    @property
    def name(self) -> str:
        """In words."""
        words = f"{'standardised' if self.standardise else 'raw'}, l2 {self.l2:g}"
        return words if self.has_exact_boxes else f"{words}, tanh"

    @property
    def has_exact_boxes(self) -> bool:
        """Whether boxes are exact, and transition states are none: both where the network has kinks."""
        return isinstance(self.activation, ReLU)

    @property
    def tolerance(self) -> Tolerance:
        """Points are distinct whose energies differ by more: the minima of tanh lie closer together."""
        return Tolerance() if self.has_exact_boxes else Tolerance(1e-6)


PAPER = Variant(False, 1e-3)
VARIANTS = (
    PAPER, Variant(False, 5e-4), Variant(True, 1e-3), Variant(True, 5e-4), Variant(False, 1e-3, TANH),
    Variant(True, 1e-3, TANH),
)  # fmt: skip
LOOSE = "raw, l2 0.001, RMS 0.001"


@dataclass(frozen=True)
class Size:
    """How much is explored: variants, independent explorations of each, minima, and states of a smooth one."""

    variants: tuple[Variant, ...]
    explorations: int
    minima: int
    states: int


WHOLE, QUICK = Size(VARIANTS, 5, 40, 20), Size(VARIANTS[:1], 3, 4, 0)


@dataclass(frozen=True, eq=False)
class Found:
    """Points `(count, weights)` of an exploration, and their energies; what is measured of them is kept in `folder`."""

    network: PerceptronEnergy
    points: Array
    energies: Array
    folder: Path

    def measured(self, boxes: Box) -> Measured:
        """With the sensitivities on `boxes`."""
        settings = {
            "network": self.network.describe(),
            "points": hash_of(self.points),
            "boxes": hash_of(boxes.lower.numpy(), boxes.upper.numpy()),
        }
        found = kept(self.folder, "sensitivities", settings, partial(self._sensitivities, boxes))
        return Measured(self.energies, found["log10_geometric_mean"], found["log10_mean"])

    def _sensitivities(self, boxes: Box) -> dict[str, Array]:
        found = measured(self.network, self.points, self.energies, boxes)
        return {"log10_geometric_mean": found.log10_geometric_mean, "log10_mean": found.log10_mean}


def fig5(request: Request) -> Chapter:
    """Explores, measures and correlates; explorations are kept in the chapter's folder and go on after a kill."""
    size = QUICK if request.quick else WHOLE
    request.folder.mkdir(parents=True, exist_ok=True)
    cells: list[Cell] = []
    shown: list[Measured] = []
    for number, variant in enumerate(size.variants):
        dataset = load("iris", standardise=variant.standardise)
        states = 0 if variant.has_exact_boxes else size.states
        found = []
        for seed in range(size.explorations):
            share = (number + seed / size.explorations) / len(size.variants)
            request.progress(f"{variant.name}, exploration {seed + 1}", share)
            landscape = _landscape(dataset, variant, request.seed + seed)
            found.append(explored(landscape, request.folder, variant.tolerance, size.minima, states))
        cells += _cells(variant.name, dataset, [minima for minima, _ in found])
        if states:
            cells += _cells(f"{variant.name}, transition states", dataset, [saddles for _, saddles in found])
        if variant == PAPER:
            shown = [minima.measured(boxes_around(dataset, SHOWN_SIGMA)) for minima, _ in found]
            loose = _landscape(dataset, variant, request.seed, Mode.PAPER)
            points, _ = explored(loose, request.folder, variant.tolerance, size.minima)
            cells += _cells(LOOSE, dataset, [points])
    section = energy_sensitivity_section(shown, SHOWN_SIGMA, cells)
    words = f"{size.explorations} explorations of {size.minima} minima for each of {len(size.variants)} variants"
    return Chapter((section,), (("fig5", words),))


def _landscape(dataset: Dataset, variant: Variant, seed: int, mode: Mode | None = None) -> Landscape:
    inputs, labels = dataset.x_train.double().numpy(), dataset.y_train.numpy()
    return landscape_of(PerceptronEnergy(WIDTHS, variant.activation, inputs, labels, l2=variant.l2), mode, seed=seed)


def explored(
    landscape: Landscape, folder: Path, tolerance: Tolerance, minima: int, states: int = 0
) -> tuple[Found, Found]:
    """The first so many minima, and transition states, that an exploration finds."""
    network = landscape.energy
    assert isinstance(network, PerceptronEnergy)
    described = network.describe()
    name = f"{landscape.mode}-{str(described['data'])[:8]}-{network.l2:g}-{landscape.exploration.seed}.db"
    with Database(folder / name, described, tolerance, landscape.is_strict) as database:
        if len(database.known_minima) < minima or len(database.known_transition_states) < states:
            for progress in explore(network, database, landscape.exploration):
                if progress.minima >= minima and progress.transition_states >= states:
                    break
        return (
            _first(network, database.minima(), minima, folder),
            _first(network, database.transition_states(), states, folder),
        )


def _first(network: PerceptronEnergy, known: Sequence[Minimum | TransitionState], count: int, folder: Path) -> Found:
    """Those that were found first."""
    first = sorted(known, key=lambda point: point.id)[:count]
    points = [point.found.point for point in first]
    energies = np.array([point.found.energy for point in first])
    return Found(network, np.stack(points) if points else np.empty((0, network.dimension)), energies, folder)


def _cells(name: str, dataset: Dataset, found: Sequence[Found]) -> Iterator[Cell]:
    """The correlations of a variant at every sigma, on some and on all samples, by both means."""
    some = first_of_each_class(dataset, EACH_CLASS)
    for sigma in SIGMAS:
        for samples in (some, None):
            boxes = boxes_around(dataset, sigma, samples)
            values = [one.measured(boxes) for one in found]
            for mean in ("geometric mean", "mean"):
                field = "log10_geometric_mean" if mean == "geometric mean" else "log10_mean"
                value = correlation(values, partial(_field, name=field))
                yield Cell(name, sigma, boxes.shape[0], mean, value)


def _field(one: Measured, name: str) -> Array:
    return np.asarray(getattr(one, name))

"""The chapter of the paper's Fig. 5, as `docs/fig5.md` lays it down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from reachbox.data import Dataset, load
from reachbox.landscape import (
    Database,
    Landscape,
    Mode,
    PerceptronEnergy,
    ReLU,
    explore,
    landscape_of,
)
from reachbox.studies.chapter import Chapter, Request
from reachbox.studies.energy_sensitivity import (
    Cell,
    Measured,
    boxes_around,
    correlation,
    first_of_each_class,
    measured,
)
from reachbox.studies.sections.energy_sensitivity import energy_sensitivity_section

WIDTHS, SIGMAS, SHOWN_SIGMA, EACH_CLASS = (4, 25, 25, 25, 3), (0.05, 0.1, 0.2), 0.1, 10


@dataclass(frozen=True)
class Variant:
    """Which features and which weight of the l2 term."""

    standardise: bool
    l2: float

    @property
    def name(self) -> str:
        """In words."""
        return f"{'standardised' if self.standardise else 'raw'}, l2 {self.l2:g}"


PAPER = Variant(False, 1e-3)
VARIANTS = (PAPER, Variant(False, 5e-4), Variant(True, 1e-3), Variant(True, 5e-4))
LOOSE = "raw, l2 0.001, RMS 0.001"


def fig5(request: Request) -> Chapter:
    """Explores, measures and correlates; explorations are kept in the chapter's folder and go on after a kill."""
    variants, seeds, minima = (VARIANTS[:1], 3, 5) if request.quick else (VARIANTS, 5, 40)
    request.folder.mkdir(parents=True, exist_ok=True)
    cells: list[Cell] = []
    shown: list[Measured] = []
    for number, variant in enumerate(variants):
        dataset = load("iris", standardise=variant.standardise)
        found = []
        for seed in range(seeds):
            request.progress(f"{variant.name}, exploration {seed + 1}", (number + seed / seeds) / len(variants))
            found.append(explored(_landscape(dataset, variant, request.seed + seed), request.folder, minima))
        cells += _cells(variant.name, dataset, found)
        if variant == PAPER:
            shown = [
                measured(network, points, heights, boxes_around(dataset, 0.1)) for network, points, heights in found
            ]
            loose = explored(_landscape(dataset, variant, request.seed, Mode.PAPER), request.folder, minima)
            cells += _cells(LOOSE, dataset, [loose])
    section = energy_sensitivity_section(shown, SHOWN_SIGMA, cells)
    settings = (("fig5", f"{seeds} explorations of {minima} minima for each of {len(variants)} variants"),)
    return Chapter((section,), settings)


Found = tuple[PerceptronEnergy, np.ndarray, np.ndarray]


def _landscape(dataset: Dataset, variant: Variant, seed: int, mode: Mode = Mode.SMOOTHED) -> Landscape:
    inputs, labels = dataset.x_train.double().numpy(), dataset.y_train.numpy()
    return landscape_of(PerceptronEnergy(WIDTHS, ReLU(), inputs, labels, l2=variant.l2), mode, seed=seed)


def explored(landscape: Landscape, folder: Path, minima: int) -> Found:
    """The network, the first so many minima that an exploration finds, and their energies."""
    network = landscape.energy
    assert isinstance(network, PerceptronEnergy)
    described = network.describe()
    name = f"{landscape.mode}-{described['data'][:8]}-{network.l2:g}-{landscape.exploration.seed}.db"  # type: ignore[index]
    with Database(folder / name, described, strict=landscape.is_strict) as database:
        if len(database.known_minima) < minima:
            for progress in explore(network, database, landscape.exploration):
                if progress.minima >= minima:
                    break
        first = sorted(database.minima(), key=lambda minimum: minimum.id)[:minima]
    return network, np.stack([m.found.point for m in first]), np.array([m.found.energy for m in first])


def _cells(name: str, dataset: Dataset, found: list[Found]) -> Iterator[Cell]:
    """The correlations of a variant at every sigma, on some and on all samples, by both means."""
    some = first_of_each_class(dataset, EACH_CLASS)
    for sigma in SIGMAS:
        for samples in (some, None):
            boxes = boxes_around(dataset, sigma, samples)
            values = [measured(network, points, heights, boxes) for network, points, heights in found]
            for mean in ("geometric mean", "mean"):
                field = "log10_geometric_mean" if mean == "geometric mean" else "log10_mean"
                value = correlation(values, partial(_field, name=field))
                yield Cell(name, sigma, boxes.shape[0], mean, value)


def _field(one: Measured, name: str) -> np.ndarray:
    return np.asarray(getattr(one, name))

"""The paper's Fig. 5: the exact sensitivity of every minimum against its energy, and whether they go together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from reachbox.box import Box
from reachbox.data import Dataset
from reachbox.landscape import PerceptronEnergy
from reachbox.landscape.energy import Array
from reachbox.reach import exact_stack
from reachbox.sensitivity import summarise

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Measured:
    """Minima of one exploration: `energies` and decimal logarithms of their sensitivities, all `(minima,)`.

    `log10_geometric_mean` is over the samples with a volume above 0, -inf where there is none; `log10_mean` over all.
    """

    energies: Array
    log10_geometric_mean: Array
    log10_mean: Array


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation over pooled minima, with its interval by bootstrap over explorations."""

    value: float
    lower: float
    upper: float
    minima: int

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.lower > 0 or self.upper < 0


@dataclass(frozen=True)
class Cell:
    """One correlation: of which variant, at which sigma, on how many samples, by which mean."""

    variant: str
    sigma: float
    samples: int
    mean: str
    correlation: Correlation


def measured(energy: PerceptronEnergy, points: Array, energies: Array, box: Box) -> Measured:
    """The exact output boxes of each ReLU network `(minima, weights)` on all samples of `box`, summarised."""
    arrays = [torch.as_tensor(array.copy()) for array in energy.layout.split(points)]
    reached = exact_stack(arrays[::2], arrays[1::2], box)
    volumes = reached.log_volume.reshape(len(points), box.shape[0])
    summaries = [summarise(volume) for volume in volumes]
    geometric = [summary.log_geometric_mean if summary.positive_share else -np.inf for summary in summaries]
    mean = [summary.log_mean for summary in summaries]
    return Measured(energies, np.array(geometric) / np.log(10), np.array(mean) / np.log(10))


def boxes_around(dataset: Dataset, sigma: float, samples: Tensor | None = None) -> Box:
    """Boxes around the training samples, or those of the given numbers."""
    x = dataset.x_train.double()
    return Box.around(x if samples is None else x[samples], dataset.radius(sigma=sigma))


def first_of_each_class(dataset: Dataset, count: int) -> Tensor:
    """The numbers of the first so many training samples of each class."""
    classes = range(len(dataset.class_names))
    return torch.cat([(dataset.y_train == label).nonzero().flatten()[:count] for label in classes])


def correlation(
    explorations: Sequence[Measured], sensitivity: Callable[[Measured], Array], seed: int = 0
) -> Correlation:
    """Energy against `sensitivity`, pooled; the interval resamples whole explorations with replacement.

    Of a single exploration no interval is known: it is NaN.
    """
    generator = np.random.default_rng(seed)
    count = len(explorations)
    if count < 2:
        return Correlation(
            _pooled(explorations, sensitivity), np.nan, np.nan, sum(len(o.energies) for o in explorations)
        )
    draws = generator.integers(0, count, (RESAMPLES, count))
    values = np.array([_pooled([explorations[index] for index in draw], sensitivity) for draw in draws])
    tail = 100 * (1 - LEVEL) / 2
    lower, upper = np.nanpercentile(values, [tail, 100 - tail])
    whole = _pooled(explorations, sensitivity)
    return Correlation(whole, float(lower), float(upper), sum(len(one.energies) for one in explorations))


def _pooled(explorations: Sequence[Measured], sensitivity: Callable[[Measured], Array]) -> float:
    energies = np.concatenate([one.energies for one in explorations])
    values = np.concatenate([sensitivity(one) for one in explorations])
    return float(spearmanr(energies, values).statistic) if len(np.unique(values)) > 1 else float("nan")

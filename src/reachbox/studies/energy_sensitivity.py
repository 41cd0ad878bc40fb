"""The paper's Fig. 5: the sensitivity of every minimum against its energy, and whether they go together."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeGuard

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from reachbox.box import Box
from reachbox.data import Dataset
from reachbox.errors import UnsupportedError
from reachbox.landscape import Energy, ModuleEnergy, PerceptronEnergy, ReLU, SmoothedReLU, Tanh
from reachbox.landscape.energy import Array
from reachbox.network import Network
from reachbox.reach import exact_stack
from reachbox.sensitivity import data_sensitivity, summarise

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


def has_exact_boxes(energy: Energy) -> TypeGuard[PerceptronEnergy]:
    """Whether the networks of a loss are perceptrons with ReLU, whose boxes are found exactly, all at once."""
    return isinstance(energy, PerceptronEnergy) and isinstance(energy.activation, (ReLU, SmoothedReLU))


def measured(energy: Energy, points: Array, energies: Array, box: Box) -> Measured:
    """The output boxes of each network `(minima, weights)` on all samples of `box`, summarised.

    Exact for perceptrons with ReLU; by `dual` bounds for all others. Raises `UnsupportedError` where there are none.
    """
    volumes = _exact(energy, points, box) if has_exact_boxes(energy) else _dual(energy, points, box)
    summaries = [summarise(volume) for volume in volumes]
    geometric = [summary.log_geometric_mean if summary.positive_share else -np.inf for summary in summaries]
    mean = [summary.log_mean for summary in summaries]
    return Measured(energies, np.array(geometric) / np.log(10), np.array(mean) / np.log(10))


def _exact(energy: PerceptronEnergy, points: Array, box: Box) -> Tensor:
    """Log volumes `(minima, samples)`."""
    arrays = [torch.as_tensor(array.copy()) for array in energy.layout.split(points)]
    return exact_stack(arrays[::2], arrays[1::2], box).log_volume.reshape(len(points), box.shape[0])


def _dual(energy: Energy, points: Array, box: Box) -> Tensor:
    """The same by dual bounds of the network, captured once, with one point's weights after the other."""
    module = _module(energy)
    network = Network.from_module(module, box.centre[:1])
    volumes = []
    for point in points:
        nn.utils.vector_to_parameters(torch.as_tensor(point), module.parameters())
        volumes.append(data_sensitivity(network, box))
    return torch.stack(volumes) if volumes else torch.empty(0, box.shape[0])


def _module(energy: Energy) -> nn.Module:
    """A network of the loss, whose parameters lie in the order of a point."""
    if isinstance(energy, ModuleEnergy):
        return copy.deepcopy(energy.module)
    if isinstance(energy, PerceptronEnergy) and isinstance(energy.activation, Tanh):
        linear = [nn.Linear(before, after) for before, after in pairwise(energy.widths)]
        return nn.Sequential(*[layer for one in linear for layer in (one, nn.Tanh())][:-1]).double()
    raise UnsupportedError(f"sensitivity: networks with ReLU or tanh and torch modules have bounds, found {energy}")


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

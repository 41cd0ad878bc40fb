"""By how much each method over-estimates the sensitivity of networks at minima of their landscape (paper, Fig. 4)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.data import Dataset
from reachbox.landscape import PerceptronEnergy, ReLU, Smoothing, follow_minima
from reachbox.network import Network
from reachbox.network.architectures import build
from reachbox.reach import Kind, reach
from reachbox.sensitivity import data_sensitivity
from reachbox.studies.chapter import Progress
from reachbox.studies.kept import Arrays, hash_of, kept

Floats = npt.NDArray[np.float64]
NETWORK, WIDTHS, L2 = "mlp:25,25,25", (4, 25, 25, 25, 3), 1e-3
SIGMA, SMALLER = 0.1, (0.03, 0.01, 0.003)
METHODS = ("dual", "interval", "crown", "alpha", "lp")
CHEAP_METHODS = ("dual", "interval", "crown")  # of the smaller radii
SMOOTHING = Smoothing(widths=(0.1, 0.01, 0.001))  # wider bends lead most descents to the same few minima
STARTS_AT_ONCE = 4
MOST_STARTS = 10  # for each network that is wanted
SAME_ENERGY = 1e-5


@dataclass(frozen=True)
class Overestimates:
    """Minima by rising energy, and the volumes of their output boxes.

    `log_volumes` holds natural logarithms `(networks, methods, samples)`, `exact` those of the true box
    `(networks, samples)`; `starts` is how many descents it took to find the minima.
    """

    energies: Floats
    methods: tuple[str, ...]
    log_volumes: Floats
    exact: Floats
    starts: int

    @property
    def relative(self) -> Floats:
        """`(S - S_exact) / S_exact` of each network and method, S the mean over the samples; NaN where S_exact is 0."""
        log_means, exact = _log_mean(self.log_volumes), _log_mean(self.exact)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(np.isinf(exact)[:, None], np.nan, np.expm1(log_means - exact[:, None])))

    def defined(self, method: str) -> Floats:
        """A method's relative over-estimates of the networks that have one; one 0 where none has."""
        values = self.relative[:, self.methods.index(method)]
        return values[~np.isnan(values)] if not np.isnan(values).all() else np.zeros(1)

    @property
    def undefined_networks(self) -> int:
        """Networks whose true boxes all have no volume."""
        return int(np.isinf(_log_mean(self.exact)).sum())

    @property
    def flat_samples(self) -> int:
        """True boxes without volume, of all networks together."""
        return int(np.isinf(self.exact).sum())


def minima(
    dataset: Dataset, wanted: int, seed: int, folder: Path, progress: Progress
) -> tuple[Floats, list[Tensor], int]:
    """Energies and weights of minima with distinct energies, by rising energy, and how many descents it took.

    Descends from random weights on a loss whose kinks are smoothed less and less, until `wanted` are found.
    """
    inputs, labels = dataset.x_train.double().numpy(), dataset.y_train.numpy()
    energy = PerceptronEnergy(WIDTHS, ReLU(), inputs, labels, L2)
    found: dict[float, Floats] = {}
    for batch in range(MOST_STARTS * wanted // STARTS_AT_ONCE):
        progress(f"minima: {len(found)} of {wanted}", len(found) / wanted)
        settings = {"problem": energy.describe(), "smoothing": repr(SMOOTHING), "seed": seed, "batch": batch}
        known = kept(folder, "minima", settings, partial(_descents, energy, [seed, batch]))
        for height, point in zip(known["energies"].tolist(), known["points"], strict=True):
            if len(found) < wanted and all(abs(height - other) > SAME_ENERGY for other in found):
                found[height] = point
        if len(found) == wanted:
            break
    energies = sorted(found)
    return np.array(energies), [torch.from_numpy(found[height]) for height in energies], STARTS_AT_ONCE * (batch + 1)


def _descents(energy: PerceptronEnergy, seed: list[int]) -> dict[str, Floats]:
    """Where descents from random weights end, as far as they converge."""
    starts = energy.random_points(STARTS_AT_ONCE, np.random.default_rng(seed))
    followed = follow_minima(energy, starts, SMOOTHING)
    reached = followed.points[np.isfinite(followed.energies)]
    return {"points": reached, "energies": energy.value_and_gradient(reached)[0]}


def volumes_of(
    dataset: Dataset, energies: Floats, points: list[Tensor], starts: int, folder: Path, progress: Progress
) -> dict[float, Overestimates]:
    """The volumes of all samples' boxes at every radius, network by network; by every method at the largest."""
    chosen = {SIGMA: METHODS, **dict.fromkeys(SMALLER, CHEAP_METHODS)}
    boxes = {sigma: Box.around(dataset.x_train.double(), dataset.radius(sigma=sigma)) for sigma in chosen}
    parts: dict[float, list[Arrays]] = {sigma: [] for sigma in chosen}
    for number, point in enumerate(points):
        progress(f"boxes of network {number + 1} of {len(points)}", number / len(points))
        network = _network(point, dataset)
        for sigma, methods in chosen.items():
            settings = {"point": hash_of(point.numpy()), "sigma": sigma, "methods": methods}
            computed = partial(_volumes, network, boxes[sigma], methods)
            parts[sigma].append(kept(folder, "volumes", settings, computed))
    return {
        sigma: Overestimates(
            energies, chosen[sigma], np.stack([part["bounded"] for part in own]),
            np.stack([part["exact"] for part in own]), starts,
        )
        for sigma, own in parts.items()
    }  # fmt: skip


def _network(point: Tensor, dataset: Dataset) -> Network:
    module = build(NETWORK, dataset.input_shape, dataset.classes).double()
    torch.nn.utils.vector_to_parameters(point, module.parameters())
    return Network.from_module(module, dataset.x_train[:1].double())


def _volumes(network: Network, box: Box, methods: tuple[str, ...]) -> Arrays:
    bounded = [data_sensitivity(network, box, method).numpy() for method in methods]
    return {"bounded": np.stack(bounded), "exact": _exact_volumes(network, box)}


def _exact_volumes(network: Network, box: Box) -> Floats:
    found = reach(network, box, "exact")
    assert found.kind is Kind.EXACT, "a network of four inputs is always enumerated"
    return found.log_volume.numpy()


def _log_mean(logs: Floats) -> Floats:
    """The logarithm of the mean of `exp(logs)` over the last dimension."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.logaddexp.reduce(logs, axis=-1) - np.log(logs.shape[-1]))

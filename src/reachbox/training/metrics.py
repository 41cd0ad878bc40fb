"""What a network is worth: the paper's metrics, one definition each (Sec. 6.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import log

import torch
from torch import Tensor
from torch.nn import functional

from reachbox.box import ArrayLike, Box
from reachbox.certify import Certificate, check_labels, data_certificate
from reachbox.errors import InputError
from reachbox.network import Network
from reachbox.network.capture import as_network
from reachbox.reach import Method
from reachbox.sensitivity import data_sensitivity, summarise
from reachbox.training.attacks import ATTACK, Attack
from reachbox.training.objectives import Model
from reachbox.training.objectives.jacobian import jacobian_norm
from reachbox.training.objectives.robust import robust_cross_entropy
from reachbox.training.objectives.spectral import half_squared_norms

BATCH = 500
ROWS_BATCH = 100  # where each sample has a row for every output


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The metrics of a network on samples `x` `(samples, *features)` with labels `y`, at `radius`; called on a model.

    Everything is computed in float64 on the eval-mode graph. Metrics, each a number by its name:
    `CE` mean cross-entropy; `ERR` share misclassified; `SENSE` log10 of the mean sensitivity, and with it
    `SENSE_median`, `SENSE_geometric_mean` (log10, the last over samples of positive volume) and `SENSE_positive`, the
    share of those; `ADV_LOSS` and `ADV_ERR` Kolter and Wong's robust cross-entropy and error, from bounds on the
    margins; `JACOB` mean Frobenius norm of the logits' Jacobian; `SPECTRAL` half the sum of squared spectral norms;
    `PGD_ERR` the error under `attack`. Always `ERR <= PGD_ERR <= ADV_ERR`: attained, then proven.

    `radius` is a number or one per feature, in the network's units; `within` clips the box; `method` bounds it. The
    samples are taken to the model's device.

    >>> x, y = torch.eye(3), torch.arange(3)
    >>> Evaluation(x, y, 0.1, metrics=("ERR",))(torch.nn.Sequential(torch.nn.Flatten()))
    {'ERR': 0.0}
    """

    x: Tensor
    y: Tensor
    radius: ArrayLike
    metrics: tuple[str, ...] = ("CE", "ERR", "SENSE", "ADV_LOSS", "ADV_ERR")
    method: str | Method = "dual"
    within: tuple[float, float] | None = None
    attack: Attack = ATTACK

    def __post_init__(self) -> None:
        unknown = [name for name in self.metrics if name not in METRICS]
        if unknown:
            raise InputError(f"metrics: {', '.join(METRICS)} are allowed, found {unknown[0]!r}")
        if not len(self.x) or len(self.x) != len(self.y):
            raise InputError(f"metrics: samples and a label each are needed, found {len(self.x)} and {len(self.y)}")

    def __call__(self, model: Model) -> dict[str, float]:
        network = as_network(model, self.x).to(torch.float64)
        fixed = network.map_sources(lambda weight: weight.detach() if isinstance(weight, Tensor) else weight)
        device = network.device
        observed = Observed(fixed, self.x.to(device, torch.float64), self.y.to(device), self)
        return {name: value for metric in self.metrics for name, value in METRICS[metric](observed).items()}


@dataclass(frozen=True, eq=False)
class Observed:
    """A network with fixed weights on samples, and what several metrics need of it, computed once."""

    network: Network
    x: Tensor
    y: Tensor
    options: Evaluation

    @cached_property
    def logits(self) -> Tensor:
        """The outputs at the samples, `(samples, classes)`."""
        with torch.no_grad():
            logits = torch.cat([self.network(part).flatten(1) for part in torch.split(self.x, BATCH)])
        check_labels(self.y, logits.shape[1])
        return logits

    @cached_property
    def wrong(self) -> Tensor:
        """Which samples are misclassified."""
        return self.logits.argmax(1) != self.y

    @cached_property
    def box(self) -> Box:
        """The inputs that a perturbation can reach."""
        return Box.around(self.x, self.options.radius, self.options.within)

    @cached_property
    def certificate(self) -> Certificate:
        """The proven margins."""
        return data_certificate(self.network, self.box, self.y, self.options.method)


def _cross_entropy(observed: Observed) -> dict[str, float]:
    return {"CE": functional.cross_entropy(observed.logits, observed.y).item()}


def _error(observed: Observed) -> dict[str, float]:
    return {"ERR": observed.wrong.double().mean().item()}


def _sensitivity(observed: Observed) -> dict[str, float]:
    found = summarise(data_sensitivity(observed.network, observed.box, observed.options.method))
    return {
        "SENSE": found.log_mean / log(10),
        "SENSE_median": found.log_median / log(10),
        "SENSE_geometric_mean": found.log10_geometric_mean,
        "SENSE_positive": found.positive_share,
    }


def _adversarial_loss(observed: Observed) -> dict[str, float]:
    return {"ADV_LOSS": robust_cross_entropy(observed.certificate.margin, observed.y).item()}


def _adversarial_error(observed: Observed) -> dict[str, float]:
    return {"ADV_ERR": observed.certificate.robust_error}


def _jacobian(observed: Observed) -> dict[str, float]:
    norms = [jacobian_norm(observed.network, part) for part in torch.split(observed.x, ROWS_BATCH)]
    return {"JACOB": torch.cat(norms).mean().item()}


def _spectral(observed: Observed) -> dict[str, float]:
    return {"SPECTRAL": half_squared_norms(observed.network).item()}


def _attacked_error(observed: Observed) -> dict[str, float]:
    fooled = observed.options.attack.fools(observed.network, observed.box, observed.x, observed.y)
    return {"PGD_ERR": (fooled | observed.wrong).double().mean().item()}


METRICS: dict[str, Callable[[Observed], dict[str, float]]] = {
    "CE": _cross_entropy,
    "ERR": _error,
    "SENSE": _sensitivity,
    "ADV_LOSS": _adversarial_loss,
    "ADV_ERR": _adversarial_error,
    "JACOB": _jacobian,
    "SPECTRAL": _spectral,
    "PGD_ERR": _attacked_error,
}

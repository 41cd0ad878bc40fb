"""Sensitivity: the volume of the box around everything a network can output (paper, Sec. 3, Eq. 5 and 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, log

import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.errors import InputError
from reachbox.network import Network
from reachbox.reach import Method, reach

BATCH = 100


def sensitivity(
    network: Network | torch.nn.Module, box: Box, method: str | Method = "dual", *, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Natural logarithm of the volume of each sample's output box, `(batch,)`; `-inf` where a width is zero.

    An over-estimate for sound methods, the volume of Eq. 5 for exact ones, an under-estimate for `sampled`.
    Carries gradients wherever the method does. Eq. 7 with `method="dual"`.

    >>> import reachbox as rb
    >>> rb.sensitivity(torch.nn.Flatten(), rb.Box([[0.0, 0.0]], [[1.0, 1.0]]), "interval")
    tensor([0.], dtype=torch.float64)
    """
    return reach(network, box, method, dtype=dtype).log_volume


def in_batches(box: Box, size: int = BATCH) -> Iterator[Box]:
    """A large box as boxes of at most `size` samples, in order."""
    for lower, upper in zip(torch.split(box.lower, size), torch.split(box.upper, size), strict=True):
        yield Box(lower, upper)


def data_sensitivity(
    network: Network | torch.nn.Module, box: Box, method: str | Method = "dual", *, dtype: torch.dtype = torch.float64
) -> Tensor:
    """`sensitivity` of a whole data set without gradients, a batch at a time: log volumes `(samples,)`."""
    with torch.no_grad():
        return torch.cat([sensitivity(network, part, method, dtype=dtype) for part in in_batches(box)])


@dataclass(frozen=True)
class Summary:
    """Sensitivity of a data set: SENSE of the paper is the mean; one sample can own it, so the others stand beside it.

    `log_mean`, `log_median` and `log_geometric_mean` are natural logarithms of volumes. The geometric mean is over the
    samples of positive volume, whose share is `positive_share`.
    """

    log_mean: float
    log_median: float
    log_geometric_mean: float
    positive_share: float
    samples: int

    @property
    def log10_geometric_mean(self) -> float:
        """Decimal logarithm of the geometric mean."""
        return self.log_geometric_mean / log(10)


def summarise(log_volume: Tensor) -> Summary:
    """Mean, median and geometric mean of volumes given by their logarithms, `(samples,)`."""
    if log_volume.ndim != 1 or not len(log_volume):
        raise InputError(f"log_volume: one per sample is needed, found shape {tuple(log_volume.shape)}")
    logs = log_volume.detach().double()
    positive = logs[logs > -inf]
    ordered = logs.sort().values
    middle = ordered[[(len(ordered) - 1) // 2, len(ordered) // 2]]
    return Summary(
        log_mean=_log_mean(logs),
        log_median=_log_mean(middle),
        log_geometric_mean=positive.mean().item() if len(positive) else -inf,
        positive_share=len(positive) / len(logs),
        samples=len(logs),
    )


def _log_mean(logs: Tensor) -> float:
    """The logarithm of the mean of `exp(logs)`."""
    return logs.logsumexp(0).item() - log(len(logs))

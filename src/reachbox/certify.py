"""Certificates: proven margins between the true class and every other, and the error an adversary can reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from reachbox.box import Box, check_box
from reachbox.checks import demand
from reachbox.errors import InputError
from reachbox.network import Network
from reachbox.network.capture import as_network
from reachbox.reach import Method, reach
from reachbox.sensitivity import BATCH, in_batches

Labels: TypeAlias = Tensor | npt.NDArray[np.integer[Any]] | Sequence[int]


@dataclass(frozen=True)
class Certificate:
    """What is proven of each sample: `margin[i, j]` bounds `y_label - y_j` from below over the whole box.

    `margin` is `(batch, classes)`, zero at the sample's own label. A sample is `certified` when every other margin is
    positive: no input of its box is classified otherwise. `correct` says whether the box's centre is classified right,
    `solved` whether the method ended its search for every margin; where it did not, more time may prove more.
    """

    margin: Tensor
    labels: Tensor
    correct: Tensor
    solved: Tensor

    @property
    def certified(self) -> Tensor:
        """Whether each sample is proven, bool `(batch,)`."""
        own = torch.nn.functional.one_hot(self.labels, self.margin.shape[1]).bool()
        return (self.margin > 0).logical_or(own).all(1)

    @property
    def gave_up(self) -> Tensor:
        """Which samples are not certified for want of time alone, as far as one knows, bool `(batch,)`."""
        return self.correct & ~self.certified & ~self.solved

    @property
    def robust_error(self) -> float:
        """ADV_ERR: the share of samples that are not certified (Kolter and Wong 2018)."""
        return (~self.certified).double().mean().item()

    @property
    def error(self) -> float:
        """ERR: the share of samples misclassified without perturbation."""
        return (~self.correct).double().mean().item()


def margin_objective(labels: Tensor, classes: int) -> Tensor:
    """The objectives `e_label - e_j` of each sample, `(batch, classes, classes)`; row `label` is zero."""
    check_labels(labels, classes)
    eye = torch.eye(classes, dtype=torch.float64, device=labels.device)
    return eye[labels].unsqueeze(1) - eye.unsqueeze(0)


def certify(
    network: Network | torch.nn.Module, box: Box, labels: Labels, method: str | Method = "dual",
    *, dtype: torch.dtype = torch.float64,
) -> Certificate:  # fmt: skip
    """Proves, for as many samples as the method can, that no input of the box changes the predicted class.

    `labels` are integers, `(batch,)`. Margins are bounded directly (objectives `e_label - e_j`), not read off the
    output box, which would be looser. Sound up to rounding for every sound method; with `sampled` it is no proof and
    refused.
    """
    check_box(box)
    labels = as_labels(labels).to(box.lower.device)
    if len(labels) != box.shape[0]:
        raise InputError(f"labels: one for each of the {box.shape[0]} samples is needed, found {len(labels)}")
    graph = as_network(network, box.centre)
    result = reach(graph, box, method, objective=margin_objective(labels, prod(graph.output_shape)), dtype=dtype)
    if result.kind == "estimate":
        raise InputError(f"method: {result.method!r} gives estimates, which prove nothing; choose a sound method")
    with torch.no_grad():
        logits = graph(box.centre.to(dtype)).flatten(1)
    solved = torch.from_numpy(result.solved[..., 0].all(1)).to(labels.device)
    return Certificate(result.lower, labels, logits.argmax(1) == labels, solved)


def data_certificate(
    network: Network | torch.nn.Module, box: Box, labels: Labels, method: str | Method = "dual",
    *, dtype: torch.dtype = torch.float64,
) -> Certificate:  # fmt: skip
    """`certify` for a whole data set without gradients, a batch at a time."""
    labels = as_labels(labels)
    with torch.no_grad():
        parts = [
            certify(network, part, some, method, dtype=dtype)
            for part, some in zip(in_batches(box), torch.split(labels, BATCH), strict=True)
        ]
    fields = ("margin", "labels", "correct", "solved")
    return Certificate(*(torch.cat([getattr(part, field) for part in parts]) for field in fields))


def as_labels(labels: Labels) -> Tensor:
    """Integers of any kind, a number for each sample, as int64 `(batch,)`; raises `InputError` for anything else."""
    try:
        found = labels if isinstance(labels, Tensor) else torch.as_tensor(np.asarray(labels))
    except (TypeError, ValueError):
        raise InputError(f"labels: a whole number for each sample is needed, found {type(labels).__name__}") from None
    if found.ndim != 1 or found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        kind = str(found.dtype).removeprefix("torch.")
        raise InputError(f"labels: a whole number for each sample is needed, found {kind} {tuple(found.shape)}")
    return found.long()


def check_labels(labels: Tensor, classes: int) -> None:
    """Raises `InputError` unless every label is a class of the network."""
    if labels.ndim != 1 or labels.dtype != torch.int64:
        raise InputError(f"labels: int64 (batch,) is needed, found {labels.dtype} {tuple(labels.shape)}")

    def wrong() -> InputError:
        found = f"{int(labels.min())} to {int(labels.max())}"
        return InputError(f"labels: the network has {classes} outputs, so 0 to {classes - 1} is allowed; found {found}")

    demand(((labels >= 0) & (labels < classes)).all(), wrong)

"""`plain`: the task alone, cross-entropy and an l2 penalty; the paper's baseline (Sec. 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from reachbox.errors import InputError
from reachbox.training.objectives.objective import Loss, Model, Objective, logits_of, parameters_of


@dataclass(frozen=True)
class Plain(Objective):
    """Mean cross-entropy of the batch + `l2 * sum W^2`. The baseline, and the task that other objectives add to.

    `sum W^2` is over all trainable weights; with `counts_biases=False` only over those of two or more dimensions,
    which leaves out biases and the scales of batch norm. 2.5e-4 lands on the paper's numbers on MNIST.
    Parts: `cross_entropy`, `l2`.
    """

    name: ClassVar[str] = "plain"
    l2: float = 2.5e-4
    counts_biases: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.l2 < torch.inf:
            raise InputError(f"l2: a finite number from 0 is allowed, found {self.l2:g}")

    def __call__(self, model: Model, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> Loss:
        return Loss({"cross_entropy": functional.cross_entropy(logits_of(model, x, y), y), **self.penalty(model)})

    def penalty(self, model: Model) -> dict[str, Tensor]:
        """The l2 part; none where `l2` is 0."""
        if self.l2 == 0:
            return {}
        weights = [weight for weight in parameters_of(model) if self.counts_biases or weight.ndim > 1]
        return {"l2": self.l2 * torch.stack([weight.square().sum() for weight in weights]).sum()}


TASK = Plain()
"""What other objectives add to unless they are told otherwise."""

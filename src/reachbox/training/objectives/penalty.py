"""A penalty: an objective that adds one weighted term to another objective's loss."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from math import inf
from typing import Self

import torch
from torch import Tensor

from reachbox.errors import InputError
from reachbox.training.objectives.objective import Loss, Model, Objective
from reachbox.training.objectives.plain import TASK
from reachbox.training.schedule import ALWAYS, WarmUp


@dataclass(frozen=True, eq=False, kw_only=True)
class Penalty(Objective):
    """The loss of `task` + `weight` * a term; the part's name is the objective's, its value includes the weight.

    `weight_warm_up` applies through `at(epoch)`; one with `start` equal to `end` switches the term on at that epoch.
    While the weight is 0 the term is not computed. `task` may itself be a penalty: terms add up.
    """

    weight: float
    weight_warm_up: WarmUp = ALWAYS
    task: Objective = TASK

    def __post_init__(self) -> None:
        if not 0 <= self.weight < inf:
            raise InputError(f"weight: a finite number from 0 is allowed, found {self.weight:g}")

    def at(self, epoch: float) -> Self:
        weight = self.weight * self.weight_warm_up.share(epoch)
        return replace(self, weight=weight, weight_warm_up=ALWAYS, task=self.task.at(epoch))

    def begin(self, model: Model, x: Tensor) -> Self:
        return replace(self, task=self.task.begin(model, x))

    def __call__(self, model: Model, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> Loss:
        loss = self.task(model, x, y, generator)
        term = self.weight * self.term(model, x, y, generator) if self.weight else x.new_zeros(())
        return loss.plus(**{self.name: term})

    @abstractmethod
    def term(self, model: Model, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The term of a batch before its weight, a scalar that carries gradients to the weights."""

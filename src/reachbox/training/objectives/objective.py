"""What an objective is: a value that maps a network and a batch to a loss of named parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self, TypeAlias

import torch
from torch import Tensor

from reachbox.box import ArrayLike, as_tensor
from reachbox.certify import check_labels
from reachbox.errors import InputError
from reachbox.network import Network
from reachbox.reach import METHODS, Method

Model: TypeAlias = Network | torch.nn.Module


@dataclass(frozen=True)
class Loss:
    """A loss as the sum of its weighted parts, scalar tensors by name, such as `cross_entropy` and `l2`."""

    parts: dict[str, Tensor]

    @property
    def total(self) -> Tensor:
        """The sum of the parts: what is minimised."""
        return torch.stack([part.double() for part in self.parts.values()]).sum()

    def plus(self, **parts: Tensor) -> Loss:
        """This loss with further parts."""
        return Loss({**self.parts, **parts})

    def values(self) -> dict[str, float]:
        """The parts as numbers."""
        return {name: part.item() for name, part in self.parts.items()}


class Objective(ABC):
    """What training minimises. Subclasses are frozen dataclasses of typed options; `name` is the command line's word.

    The task loss is taken from the module in the mode it is in (dropout, batch statistics), penalties from bounds are
    taken from its captured eval-mode graph.
    """

    name: ClassVar[str]

    @abstractmethod
    def __call__(self, model: Model, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> Loss:
        """The loss of a batch: `x` `(batch, *features)` in the model's dtype, labels `y` int64 `(batch,)`.

        `generator` decides random choices of the objective, where it makes any.
        """

    def at(self, epoch: float) -> Self:
        """The objective that applies at a fractional epoch; itself where nothing is scheduled.

        Called without `at`, an objective has its full weight and radius.
        """
        return self

    def begin(self, model: Model, x: Tensor) -> Self:
        """The objective for a pass over the data, with what it remembers from step to step, if anything.

        That memory follows from the model's present weights alone; `x` is any batch. Without `begin` an objective
        remembers nothing, which costs time at most.
        """
        return self


def module_of(model: Model) -> torch.nn.Module | None:
    """The torch module behind a model: itself, or the module that a network was captured from."""
    owner = model if isinstance(model, torch.nn.Module) else model.owner
    return owner if isinstance(owner, torch.nn.Module) else None


def logits_of(model: Model, x: Tensor, y: Tensor) -> Tensor:
    """The model's outputs `(batch, classes)` in the mode it is in; labels are checked against them."""
    evaluated = module_of(model) or model
    logits: Tensor = evaluated(x)
    if logits.ndim != 2 or len(logits) != len(y):
        found = f"outputs {tuple(logits.shape)} and labels {tuple(y.shape)}"
        raise InputError(f"objective: outputs (batch, classes) and one label a sample are needed, found {found}")
    check_labels(y, logits.shape[1])
    return logits


def parameters_of(model: Model) -> list[Tensor]:
    """The weights that training changes, each once."""
    module = module_of(model)
    if module is None:
        raise InputError("objective: a network without its torch module has no trainable weights; train a module")
    return [weight for weight in module.parameters() if weight.requires_grad]


def given(radius: ArrayLike) -> Tensor:
    """A radius as a tensor; one that is a tensor is not looked at, which would wait for a GPU."""
    return radius if isinstance(radius, Tensor) else as_tensor(radius, "radius")


def check_differentiable(method: str | Method) -> None:
    """Raises `InputError` unless the method's bounds carry gradients."""
    known = METHODS.get(method) if isinstance(method, str) else type(method)
    if known is None or not known.differentiable:
        allowed = ", ".join(name for name, candidate in METHODS.items() if candidate.differentiable)
        found = method if isinstance(method, str) else method.name
        raise InputError(f"method: training needs one that is differentiable, {allowed}; found {found!r}")

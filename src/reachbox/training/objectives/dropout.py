"""`dropout`: the task with dropout before the last layer, the middle stage of the paper's jacobM (Appendix A.1)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from reachbox.errors import InputError
from reachbox.training.objectives.objective import Loss, Model, Objective, module_of
from reachbox.training.objectives.plain import TASK
from reachbox.training.processes import present_part
from reachbox.training.schedule import ALWAYS, WarmUp


@dataclass(frozen=True, eq=False, kw_only=True)
class Dropout(Objective):
    """The loss of `task` while each input of the module's last linear layer is dropped with probability `share`.

    What is kept is scaled by `1 / (1 - share)`. The layers of the module stay as they are, so dropout can begin at any
    epoch: `share_warm_up` applies through `at(epoch)`. Drawn by the call's generator, and only in training mode.
    """

    name: ClassVar[str] = "dropout"
    share: float = 0.5
    share_warm_up: WarmUp = ALWAYS
    task: Objective = TASK

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise InputError(f"dropout: a share from 0 to below 1 is allowed, found {self.share:g}")

    def at(self, epoch: float) -> Self:
        share = self.share * self.share_warm_up.share(epoch)
        return replace(self, share=share, share_warm_up=ALWAYS, task=self.task.at(epoch))

    def begin(self, model: Model, x: Tensor) -> Self:
        return replace(self, task=self.task.begin(model, x))

    def __call__(self, model: Model, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> Loss:
        module = module_of(model)
        if self.share == 0 or (module is not None and not module.training):
            return self.task(model, x, y, generator)
        if generator is None:
            raise InputError("dropout: what is dropped is drawn at random; pass a torch.Generator to the call")
        with _dropped(_last_linear(module), self.share, generator):
            return self.task(model, x, y, generator)


def _last_linear(module: nn.Module | None) -> nn.Linear:
    layers = [part for part in module.modules() if isinstance(part, nn.Linear)] if module is not None else []
    if not layers:
        raise InputError("dropout: a torch module with a linear layer is needed")
    return layers[-1]


@contextmanager
def _dropped(layer: nn.Linear, share: float, generator: torch.Generator) -> Iterator[None]:
    """Drops inputs of a layer for as long as the context lasts."""

    def drop(layer: nn.Module, inputs: tuple[Any, ...]) -> Tensor:
        given: Tensor = inputs[0]
        part = present_part(len(given))
        kept = torch.rand(part.total, *given.shape[1:], generator=generator) >= share
        return given * part.of(kept).to(given) / (1 - share)

    hook = layer.register_forward_pre_hook(drop)
    try:
        yield
    finally:
        hook.remove()

"""Where training stands: everything that it goes on from, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from reachbox.errors import InputError


@dataclass(frozen=True)
class Epoch:
    """What happened in an epoch: `losses` are means of the objective's weighted parts over the training samples.

    `metrics` are those of the network at its end. `seconds` (elapsed) and `cpu_seconds` (all threads) are of training
    alone, without the metrics, on `device`. Epoch 0 is the untrained network.
    """

    number: int
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    losses: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    device: str = ""

    def row(self) -> dict[str, float | str]:
        """The epoch as one row of a table; the parts of the loss carry `loss_` before their names."""
        losses = {f"loss_{name}": value for name, value in self.losses.items()}
        times = {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds}
        return {"epoch": self.number, **times, "device": self.device, **losses, **self.metrics}


@dataclass(frozen=True)
class State:
    """A copy of a training's weights and buffers, of its optimiser's memory, and its history, epoch 0 first.

    `optimiser` holds Adam's moments or SGD's momentum by `<index of the weight>.<name>`. There is nothing else: all
    random draws of an epoch follow from the seed and its number.
    """

    history: tuple[Epoch, ...]
    module: Mapping[str, Tensor]
    optimiser: Mapping[str, Tensor]

    @property
    def epoch(self) -> int:
        """The last epoch that is finished."""
        return self.history[-1].number


def state_of(module: torch.nn.Module, optimiser: torch.optim.Optimizer, history: tuple[Epoch, ...]) -> State:
    """A copy of where the module and its optimiser stand."""
    memory = {
        f"{index}.{name}": value
        for index, values in optimiser.state_dict()["state"].items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }
    return State(history, _copies(module.state_dict()), _copies(memory))


def restore(state: State, module: torch.nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Puts a state back into a module and an optimiser of the same kind.

    Raises `InputError` where the state is that of another architecture.
    """
    present = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    saved = {name: tuple(value.shape) for name, value in state.module.items()}
    for name in sorted(present.keys() | saved.keys()):
        if present.get(name) != saved.get(name):
            shapes = f"{saved.get(name, 'missing')} in the state, {present.get(name, 'missing')} in the module"
            raise InputError(f"training: the state is of another architecture: weight {name!r} is {shapes}")
    memory: dict[int, dict[str, Tensor]] = {}
    for key, value in state.optimiser.items():
        index, name = key.split(".", 1)
        memory.setdefault(int(index), {})[name] = value.clone()
    module.load_state_dict(dict(state.module))
    optimiser.load_state_dict({"state": memory, "param_groups": optimiser.state_dict()["param_groups"]})


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}

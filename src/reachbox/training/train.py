"""The one loop: every method trains here, on the same mini-batches, and contributes only its objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf, isfinite, prod
from time import perf_counter, process_time
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from reachbox.certify import check_labels
from reachbox.checks import together
from reachbox.errors import InputError, ReachboxError
from reachbox.network.capture import as_network
from reachbox.training.objectives import Loss, Objective
from reachbox.training.processes import Processes, dealt
from reachbox.training.schedule import CoolDown
from reachbox.training.state import Epoch, State, restore, state_of

Measure: TypeAlias = Callable[[torch.nn.Module], Mapping[str, float]]
"""Metrics by name, such as `metrics.Evaluation` gives."""

ADVICE = "lower the learning rate, the weight or the radius, or clip the gradient"


class DivergedError(ReachboxError):
    """The loss or its gradient is no finite number any more; the weights are still those before that step."""


@dataclass(frozen=True)
class Settings:
    """How to train: everything but the network, the data and the objective.

    `optimiser` is `adam` or `sgd` (with `momentum`), at a `learning_rate` that is constant or falls by `cool_down`,
    after whose end nothing is left to learn. `clip` is the largest norm of the gradient, None for no limit: set it
    when a trained network goes on with a penalty, whose gradient is huge at first.
    `seed` decides the order of the samples, alike for every objective, and all other draws.
    """

    epochs: int = 10
    batch_size: int = 50
    optimiser: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.0
    clip: float | None = None
    seed: int = 0
    cool_down: CoolDown | None = None

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.batch_size < 1 or self.seed < 0:
            found = f"{self.epochs}, {self.batch_size} and {self.seed}"
            raise InputError(f"training: epochs >= 0, batch_size >= 1 and seed >= 0 are needed, found {found}")
        if self.optimiser not in ("adam", "sgd"):
            raise InputError(f"optimiser: adam or sgd is allowed, found {self.optimiser!r}")
        if not 0 < self.learning_rate < inf:
            raise InputError(f"learning_rate: a positive number is needed, found {self.learning_rate:g}")
        if not 0 <= self.momentum < 1 or (self.momentum and self.optimiser != "sgd"):
            raise InputError(f"momentum: 0 to below 1 is allowed, and only with sgd; found {self.momentum:g}")
        if self.clip is not None and not 0 < self.clip < inf:
            raise InputError(f"clip: a positive gradient norm is needed, found {self.clip:g}")
        if self.cool_down is not None and self.epochs > self.cool_down.end:
            found = f"{self.epochs} epochs and an end at {self.cool_down.end:g}"
            raise InputError(f"cool-down: it must not end before the training does, found {found}")

    def learning_rate_at(self, epoch: float) -> float:
        """The learning rate at a fractional epoch; 0 is the first step."""
        return self.learning_rate * (1.0 if self.cool_down is None else self.cool_down.share(epoch))

    def optimiser_for(self, weights: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """A fresh optimiser of the weights."""
        if self.optimiser == "sgd":
            return torch.optim.SGD(weights, lr=self.learning_rate, momentum=self.momentum)
        return torch.optim.Adam(weights, lr=self.learning_rate, fused=weights[0].is_cuda or None)


@dataclass(frozen=True)
class Step:
    """Where training stands after a step of `steps` in an epoch of `epochs`; `losses` are the batch's weighted parts.

    `gradient_norm` is that before clipping.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    losses: Mapping[str, float]
    gradient_norm: float


def train(
    module: torch.nn.Module,
    objective: Objective,
    x: Tensor,
    y: Tensor,
    settings: Settings = Settings(),
    *,
    measure: Measure | None = None,
    start: State | None = None,
    on_step: Callable[[Step], None] | None = None,
    on_epoch: Callable[[State], None] | None = None,
) -> State:
    """Trains `module` in place on samples `x` `(samples, *features)` with labels `y`; gives its final state.

    Samples are taken in the module's dtype and to its device. `measure` adds metrics to each epoch of the history,
    whose epoch 0 is the untrained network. `on_epoch` receives the state after each epoch, for instance to save it;
    `start` goes on from such a state, with the same result as without the interruption: bit for bit on a processor, on
    a GPU up to the order of its sums. The module's mode and torch's global generator are left as they were. In torch's
    process group every process takes its part of each mini-batch, the first one's weights count, it alone measures and
    saves, and all get the same state.

    Raises `DivergedError`, naming epoch, step and part, when the loss or its gradient is not finite.

    >>> x, y = torch.eye(3), torch.arange(3)
    >>> from reachbox.training.objectives import Plain
    >>> train(torch.nn.Linear(3, 3), Plain(), x, y, Settings(epochs=2)).epoch
    2
    """
    loop = _Loop.of(module, objective, x, y, settings, on_step)
    processes = loop.processes
    state, modes = start, {part: part.training for part in module.modules()}
    if state is not None:
        restore(state, module, loop.optimiser)
    try:
        for number in range(0 if state is None else state.epoch + 1, settings.epochs + 1):
            epoch = loop.epoch(number) if number else Epoch(0)
            if measure:
                epoch = replace(epoch, metrics=processes.told(dict(measure(module)) if processes.is_first else {}))
            history = (*(state.history if state else ()), epoch)
            state = state_of(module, loop.optimiser, history)
            if on_epoch and processes.is_first:
                on_epoch(state)
    finally:
        for part, training in modes.items():
            part.training = training
    assert state is not None  # epoch 0 always runs
    return state


@dataclass(frozen=True)
class _Loop:
    """What stays the same from step to step."""

    module: torch.nn.Module
    objective: Objective
    optimiser: torch.optim.Optimizer
    x: Tensor
    y: Tensor
    settings: Settings
    on_step: Callable[[Step], None] | None
    processes: Processes

    @classmethod
    def of(
        cls,
        module: torch.nn.Module,
        objective: Objective,
        x: Tensor,
        y: Tensor,
        settings: Settings,
        on_step: Callable[[Step], None] | None,
    ) -> _Loop:
        weights = [weight for weight in module.parameters() if weight.requires_grad]
        if not weights or not len(x) or len(x) != len(y):
            found = f"{len(weights)} weights, {len(x)} samples and {len(y)} labels"
            raise InputError(f"training: a module with weights, samples and a label each are needed, found {found}")
        samples, labels = x.to(weights[0]), y.to(weights[0].device)
        if labels.is_cuda:  # where a wrong label would end the process
            check_labels(y, classes_of(module, samples))
        processes = Processes.present()
        last = len(x) % settings.batch_size or settings.batch_size
        if min(last, settings.batch_size) < processes.count:
            found = f"mini-batches of {settings.batch_size} and {last} at the end"
            raise InputError(
                f"training: each of {processes.count} processes needs a sample of every step, found {found}"
            )
        processes.share_state(module.state_dict())
        return cls(module, objective, settings.optimiser_for(weights), samples, labels, settings, on_step, processes)

    def epoch(self, number: int) -> Epoch:
        """One pass over the samples. All draws follow from the seed and the epoch, so none need to be remembered."""
        started, cpu_started = perf_counter(), process_time()
        order_seed, objective_seed, module_seed = _seeds(self.settings.seed, number)
        order = torch.randperm(len(self.x), generator=torch.Generator().manual_seed(order_seed))
        batches = torch.split(order.to(self.x.device), self.settings.batch_size)
        generator = torch.Generator().manual_seed(objective_seed)
        objective = self.objective.begin(self.module, self.x[:1])
        self.module.train()
        sums: dict[str, float] = {}
        with torch.random.fork_rng():
            torch.manual_seed(module_seed)  # dropout draws from the global generator
            for index, batch in enumerate(batches):
                moment = number - 1 + index / len(batches)
                present = objective.at(moment)
                self.set_learning_rate(self.settings.learning_rate_at(moment))
                where = f"epoch {number}, step {index + 1}"
                losses, gradient_norm = self.step(where, present, batch, generator)
                for name, value in losses.items():
                    sums[name] = sums.get(name, 0.0) + value * len(batch) / len(self.x)
                if self.on_step and self.processes.is_first:
                    self.on_step(Step(number, self.settings.epochs, index + 1, len(batches), losses, gradient_norm))
        if not bool(torch.stack([torch.isfinite(weight).all() for weight in self.module.parameters()]).all()):
            raise DivergedError(f"epoch {number}: a weight is NaN or infinite; {ADVICE}")
        times = perf_counter() - started, process_time() - cpu_started
        return Epoch(number, *times, sums, device=device_words(self.x.device))

    def set_learning_rate(self, rate: float) -> None:
        """For the steps from now on."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def step(
        self, where: str, objective: Objective, batch: Tensor, generator: torch.Generator
    ) -> tuple[dict[str, float], float]:
        """One step of the optimiser; the values of the loss's parts and the norm of the gradient before clipping."""
        part = self.processes.part(len(batch))
        own = part.of(batch)
        share = len(own) / len(batch)
        try:
            with dealt(part), together():
                loss = objective(self.module, self.x[own], self.y[own], generator)
                self.optimiser.zero_grad()
                (share * loss.total).backward()  # type: ignore[no-untyped-call]
        except ValueError as error:  # InputError too
            raise InputError(f"{where}: {error}") from error
        weights = [weight for group in self.optimiser.param_groups for weight in group["params"]]
        self.processes.sum_gradients(weights)
        norm = torch.nn.utils.clip_grad_norm_(weights, self.settings.clip or inf)
        losses, gradient_norm = self.numbers(loss, share, norm)
        for name, value in losses.items():
            if not isfinite(value):
                raise DivergedError(f"{where}: the part {name!r} of the loss is {value}; {ADVICE}")
        if not isfinite(gradient_norm):
            raise DivergedError(f"{where}: the gradient's norm is {gradient_norm} ({', '.join(losses)}); {ADVICE}")
        self.optimiser.step()
        return losses, gradient_norm

    def numbers(self, loss: Loss, share: float, norm: Tensor) -> tuple[dict[str, float], float]:
        """The parts of the loss of a whole mini-batch, from those of each process's share of it, and the norm.

        This is where a step waits for a GPU, once.
        """
        parts = torch.stack([part.detach().double() for part in loss.parts.values()])
        found = torch.cat([self.processes.summed(share * parts), norm.double().reshape(1)]).tolist()
        return dict(zip(loss.parts, found, strict=False)), found[-1]


def classes_of(module: torch.nn.Module, samples: Tensor) -> int:
    """How many outputs the module has."""
    return prod(as_network(module, samples[:1]).output_shape)


def device_words(device: torch.device) -> str:
    """What computes: `CPU`, or the name of the card."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()


def _seeds(seed: int, epoch: int) -> tuple[int, int, int]:
    """Independent seeds for the order of the samples, the objective's draws and the module's."""
    first, second, third = np.random.SeedSequence([seed, epoch]).generate_state(3, np.uint64).tolist()
    return first, second, third

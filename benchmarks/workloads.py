"""The workloads of the benchmark: trained networks, the boxes that are bounded, and the operations that this needs."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

import reachbox as rb
from reachbox import data
from reachbox.network.architectures import build
from reachbox.training import Settings, train
from reachbox.training.objectives import Plain


@dataclass(frozen=True)
class Recipe:
    """How a network is made and trained: plainly, with Adam, on the first `samples` of a data set."""

    data: str
    make: Callable[[], nn.Module]
    samples: int
    epochs: int
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class Workload:
    """A network by name, the first `batch` samples that test, and one radius: `eps`, or `sigma` of each range."""

    network: str
    batch: int
    eps: float | None = None
    sigma: float | None = None


@dataclass(frozen=True)
class Problem:
    """What every subject is given: a module, samples `(batch, *features)`, and a radius per feature."""

    module: nn.Sequential
    x: Tensor
    radius: Tensor

    def to(self, dtype: torch.dtype) -> Problem:
        """The same numbers in another precision; the module is a copy."""
        return replace(self, module=deepcopy(self.module).to(dtype), x=self.x.to(dtype), radius=self.radius.to(dtype))


def large() -> nn.Module:
    """Kolter and Wong's `mnist_model_large`."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, stride=1, padding=1), nn.ReLU(),
        nn.Conv2d(32, 32, 4, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=1, padding=1), nn.ReLU(),
        nn.Conv2d(64, 64, 4, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 512), nn.ReLU(),
        nn.Linear(512, 512), nn.ReLU(),
        nn.Linear(512, 10),
    )  # fmt: skip


RECIPES = {
    "conv": Recipe("mnist", lambda: build("conv:16,32", (1, 28, 28), 10), samples=10_000, epochs=2),
    "large": Recipe("mnist", large, samples=5_000, epochs=3),
    "mlp": Recipe("mnist", lambda: build("mlp:256,256,256,256", (1, 28, 28), 10), samples=10_000, epochs=2),
    "iris": Recipe("iris", lambda: build("mlp:25,25,25", (4,), 3), samples=150, epochs=150, learning_rate=3e-3),
}

WORKLOADS = {
    "conv-10": Workload("conv", 10, eps=0.01),
    "conv-50": Workload("conv", 50, eps=0.1),
    "large-.002": Workload("large", 1, eps=0.002),
    "large-.01": Workload("large", 1, eps=0.01),
    "mlp-20": Workload("mlp", 20, eps=0.01),
    "iris-150": Workload("iris", 150, sigma=0.05),
}

load_data = cache(data.load)


def problem(workload: Workload, folder: Path) -> Problem:
    """The workload in float32, its network trained now or read from `folder`."""
    dataset = load_data(RECIPES[workload.network].data)
    x = dataset.x_test[: workload.batch].float()
    radius = dataset.radius(eps=workload.eps, sigma=workload.sigma)
    return Problem(trained(workload.network, folder), x, radius.float())


def trained(name: str, folder: Path) -> nn.Sequential:
    """The network of that name with trained weights, kept in `folder` under its name and recipe."""
    recipe = RECIPES[name]
    module = recipe.make()
    assert isinstance(module, nn.Sequential)
    file = folder / f"{name}-{recipe.samples}x{recipe.epochs}.safetensors"
    if file.is_file():
        module.load_state_dict(load_file(file))
        return module
    dataset = load_data(recipe.data)
    settings = Settings(epochs=recipe.epochs, learning_rate=recipe.learning_rate)
    samples = slice(recipe.samples)
    train(module, Plain(l2=0), dataset.x_train[samples].float(), dataset.y_train[samples], settings)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(module.state_dict(), file)
    return module


def accuracy(network: str, module: nn.Module) -> float:
    """The share of the first 2,000 test samples that a trained network classifies rightly."""
    dataset = load_data(RECIPES[network].data)
    x, y = dataset.x_test[:2000].float(), dataset.y_test[:2000]
    with torch.no_grad():
        return float((module(x).argmax(1) == y).float().mean())


@dataclass(frozen=True)
class Units:
    """The units of the input or of an affine layer, summed over the channels of each position `(batch, positions)`.

    A linear layer has one position. `active` units are not off over the whole of their dual range; `slack` are those
    that the bound has a term for: input features, unstable units, outputs. `connects` `(positions, positions before)`
    is 1 where weights connect, and `products` the dense multiplications of a sample.
    """

    active: Tensor
    slack: Tensor
    connects: Tensor
    products: int


def operations(given: Problem) -> dict[str, float]:
    """Floating-point operations that the dual bound of a problem needs, forward: `rows`, `columns` and `passes`.

    A multiplication and an addition count as two; only products with weights count, and only what nothing can avoid.
    `rows` carries each unstable unit of each sample, and each output, backwards to the input, through the active units
    of its receptive field. `columns` carries each input feature and each unstable unit forwards to the outputs, through
    the active units that it reaches. Either gives the bound. `passes` is its centre and the first term of its radius:
    two plain evaluations of the batch. Forward takes `passes` and the lesser of the others, backward twice as much.
    """
    units = units_of(given)
    last = len(units) - 1
    fan_in = [torch.empty(0), *(before.active @ layer.connects.T for before, layer in pairwise(units))]
    fan_out = [behind.active @ behind.connects for behind in units[1:]]
    rows = columns = 0.0
    for start in range(2, last + 1):
        field = units[start].connects
        for layer in range(start - 1, 0, -1):
            rows += 2 * float(((units[start].slack @ field) * units[layer].active * fan_in[layer]).sum())
            field = (field @ units[layer].connects > 0).float()
    for start in range(last - 1):
        field = units[start + 1].connects.T
        for layer in range(start + 1, last):
            columns += 2 * float(((units[start].slack @ field) * units[layer].active * fan_out[layer]).sum())
            field = (field @ units[layer + 1].connects.T > 0).float()
    passes = 2 * 2 * len(given.x) * sum(layer.products for layer in units[1:])
    return {"rows": rows, "columns": columns, "passes": float(passes)}


def units_of(given: Problem) -> list[Units]:
    """The input's units, then those of each affine layer."""
    everything = by_position(torch.ones_like(given.x))
    units = [Units(everything, everything, torch.empty(0), 0)]
    shape = given.x.shape[1:]
    affine = [i for i, part in enumerate(given.module) if isinstance(part, nn.Linear | nn.Conv2d)]
    for i in affine:
        layer, connects = given.module[i], connections(given.module[i], shape)
        if i == affine[-1]:
            active = slack = torch.ones(len(given.x), layer.out_features)
        else:
            lower, upper = layer_range(given, i, first=i == affine[0])
            active, slack = upper > 0, (lower < 0) & (upper > 0)
        shape = active.shape[1:]
        products = shape.numel() * layer.weight[0].numel()
        units.append(Units(by_position(active), by_position(slack), connects, products))
    return units


def by_position(units: Tensor) -> Tensor:
    """`(batch, channels, height, width)` or `(batch, features)`, summed over channels: `(batch, positions)`."""
    return units.float().sum(1).reshape(len(units), -1)


def connections(layer: nn.Module, shape: torch.Size) -> Tensor:
    """Which positions of a layer see which of the positions before, 0 or 1, `(positions, positions before)`."""
    positions = shape[1:].numel()
    if not isinstance(layer, nn.Conv2d):
        return torch.ones(1, positions)
    each = torch.eye(positions).reshape(positions, 1, *shape[1:])
    seen = functional.conv2d(each, torch.ones(1, 1, *layer.kernel_size), None, layer.stride, layer.padding)
    return seen.flatten(1).T.contiguous()


@torch.no_grad()
def layer_range(given: Problem, place: int, *, first: bool) -> tuple[Tensor, Tensor]:
    """The dual range of the affine layer at `place`, `(batch, *shape)` each."""
    centre = given.module[: place + 1](given.x)
    if first:  # the range is the interval: no rows are needed, and none would fit into memory
        layer = deepcopy(given.module[place])
        layer.weight.abs_()
        layer.bias.zero_()
        radius = layer(given.module[:place](given.radius.expand_as(given.x)))
        return centre - radius, centre + radius
    found = rb.reach(given.module[: place + 1], rb.Box.around(given.x, given.radius), "dual", dtype=given.x.dtype)
    return found.lower.reshape(centre.shape), found.upper.reshape(centre.shape)

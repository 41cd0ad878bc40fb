"""The loss of any torch module as an energy, by automatic differentiation."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from reachbox.box import ArrayLike, as_tensor
from reachbox.landscape.energy.energy import Array, Energy
from reachbox.landscape.energy.layout import Layout, check_l2

REPLICAS_AT_ONCE = 32
Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of `(samples, classes)` logits, binary where there is one logit a sample."""
    if outputs.shape[1] > 1:
        return nn.functional.cross_entropy(outputs, labels.long())
    return nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], labels.to(outputs.dtype))


@dataclass(frozen=True, eq=False)
class ModuleEnergy(Energy):
    """`loss(module(inputs), labels) + l2 * ||w||^2` as a function of all the module's parameters, in float64.

    For any differentiable module; `PerceptronEnergy` is several times faster where it applies. The module is copied,
    and runs in evaluation mode with its present buffers. `loss` takes outputs and labels and returns a scalar.
    Parameters with fewer than two dimensions are the biases that the l2 term can leave out. Symmetries are not known.
    """

    module: nn.Module
    inputs: Tensor
    labels: Tensor
    l2: float = 0.001
    biases_count: bool = True
    loss: Loss = cross_entropy
    layout: Layout = field(init=False)

    def __init__(
        self,
        module: nn.Module,
        inputs: ArrayLike,
        labels: ArrayLike,
        l2: float = 0.001,
        biases_count: bool = True,
        loss: Loss = cross_entropy,
    ) -> None:
        check_l2(l2)
        own = copy.deepcopy(module).double().eval().requires_grad_(False)
        shapes = tuple(tuple(parameter.shape) for parameter in own.parameters())
        fields = {
            "module": own,
            "inputs": as_tensor(inputs, "inputs").double(),
            "labels": torch.as_tensor(labels),
            "l2": l2,
            "biases_count": biases_count,
            "loss": loss,
            "layout": Layout(shapes),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def dimension(self) -> int:
        return self.layout.size

    def point(self, module: nn.Module) -> Array:
        """The parameters of a module of the same architecture as a point, `(dimension,)`."""
        return np.concatenate([parameter.detach().double().numpy().ravel() for parameter in module.parameters()])

    def value_and_gradient(self, points: Array) -> tuple[Array, Array]:
        if len(points) == 0:  # which vmap refuses
            return np.zeros(0), np.zeros_like(points)
        slope = torch.func.grad_and_value(self._energy)
        gradients, values = torch.func.vmap(slope, chunk_size=REPLICAS_AT_ONCE)(torch.as_tensor(points))
        return values.numpy(), gradients.numpy()

    def hessian_vector(self, points: Array, vectors: Array) -> Array:
        def product(point: Tensor, vector: Tensor) -> Tensor:
            change: Tensor = torch.func.jvp(torch.func.grad(self._energy), (point,), (vector,))[1]
            return change

        if len(points) == 0:  # which vmap refuses
            return np.zeros_like(points)
        batched = torch.func.vmap(product, chunk_size=REPLICAS_AT_ONCE)
        return np.asarray(batched(torch.as_tensor(points), torch.as_tensor(vectors)).numpy())

    def _energy(self, point: Tensor) -> Tensor:
        names = [name for name, _ in self.module.named_parameters()]
        pieces = zip(names, self.layout.slices, self.layout.shapes, strict=True)
        weights = {name: point[part].reshape(shape) for name, part, shape in pieces}
        outputs = torch.func.functional_call(self.module, weights, (self.inputs,))
        counted = torch.as_tensor(self.layout.penalised(self.biases_count))
        penalty: Tensor = self.l2 * (counted * point * point).sum()
        return self.loss(outputs, self.labels) + penalty

    def random_points(self, count: int, generator: np.random.Generator) -> Array:
        return self.layout.random_points(count, generator)

    def scales(self, points: Array) -> Array:
        return self.layout.scales(points)

    def describe(self) -> dict[str, object]:
        tensors = [self.inputs, self.labels, *self.module.buffers()]
        data = hashlib.sha256(b"".join(tensor.detach().contiguous().numpy().tobytes() for tensor in tensors))
        return {
            "surface": "ModuleEnergy",
            "module": str(self.module),
            "loss": getattr(self.loss, "__qualname__", repr(self.loss)),
            "l2": self.l2,
            "biases_count": self.biases_count,
            "data": data.hexdigest(),
        }

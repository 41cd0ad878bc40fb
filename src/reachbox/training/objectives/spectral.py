"""`spectral`: the task plus the squared spectral norms of the layers, the paper's specM (Yoshida and Miyato 2017)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

from reachbox.errors import InputError
from reachbox.network import Network, Node
from reachbox.network.capture import as_network
from reachbox.network.operators import Convolution, Linear, resolve
from reachbox.training.objectives.objective import Model
from reachbox.training.objectives.penalty import Penalty

ITERATIONS = 1000


def half_squared_norms(network: Network) -> Tensor:
    """Half the sum over layers of the largest singular value squared: the paper's SPECTRAL, a scalar, exact.

    Layers are the linear ones and the convolutions of the graph, a convolution's kernel reshaped to
    `(out, in * kernel height * kernel width)`. Batch norm's scales do not count; a layer applied twice counts twice.
    """
    norms = [torch.linalg.matrix_norm(_matrix(node), 2) for node in _layers(network).values()]
    return torch.stack(norms).square().sum() / 2


@dataclass(frozen=True, eq=False, kw_only=True)
class Spectral(Penalty):
    """The task's loss + `weight` * half the sum over layers of the largest singular value squared.

    It bounds how far each layer stretches, wherever the samples lie; the paper finds little effect on robustness.
    `kernel`: `reshaped` takes a convolution's kernel as a matrix (Yoshida and Miyato), `operator` the convolution's
    true norm on images of its size. Norms come from power iteration: one iteration a step from the vector of the step
    before within a pass that `begin` opened, else to convergence.
    """

    name: ClassVar[str] = "spectral"
    weight: float = 0.01
    kernel: Literal["reshaped", "operator"] = "reshaped"
    vectors: dict[int, Tensor] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel not in ("reshaped", "operator"):
            raise InputError(f"kernel: reshaped or operator is allowed, found {self.kernel!r}")

    def begin(self, model: Model, x: Tensor) -> Self:
        network = as_network(model, x)
        vectors = {number: _converged(stretch) for number, stretch in self._stretches(network).items()}
        return replace(super().begin(model, x), vectors=vectors)

    def term(self, model: Model, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        norms = []
        for number, stretch in self._stretches(as_network(model, x)).items():
            if self.vectors is None:
                vector = _converged(stretch)
            else:
                vector = self.vectors[number] = stretch.iterated(self.vectors[number])
            norms.append(stretch.along(vector))
        return torch.stack(norms).square().sum() / 2

    def _stretches(self, network: Network) -> dict[int, _Stretch]:
        """Each layer's linear map, by the number of its node."""
        return {
            number: _of_matrix(_matrix(node))
            if self.kernel == "reshaped" or isinstance(node.operator, Linear)
            else _of_convolution(node, network.shape_of(node.inputs[0]))
            for number, node in _layers(network).items()
        }


@dataclass(frozen=True)
class _Stretch:
    """A linear map and its transpose, on tensors of one shape each; `start` gives any vector that it takes."""

    forward: Callable[[Tensor], Tensor]
    transposed: Callable[[Tensor], Tensor]
    start: Callable[[], Tensor]

    def iterated(self, vector: Tensor) -> Tensor:
        """The vector after one power iteration, of unit length; unchanged where the map sends it to zero."""
        with torch.no_grad():
            mapped = self.transposed(self.forward(vector))
            length = torch.linalg.vector_norm(mapped)
            return torch.where(length > 0, mapped / length, vector)

    def along(self, vector: Tensor) -> Tensor:
        """The length that a unit vector is stretched to; with the leading one this is the spectral norm."""
        length: Tensor = torch.linalg.vector_norm(self.forward(vector))
        return length


def _converged(stretch: _Stretch) -> Tensor:
    """The leading right singular vector, from a fixed random start, until the norm settles to the last digits."""
    start = stretch.start()
    tolerance = 4 * torch.finfo(start.dtype).eps
    vector, length = stretch.iterated(start / torch.linalg.vector_norm(start)), 0.0
    for _ in range(ITERATIONS):
        with torch.no_grad():
            present = stretch.along(vector).item()
        if abs(present - length) <= tolerance * present:
            break
        vector, length = stretch.iterated(vector), present
    return vector


def _layers(network: Network) -> dict[int, Node]:
    return {n: node for n, node in enumerate(network.nodes) if isinstance(node.operator, Linear | Convolution)}


def _matrix(node: Node) -> Tensor:
    assert isinstance(node.operator, Linear | Convolution)
    return resolve(node.operator.weight).flatten(1)


def _of_matrix(matrix: Tensor) -> _Stretch:
    return _Stretch(lambda v: matrix @ v, lambda u: matrix.T @ u, lambda: _random(matrix.shape[1:], matrix))


def _of_convolution(node: Node, input_shape: tuple[int, ...]) -> _Stretch:
    assert isinstance(node.operator, Convolution)
    linear = replace(node.operator, bias=None)
    return _Stretch(
        linear.forward,
        lambda u: linear.transposed(u)[0],
        lambda: _random((1, *input_shape), resolve(linear.weight)),
    )


def _random(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """The same numbers at every call: nothing is drawn from a generator of the run."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(like)

"""A perceptron from a file as a point of its own loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from reachbox.errors import UnsupportedError
from reachbox.landscape.energy.activation import Activation, ReLU, Tanh
from reachbox.landscape.energy.energy import Array
from reachbox.landscape.energy.perceptron import PerceptronEnergy
from reachbox.network import Network, Node, operators
from reachbox.network.operators import Linear, Relu, Reshape, Scale, resolve


@dataclass(frozen=True, eq=False)
class Placed:
    """A perceptron's loss and where the network lies on it: `point` is `(dimension,)`.

    `before` is what the network does to its inputs ahead of its first weights, such as a standardisation, which no
    search changes; its outputs are the inputs of `energy`.
    """

    energy: PerceptronEnergy
    point: Array
    before: Network


def placed(network: Network, x: Tensor, labels: Tensor, *, l2: float = 0.001, biases_count: bool = True) -> Placed:
    """The loss of a network's weights on samples `x` `(samples, *input_shape)`, and the point that it is, float64.

    A bias that the network lacks is one of 0. Raises `UnsupportedError` for all but linear layers with ReLU, or tanh,
    between them, behind a scale and a shift of the inputs at most.
    """
    network = network.to(torch.float64)
    before, layers, activation = _parts(network)
    arrays = [array for node in layers for array in _weights(node)]
    widths = (arrays[0].shape[1], *(len(bias) for bias in arrays[1::2]))
    with torch.no_grad():
        inputs = before(x.double()).flatten(1).numpy()
    energy = PerceptronEnergy(widths, activation, inputs, labels.numpy(), l2=l2, biases_count=biases_count)
    return Placed(energy, np.concatenate([array.ravel() for array in arrays]), before)


def _parts(network: Network) -> tuple[Network, Sequence[Node], Activation]:
    """What comes before the first linear layer, the linear layers, and the activation between them."""
    nodes = network.nodes
    first = next((number for number, node in enumerate(nodes) if isinstance(node.operator, Linear)), len(nodes))
    behind = [node for node in nodes[first:] if not isinstance(node.operator, Reshape)]
    layers, between = behind[::2], [_activation(node) for node in behind[1::2]]
    activation = between[0] if between else ReLU()
    if activation is None or not (
        all(node.inputs == (number,) for number, node in enumerate(nodes))
        and all(isinstance(node.operator, (Scale, Reshape)) for node in nodes[:first])
        and all(isinstance(node.operator, Linear) and len(node.shape) == 1 for node in layers)
        and all(other == activation for other in between)
        and len(layers) == len(between) + 1
    ):
        raise UnsupportedError(
            "landscape: of a network in a file, linear layers with ReLU, or tanh, between them are explored, found "
            f"{', '.join(node.operator.name for node in nodes)}"
        )
    return replace(network, nodes=nodes[:first], output=first, plans={}), layers, activation


def _activation(node: Node) -> Activation | None:
    """The activation that a node is; None for any that is not known here."""
    if isinstance(node.operator, Relu) and node.operator.negative_slope == 0:
        return ReLU()
    return Tanh() if isinstance(node.operator, operators.Tanh) else None


def _weights(node: Node) -> tuple[Array, Array]:
    """The matrix `(outputs, inputs)` of a linear layer, and its bias."""
    assert isinstance(node.operator, Linear)
    weight = resolve(node.operator.weight).detach().numpy()
    bias = node.operator.bias
    return weight, np.zeros(len(weight)) if bias is None else resolve(bias).detach().numpy()

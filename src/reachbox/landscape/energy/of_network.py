"""A perceptron from a file as a point of its own loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from reachbox.errors import UnsupportedError
from reachbox.landscape.energy.activation import Activation, ReLU, Tanh
from reachbox.landscape.energy.energy import Array
from reachbox.landscape.energy.perceptron import PerceptronEnergy
from reachbox.network import Network, Node, operators
from reachbox.network.operators import Linear, Relu, Reshape, Scale, Source, resolve

Layer: TypeAlias = tuple[Array, Array]


@dataclass(frozen=True, eq=False)
class LossOfNetwork:
    """A perceptron's loss and where the network lies on it: `point` is `(dimension,)`.

    `before` is what the network does to its inputs ahead of its first weights, such as a standardisation, which no
    search changes; its outputs are the inputs of `energy`.
    """

    energy: PerceptronEnergy
    point: Array
    before: Network


def loss_of_network(
    network: Network, x: Tensor, labels: Tensor, *, l2: float = 0.001, biases_count: bool = True
) -> LossOfNetwork:
    """The loss of a network's weights on samples `x` `(samples, *input_shape)`, and the point that it is, float64.

    A bias that the network lacks is one of 0; batch norm is multiplied into the layer before it. Raises
    `UnsupportedError` for all but linear layers with ReLU, or tanh, between them, behind a scale and a shift at most.
    """
    network = network.to(torch.float64)
    first = next((number for number, node in enumerate(network.nodes) if isinstance(node.operator, Linear)), None)
    layers, activations = ([], []) if first is None else _layers(network.nodes[first:])
    is_chain = all(node.inputs == (number,) for number, node in enumerate(network.nodes))
    is_fixed = all(isinstance(node.operator, (Scale, Reshape)) for node in network.nodes[:first])
    if (
        first is None
        or not is_chain
        or not is_fixed
        or len(layers) != len(activations) + 1
        or len(set(activations)) > 1
    ):
        found = ", ".join(node.operator.name for node in network.nodes)
        raise UnsupportedError(
            "landscape: of a network in a file, linear layers with ReLU, or tanh, between them are explored, found "
            f"{found or 'none'}; other torch modules are explored by `landscape explore --network MODULE:FUNCTION`"
        )
    before = replace(network, nodes=network.nodes[:first], output=first, plans={})
    widths = (layers[0][0].shape[1], *(len(bias) for _, bias in layers))
    with torch.no_grad():
        inputs = before(x.double()).flatten(1).numpy()
    activation = activations[0] if activations else ReLU()
    energy = PerceptronEnergy(widths, activation, inputs, labels.numpy(), l2=l2, biases_count=biases_count)
    return LossOfNetwork(energy, np.concatenate([array.ravel() for layer in layers for array in layer]), before)


def _layers(nodes: Sequence[Node]) -> tuple[list[Layer], list[Activation]]:
    """Matrices `(outputs, inputs)` and biases, and the activations behind them; they end before what is neither."""
    layers: list[Layer] = []
    activations: list[Activation] = []
    for node in nodes:
        operator, activation, is_open = node.operator, _activation(node), len(layers) == len(activations) + 1
        if isinstance(operator, Linear) and len(node.shape) == 1 and not is_open:
            weight = resolve(operator.weight).detach().numpy()
            bias = np.zeros(len(weight)) if operator.bias is None else resolve(operator.bias).detach().numpy()
            layers.append((weight, bias))
        elif isinstance(operator, Scale) and is_open:
            weight, bias = layers[-1]
            scale, shift = _each(operator.scale, 1.0, len(bias)), _each(operator.shift, 0.0, len(bias))
            layers[-1] = scale[:, None] * weight, scale * bias + shift
        elif activation is not None and is_open:
            activations.append(activation)
        elif not isinstance(operator, Reshape):
            return [], []
    return layers, activations


def _each(source: Source | None, missing: float, units: int) -> Array:
    """A scale or a shift of each unit."""
    values = np.array(missing) if source is None else resolve(source).detach().numpy()
    return np.broadcast_to(values, (units,))


def _activation(node: Node) -> Activation | None:
    """The activation that a node is; None for any that is not known here."""
    if isinstance(node.operator, Relu) and node.operator.negative_slope == 0:
        return ReLU()
    return Tanh() if isinstance(node.operator, operators.Tanh) else None

"""Centre and radius of a small dense network in one compiled call each way: everything else would take longer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from reachbox.box import Box
from reachbox.network import Network
from reachbox.network.operators import Linear, Relu, resolve
from reachbox.reach.dual.chain import Chain
from reachbox.reach.dual.column_gradients import Gradients, gradients_of_samples
from reachbox.reach.dual.columns import Layers, bound_samples
from reachbox.reach.dual.compiled import BYTES

WIDEST = 64  # units of a layer, up to which columns for all of them cost less than anything cleverer

Floats: TypeAlias = npt.NDArray[np.floating[Any]]


def is_small_and_dense(chain: Chain) -> bool:
    """Whether a chain has linear layers only, all of them narrow."""
    sizes = [layer.outputs for layer in chain.layers] + [layer.inputs for layer in chain.layers]
    is_dense = all(layer.before[1:] == layer.after[1:] == (1, 1) and layer.groups == 1 for layer in chain.layers)
    return is_dense and max(sizes) <= WIDEST and all(len(layer.nodes) == 1 for layer in chain.layers)


def dense_bound(network: Network, chain: Chain, box: Box, objective: Tensor) -> tuple[Tensor, Tensor]:
    """Centre and radius of the objective `(batch, rows, outputs)` under the dual bound, `(batch, rows)` each."""
    if "dense" not in network.plans:
        network.plans["dense"] = _plan(network, chain)
    plan = network.plans["dense"]
    assert isinstance(plan, Plan)
    parameters: list[Tensor | None] = []
    for index in plan.nodes:
        operator = network.nodes[index].operator
        assert isinstance(operator, Linear)
        parameters += [resolve(operator.weight), None if operator.bias is None else resolve(operator.bias)]
    centre, radius = DenseBound.apply(box.centre, box.radius, objective, plan, *parameters)  # type: ignore[no-untyped-call]
    return centre, radius


@dataclass(frozen=True, eq=False)
class Plan:
    """Units of each level, the slope below zero behind each layer, 1 where nothing bends, and the layers' nodes."""

    units: npt.NDArray[np.int64]
    below: npt.NDArray[np.float64]
    nodes: tuple[int, ...]


def _plan(network: Network, chain: Chain) -> Plan:
    behind = [network.nodes[layer.activation - 1].operator if layer.activation else None for layer in chain.layers]
    below = [operator.negative_slope if isinstance(operator, Relu) else 1.0 for operator in behind]
    units = [chain.layers[0].inputs, *(layer.outputs for layer in chain.layers)]
    return Plan(np.array(units), np.array(below), tuple(layer.nodes[0] for layer in chain.layers))


class DenseBound(torch.autograd.Function):
    """Centre and radius, `(batch, rows)` each, differentiable to box, objective, weights and biases."""

    @staticmethod
    def forward(
        ctx: Any, centre: Tensor, radius: Tensor, objective: Tensor, plan: Plan, *parameters: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        samples, radii, rows = (
            np.ascontiguousarray(part.detach().numpy()) for part in (centre.flatten(1), radius.flatten(1), objective)
        )
        layers = _layers(plan, parameters, samples.dtype)
        found = np.empty((2, *rows.shape[:2]), samples.dtype)
        bound_samples(layers, samples, radii, rows, found)
        ctx.shape, ctx.given, ctx.layers = centre.shape, (samples, radii, rows), layers
        ctx.has_bias = [bias is not None for bias in parameters[1::2]]
        return torch.from_numpy(found[0]), torch.from_numpy(found[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *of_found: Tensor) -> tuple[Tensor | None, ...]:
        layers: Layers = ctx.layers
        samples, radii, rows = ctx.given
        into = Gradients(*map(np.zeros_like, (samples, radii, rows, layers.turned, layers.biases)))
        gradients_of_samples(layers, samples, radii, rows, np.stack([part.numpy() for part in of_found]), into)
        of_centre, of_radius, of_objective = map(torch.from_numpy, into[:3])
        of_parameters: list[Tensor | None] = []
        for layer, has_bias in enumerate(ctx.has_bias):
            inputs, outputs = layers.units[layer], layers.units[layer + 1]
            of_parameters.append(torch.from_numpy(into.turned[layer, :inputs, :outputs].T))
            of_parameters.append(torch.from_numpy(into.biases[layer, :outputs]) if has_bias else None)
        return of_centre.reshape(ctx.shape), of_radius.reshape(ctx.shape), of_objective, None, *of_parameters


def _layers(plan: Plan, parameters: tuple[Tensor | None, ...], kind: np.dtype[Any]) -> Layers:
    """The parameters as the kernels read them: rows as wide as the widest level, in whole vectors."""
    lanes = BYTES // kind.itemsize
    count, widest = len(plan.nodes), -(-int(plan.units.max()) // lanes) * lanes
    turned, plain = np.zeros((2, count, widest, widest), kind)
    biases = np.zeros((count, widest), kind)
    for layer, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
        assert weight is not None
        values, (outputs, inputs) = weight.detach().numpy(), weight.shape
        plain[layer, :outputs, :inputs] = values
        turned[layer, :inputs, :outputs] = values.T
        if bias is not None:
            biases[layer, :outputs] = bias.detach().numpy()
    return Layers(plan.units, plan.below.astype(kind), turned, plain, biases)

"""Centre and radius of a small dense network in one step, with gradients: everything around it would take longer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from reachbox.box import Box
from reachbox.network import Network
from reachbox.network.operators import Linear, Relu, resolve
from reachbox.reach.dual import columns
from reachbox.reach.dual.chain import Chain
from reachbox.reach.dual.column_gradients import gradients
from reachbox.reach.dual.columns import Dense, Slopes

WIDEST = 64  # units of a layer, up to which columns for all of them cost less than anything cleverer


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
    found = DenseBound.apply(box.centre, box.radius, objective, plan, *parameters)  # type: ignore[no-untyped-call]
    return found[0], found[1]


@dataclass(frozen=True)
class Plan:
    """Sizes of the levels, the slope below zero behind each layer (1 where nothing bends), and the layers' nodes."""

    sizes: tuple[int, ...]
    below: tuple[float, ...]
    nodes: tuple[int, ...]


def _plan(network: Network, chain: Chain) -> Plan:
    activations = [None if layer.activation is None else network.nodes[layer.activation - 1] for layer in chain.layers]
    below = [node.operator.negative_slope if node and isinstance(node.operator, Relu) else 1.0 for node in activations]
    sizes = (chain.layers[0].inputs, *(layer.outputs for layer in chain.layers))
    return Plan(sizes, tuple(below), tuple(layer.nodes[0] for layer in chain.layers))


class DenseBound(torch.autograd.Function):
    """`(2, batch, rows)`: centre and radius, differentiable to box, objective, weights and biases."""

    @staticmethod
    def forward(
        ctx: Any, centre: Tensor, radius: Tensor, objective: Tensor, plan: Plan, *parameters: Tensor | None
    ) -> Tensor:
        rows = objective.shape[1]
        dense = _dense(plan, rows, parameters, centre)
        ctx.shape, ctx.dense, ctx.plan = centre.shape, dense, plan
        ctx.has_bias = [bias is not None for bias in parameters[1::2]]
        ctx.given = tuple(
            np.ascontiguousarray(part.detach().numpy()) for part in (centre.flatten(1), radius.flatten(1), objective)
        )
        found = np.empty((2, len(centre), rows), ctx.given[0].dtype)
        centres, radii, objectives = ctx.given
        columns.bounds(dense, centres, radii, objectives, found)
        return torch.from_numpy(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_found: Tensor) -> tuple[Tensor | None, ...]:
        dense, given, sizes = ctx.dense, ctx.given, ctx.plan.sizes
        into = Slopes(*(np.zeros_like(part) for part in (*given, dense.weights, dense.biases)))
        of_centre, of_radius = np.ascontiguousarray(of_found.numpy())
        centres, radii, objectives = given
        gradients(dense, centres, radii, objectives, of_centre, of_radius, into)
        parts = [torch.from_numpy(part) for part in into]
        shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
        flat = torch.split(parts[3], [outputs * inputs for outputs, inputs in shapes])
        weights = [part.reshape(shape) for part, shape in zip(flat, shapes, strict=True)]
        biases = zip(torch.split(parts[4], sizes[1:]), ctx.has_bias, strict=True)
        of_biases = [part if has_bias else None for part, has_bias in biases]
        of_parameters = chain.from_iterable(zip(weights, of_biases, strict=True))
        return parts[0].reshape(ctx.shape), parts[1].reshape(ctx.shape), parts[2], None, *of_parameters


def _dense(plan: Plan, rows: int, parameters: tuple[Tensor | None, ...], like: Tensor) -> Dense:
    """The parameters as the kernels want them."""
    weights = [weight.detach() for weight in parameters[::2] if weight is not None]
    biases = [
        like.new_zeros(len(weight)) if bias is None else bias.detach()
        for weight, bias in zip(weights, parameters[1::2], strict=True)
    ]
    begins = [list(accumulate((len(part.flatten()) for part in parts), initial=0)) for parts in (weights, biases)]
    dtype = weights[0].numpy().dtype
    return Dense(
        np.array([*plan.sizes, rows]), np.array(begins[0]), np.array(begins[1]), np.array(plan.below, dtype),
        torch.cat([weight.flatten() for weight in weights]).numpy(),
        torch.cat([weight.T.flatten() for weight in weights]).numpy(), torch.cat(biases).numpy(),
    )  # fmt: skip

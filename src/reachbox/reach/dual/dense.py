"""Centre and radius of a small dense network in one step, with gradients: everything around it would take longer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from reachbox.box import Box
from reachbox.network import Network
from reachbox.network.operators import Linear, Relu, resolve
from reachbox.reach.dual.chain import Chain
from reachbox.reach.dual.column_gradients import gradients
from reachbox.reach.dual.columns import run

WIDEST = 64  # units of a layer, up to which columns for all of them cost less than anything cleverer
AT_ONCE = 256  # samples whose columns are kept at a time


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
    """The slope below zero behind each layer but the last, 1 where nothing bends, and the layers' nodes."""

    below: tuple[float, ...]
    nodes: tuple[int, ...]


def _plan(network: Network, chain: Chain) -> Plan:
    behind = [network.nodes[layer.activation - 1].operator if layer.activation else None for layer in chain.layers[:-1]]
    below = tuple(operator.negative_slope if isinstance(operator, Relu) else 1.0 for operator in behind)
    return Plan(below, tuple(layer.nodes[0] for layer in chain.layers))


class DenseBound(torch.autograd.Function):
    """`(2, batch, rows)`: centre and radius, differentiable to box, objective, weights and biases.

    The way of a small batch is kept for the gradients; that of a large one is gone again, part by part.
    """

    @staticmethod
    def forward(
        ctx: Any, centre: Tensor, radius: Tensor, objective: Tensor, plan: Plan, *parameters: Tensor | None
    ) -> Tensor:
        weights = [weight.detach() for weight in parameters[::2] if weight is not None]
        biases = [None if bias is None else bias.detach() for bias in parameters[1::2]]
        ctx.shape, ctx.plan, ctx.weights, ctx.biases = centre.shape, plan, weights, biases
        ctx.given = tuple(
            np.ascontiguousarray(part.detach().numpy()) for part in (centre.flatten(1), radius.flatten(1), objective)
        )
        found = np.empty((2, len(centre), objective.shape[1]), ctx.given[0].dtype)
        for part in _parts(len(centre)):
            ctx.way = run(weights, biases, plan.below, *(given[part] for given in ctx.given))
            found[0, part], found[1, part] = ctx.way.centre, ctx.way.radius
        if len(centre) > AT_ONCE:
            ctx.way = None
        return torch.from_numpy(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_found: Tensor) -> tuple[Tensor | None, ...]:
        of_centre, of_radius = np.ascontiguousarray(of_found.numpy())
        found = []
        for part in _parts(len(of_centre)):
            given = [whole[part] for whole in ctx.given]
            way = ctx.way or run(ctx.weights, ctx.biases, ctx.plan.below, *given)
            found.append(gradients(way, ctx.weights, ctx.plan.below, given[2], of_centre[part], of_radius[part]))
        of_inputs = [
            torch.from_numpy(np.concatenate(parts) if len(parts) > 1 else parts[0])
            for parts in zip(*((one.centre, one.radius, one.objective) for one in found), strict=True)
        ]
        weights = [_sum_of(parts) for parts in zip(*(one.weights for one in found), strict=True)]
        biases = [_sum_of(parts) for parts in zip(*(one.biases for one in found), strict=True)]
        of_biases = [None if bias is None else part for part, bias in zip(biases, ctx.biases, strict=True)]
        of_parameters = chain.from_iterable(zip(weights, of_biases, strict=True))
        return of_inputs[0].reshape(ctx.shape), of_inputs[1].reshape(ctx.shape), of_inputs[2], None, *of_parameters


def _sum_of(parts: tuple[Tensor, ...]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)


def _parts(samples: int) -> list[slice]:
    return [slice(start, start + AT_ONCE) for start in range(0, samples, AT_ONCE)]

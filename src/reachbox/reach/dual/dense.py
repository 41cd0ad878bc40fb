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
from reachbox.reach.dual.column_gradients import gradients_of_samples
from reachbox.reach.dual.columns import bound_samples

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
    parameters = torch.cat([part.reshape(-1) for index in plan.nodes for part in _parameters(network, index)])
    centre, radius = DenseBound.apply(box.centre.flatten(1), box.radius.flatten(1), objective, parameters, plan)  # type: ignore[no-untyped-call]
    return centre, radius


def _parameters(network: Network, index: int) -> tuple[Tensor, Tensor]:
    """A layer's weights and biases, 0 where it has none."""
    operator = network.nodes[index].operator
    assert isinstance(operator, Linear)
    weight = resolve(operator.weight)
    return weight, weight.new_zeros(len(weight)) if operator.bias is None else resolve(operator.bias)


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
    """Centre and radius, `(batch, rows)` each, differentiable to centre and radius of the box, objective, parameters.

    Those of the box are `(batch, features)`; `parameters` is each layer's weights and biases, one after the other.
    """

    @staticmethod
    def forward(
        ctx: Any, centre: Tensor, radius: Tensor, objective: Tensor, parameters: Tensor, plan: Plan
    ) -> tuple[Tensor, Tensor]:
        numbers = (np.ascontiguousarray(part.detach().numpy()) for part in (parameters, centre, radius, objective))
        ctx.given = (plan.units, plan.below.astype(parameters.detach().numpy().dtype), *numbers)
        found = np.empty((2, *objective.shape[:2]), ctx.given[1].dtype)
        bound_samples(*ctx.given, *found)
        return torch.from_numpy(found[0]), torch.from_numpy(found[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *of_found: Tensor) -> tuple[Tensor | None, ...]:
        given = (np.ascontiguousarray(part.numpy()) for part in of_found)
        of_parameters, *of_inputs = map(torch.from_numpy, gradients_of_samples(*ctx.given, *given))
        return *of_inputs, of_parameters, None

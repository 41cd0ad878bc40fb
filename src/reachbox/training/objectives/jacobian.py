"""`jacobian`: the task plus the norm of the logits' Jacobian, the paper's jacobM (Jakubovitz and Giryes 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import torch
from torch import Tensor

from reachbox.network import Network
from reachbox.network.capture import as_network
from reachbox.reach.relaxation import tangent
from reachbox.reach.rows import of_objective, substitute
from reachbox.training.objectives.objective import Model
from reachbox.training.objectives.penalty import Penalty


def jacobian_norm(network: Network, x: Tensor, *, keeps_graph: bool = False) -> Tensor:
    """Frobenius norm of the Jacobian of the outputs at each sample, `(batch,)`; the paper's JACOB is its mean.

    `keeps_graph` carries gradients to the weights, which must then be trainable.
    """
    with torch.set_grad_enabled(keeps_graph):
        rows = jacobian(network.to(x.dtype, x.device), x.detach())
        norms: Tensor = torch.linalg.vector_norm(rows.flatten(1), dim=1)
    return norms


def jacobian(network: Network, x: Tensor) -> Tensor:
    """The Jacobian of the outputs at each sample, `(batch, outputs, *input shape)`: the rows of all outputs at once.

    `network` holds weights of the dtype and on the device of `x`.
    """
    values = network.values(x)
    eye = torch.eye(prod(network.output_shape), dtype=x.dtype, device=x.device)
    rows = of_objective(network, eye.expand(len(x), -1, -1))

    def at_point(value: int, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        node = network.nodes[value - 1]
        line, before = tangent(node.operator, values[node.inputs[0]]), network.shape_of(node.inputs[0])
        return line.transposed(coefficients, rows.sample, before), x.new_zeros(len(coefficients))

    found, _ = substitute(network, network.output, rows.coefficients, at_point, with_bias=False)
    return found.reshape(len(x), -1, *x.shape[1:])


@dataclass(frozen=True, eq=False, kw_only=True)
class Jacobian(Penalty):
    """The task's loss + `weight` * the mean over the batch of the Frobenius norm of the logits' Jacobian.

    It flattens the network at the samples themselves; nothing is proven about their surroundings. The Jacobian is
    that of the eval-mode graph. The paper switches the term on after epochs of plain training (Appendix A.1): a
    `weight_warm_up` with `start` equal to `end`.
    """

    name: ClassVar[str] = "jacobian"
    weight: float = 0.1

    def term(self, model: Model, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return jacobian_norm(as_network(model, x), x, keeps_graph=True).mean()

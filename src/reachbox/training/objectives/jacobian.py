"""`jacobian`: the task plus the norm of the logits' Jacobian, the paper's jacobM (Jakubovitz and Giryes 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from reachbox.network import Network
from reachbox.network.capture import as_network
from reachbox.training.objectives.objective import Model
from reachbox.training.objectives.penalty import Penalty


def jacobian_norm(network: Network, x: Tensor, *, keeps_graph: bool = False) -> Tensor:
    """Frobenius norm of the Jacobian of the outputs at each sample, `(batch,)`; the paper's JACOB is its mean.

    `keeps_graph` carries gradients to the weights, which must then be trainable.
    """
    with torch.enable_grad():
        point = x.detach().requires_grad_()
        outputs = network(point).flatten(1).sum(0)
        rows = [
            torch.autograd.grad(output, point, create_graph=keeps_graph, retain_graph=True)[0].flatten(1)
            for output in outputs
        ]
    norms: Tensor = torch.linalg.vector_norm(torch.cat(rows, 1), dim=1)
    return norms


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

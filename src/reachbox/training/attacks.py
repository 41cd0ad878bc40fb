"""Attacks: inputs inside a box that a network misclassifies, found by projected gradient ascent."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.errors import InputError
from reachbox.network import Network

BATCH = 500


@dataclass(frozen=True)
class Attack:
    """Projected gradient descent on the margin (Madry et al. 2018), with `restarts`; an estimate from below.

    Each start takes `steps` steps along the sign of the gradient, of `step_share` of each feature's radius, falling
    to a tenth of it; the first starts at the sample, the others at random points of its box. A sample counts as
    misclassified when any point on the way is, the sample itself included.
    """

    steps: int = 20
    restarts: int = 3
    step_share: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 0 or self.restarts < 1 or self.step_share <= 0:
            found = f"{self.steps}, {self.restarts} and {self.step_share:g}"
            raise InputError(f"attack: steps >= 0, restarts >= 1 and step_share > 0 are needed, found {found}")

    def fools(self, network: Network, box: Box, x: Tensor, y: Tensor) -> Tensor:
        """Whether a misclassified point was found for each sample, bool `(samples,)`.

        `x` are the samples, inside `box`; `y` their labels. Computes in the dtype of `x`.
        """
        generator = torch.Generator().manual_seed(self.seed)
        fooled = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        for restart in range(self.restarts):
            if bool(fooled.all()):
                break
            for part in torch.split((~fooled).nonzero().flatten(), BATCH):
                inside = Box(box.lower[part], box.upper[part])
                begin = _random_point(inside, generator) if restart else x[part]
                fooled[part] = self._climb(network, inside, begin, y[part])
        return fooled

    def _climb(self, network: Network, box: Box, begin: Tensor, y: Tensor) -> Tensor:
        """Whether any point on one ascent is misclassified, bool `(batch,)`."""
        point, fooled = begin, torch.zeros(len(y), dtype=torch.bool, device=y.device)
        for number in range(self.steps + 1):
            logits, gradient = _ascent(network, point, y)
            fooled |= logits.argmax(1) != y
            size = self.step_share * 0.1 ** (number / max(1, self.steps - 1))
            stepped = point + size * box.radius * gradient.sign()
            point = torch.minimum(torch.maximum(stepped, box.lower), box.upper)
        return fooled


def _ascent(network: Network, point: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The logits at a point, and the gradient of the strongest rival's lead over the label."""
    with torch.enable_grad():
        point = point.detach().requires_grad_()
        logits = network(point).flatten(1)
        own = logits.gather(1, y.unsqueeze(1)).squeeze(1)
        rival = logits.scatter(1, y.unsqueeze(1), -torch.inf).amax(1)
        (gradient,) = torch.autograd.grad((rival - own).sum(), point)
    return logits.detach(), gradient


def _random_point(box: Box, generator: torch.Generator) -> Tensor:
    share = torch.rand(box.shape, generator=generator, dtype=box.lower.dtype).to(box.lower.device)
    return box.lower + share * box.width


ATTACK = Attack()
"""The attack behind `PGD_ERR` unless another is given."""

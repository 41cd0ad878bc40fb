"""`robust`: Kolter and Wong's robust cross-entropy, the paper's K&W (Sec. 6.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional

from reachbox.box import ArrayLike, Box
from reachbox.certify import margin_objective
from reachbox.network.capture import as_network
from reachbox.reach import Method, reach
from reachbox.training.objectives.objective import Loss, Model, Objective, check_differentiable, given
from reachbox.training.objectives.plain import TASK, Plain
from reachbox.training.schedule import ALWAYS, WarmUp


def robust_cross_entropy(margin: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the worst logits that the margins allow, the mean over the batch (Kolter and Wong 2018).

    `margin` `(batch, classes)` bounds `y_label - y_j` from below, and is 0 at the label: a sound upper bound of the
    cross-entropy over the whole box, the paper's ADV_LOSS.
    """
    return functional.cross_entropy(-margin, labels)


@dataclass(frozen=True, eq=False)
class Robust(Objective):
    """The robust cross-entropy at `radius`, instead of the plain one, + the l2 part of `task`.

    Choose it where ADV_ERR is all that matters: it optimises the proven margins themselves. `method` is `dual` as in
    Kolter and Wong, `interval` for interval bound training, or `crown`. `radius` is a number or one per feature, in
    the network's units; without `radius_warm_up`, through `at(epoch)`, a large one stalls.
    Parts: `robust_cross_entropy`, `l2`.
    """

    name: ClassVar[str] = "robust"
    radius: ArrayLike
    method: str | Method = "dual"
    radius_warm_up: WarmUp = ALWAYS
    within: tuple[float, float] | None = None
    task: Plain = TASK

    def __post_init__(self) -> None:
        check_differentiable(self.method)

    def at(self, epoch: float) -> Self:
        radius = given(self.radius) * self.radius_warm_up.share(epoch)
        return replace(self, radius=radius, radius_warm_up=ALWAYS, task=self.task.at(epoch))

    def begin(self, model: Model, x: Tensor) -> Self:
        radius = given(self.radius).to(x.device)
        return replace(self, radius=radius, task=self.task.begin(model, x))

    def __call__(self, model: Model, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> Loss:
        network, box = as_network(model, x), Box.around(x, self.radius, self.within)
        margins = margin_objective(y, prod(network.output_shape))
        found = reach(network, box, self.method, objective=margins, dtype=x.dtype)
        return Loss({"robust_cross_entropy": robust_cross_entropy(found.lower, y), **self.task.penalty(model)})

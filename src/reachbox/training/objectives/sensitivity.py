"""`sensitivity`: the task plus the volume of the output box of each sample (paper, Sec. 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

from reachbox.box import ArrayLike, Box, as_tensor
from reachbox.errors import InputError
from reachbox.network.capture import as_network
from reachbox.reach import Method, reach
from reachbox.training.objectives.objective import Model, check_differentiable
from reachbox.training.objectives.penalty import Penalty
from reachbox.training.schedule import ALWAYS, WarmUp

Form = Literal["product", "log_volume", "geometric_width"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sensitivity(Penalty):
    """The task's loss + `weight` * the mean over the batch of a form of each sample's sensitivity `S = prod widths`.

    `form`: `product` is `S` itself (the paper's, Eq. 7), kept in log space until it is a float64 number;
    `geometric_width` is `S ** (1 / outputs)`, which needs no tiny weight and no schedule; `log_volume` is `log S`,
    which rewards a collapsed network without limit: keep its weight small. `method` is any differentiable one:
    `dual` is the paper's, `interval` cheaper. `radius` is a number or one per feature, in the network's units.
    `subsample` takes the penalty on that share of each batch, drawn by the call's generator: an unbiased estimate.
    `weight_warm_up` and `radius_warm_up` apply through `at(epoch)`. `within` clips the input box.
    """

    name: ClassVar[str] = "sensitivity"
    radius: ArrayLike
    weight: float = 1e-6
    form: Form = "product"
    method: str | Method = "dual"
    subsample: float = 1.0
    radius_warm_up: WarmUp = ALWAYS
    within: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in FORMS:
            raise InputError(f"form: {', '.join(FORMS)} are allowed, found {self.form!r}")
        if not 0 < self.subsample <= 1:
            raise InputError(f"subsample: a share above 0 and up to 1 is allowed, found {self.subsample:g}")
        check_differentiable(self.method)

    def at(self, epoch: float) -> Self:
        radius = as_tensor(self.radius, "radius") * self.radius_warm_up.share(epoch)
        return replace(super().at(epoch), radius=radius, radius_warm_up=ALWAYS)

    def term(self, model: Model, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        chosen = x if self.subsample == 1 else x[drawn(len(x), self.subsample, generator)]
        box = Box.around(chosen, self.radius, self.within)
        found = reach(as_network(model, x), box, self.method, dtype=x.dtype)
        # Float64: a product of ten widths soon leaves float32.
        return FORMS[self.form](found.log_volume.double(), found.width.shape[1]).mean()


def _product(log_volume: Tensor, outputs: int) -> Tensor:
    return log_volume.exp()


def _geometric_width(log_volume: Tensor, outputs: int) -> Tensor:
    return (log_volume / outputs).exp()


def _log_volume(log_volume: Tensor, outputs: int) -> Tensor:
    """A sample of zero volume counts nothing: its logarithm has no gradient."""
    return torch.where(log_volume > -inf, log_volume, torch.zeros_like(log_volume))


FORMS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "product": _product,
    "log_volume": _log_volume,
    "geometric_width": _geometric_width,
}


def drawn(batch: int, share: float, generator: torch.Generator | None) -> Tensor:
    """Indices of a share of a batch, at least one sample; every subset of that size is as likely as any other."""
    if generator is None:
        raise InputError("subsample: a share below 1 is drawn at random; pass a torch.Generator to the call")
    return torch.randperm(batch, generator=generator)[: max(1, round(share * batch))]

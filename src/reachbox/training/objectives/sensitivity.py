"""`sensitivity`: the task plus the volume of the output box of each sample (paper, Sec. 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, prod
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor
from torch.nn import functional

from reachbox.box import ArrayLike, Box, log_volume_of
from reachbox.certify import margin_objective
from reachbox.errors import InputError
from reachbox.network import Network
from reachbox.network.capture import as_network
from reachbox.reach import Method, Reach, reach
from reachbox.training.objectives.objective import Model, check_differentiable, given
from reachbox.training.objectives.penalty import Penalty
from reachbox.training.processes import present_part
from reachbox.training.schedule import ALWAYS, WarmUp

Form = Literal["product", "log_volume", "geometric_width"]
Of = Literal["outputs", "margins", "log_probability"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sensitivity(Penalty):
    """The task's loss + `weight` * the mean over the batch of a form of each sample's sensitivity `S = prod widths`.

    `form`: `product` is `S` itself (the paper's, Eq. 7), kept in log space until it is a float64 number;
    `geometric_width` is `S ** (1 / widths)`, which needs no tiny weight and no schedule; `log_volume` is `log S`,
    which rewards a collapsed network without limit: keep its weight small. `of` is whose widths: those of the
    `outputs`, as in the paper; of the `margins` between the label and each other class, which leaves out what all
    outputs have in common and so changes no answer; or, with a softmax as the network's last layer, the single width
    of the label's `log_probability`, which weighs the margins by how much is at stake. `method` is any differentiable
    one: `dual` is the paper's, `interval` cheaper. `radius` is a number or one per feature, in the network's units.
    `subsample` takes the penalty on that share of each batch, drawn by the call's generator: an unbiased estimate.
    `weight_warm_up` and `radius_warm_up` apply through `at(epoch)`. `within` clips the input box.
    """

    name: ClassVar[str] = "sensitivity"
    radius: ArrayLike
    weight: float = 1e-6
    form: Form = "product"
    of: Of = "outputs"
    method: str | Method = "dual"
    subsample: float = 1.0
    radius_warm_up: WarmUp = ALWAYS
    within: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in FORMS:
            raise InputError(f"form: {', '.join(FORMS)} are allowed, found {self.form!r}")
        if self.of not in WIDTHS:
            raise InputError(f"of: {', '.join(WIDTHS)} are allowed, found {self.of!r}")
        if not 0 < self.subsample <= 1:
            raise InputError(f"subsample: a share above 0 and up to 1 is allowed, found {self.subsample:g}")
        check_differentiable(self.method)

    def at(self, epoch: float) -> Self:
        radius = given(self.radius) * self.radius_warm_up.share(epoch)
        return replace(super().at(epoch), radius=radius, radius_warm_up=ALWAYS)

    def begin(self, model: Model, x: Tensor) -> Self:
        return replace(super().begin(model, x), radius=given(self.radius).to(x.device))

    def term(self, model: Model, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        if self.subsample == 1:
            return self._of_samples(as_network(model, x), x, y).mean()
        chosen, share = drawn(len(x), self.subsample, generator)
        if not len(chosen):
            return x.new_zeros(())
        chosen = chosen.to(x.device, non_blocking=True)
        return self._of_samples(as_network(model, x), x[chosen], y[chosen]).sum() * share

    def _of_samples(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """The form of each sample's sensitivity, `(batch,)`, float64: a product of ten widths soon leaves float32."""
        width = WIDTHS[self.of](network, Box.around(x, self.radius, self.within), y, self.method)
        return FORMS[self.form](log_volume_of(width).double(), width.shape[1])


def _of_outputs(network: Network, box: Box, labels: Tensor, method: str | Method) -> Tensor:
    return reach(network, box, method, dtype=box.lower.dtype).width


def _of_margins(network: Network, box: Box, labels: Tensor, method: str | Method) -> Tensor:
    return _margins(network, box, labels, method).width


def _of_log_probability(network: Network, box: Box, labels: Tensor, method: str | Method) -> Tensor:
    """`log p = -log(1 + sum exp(-margin))` rises with every margin, so the ends of the margins give its ends."""
    found = _margins(network, box, labels, method)
    least, most = (-functional.softplus(torch.logsumexp(-end, 1, keepdim=True)) for end in (found.lower, found.upper))
    return most - least


WIDTHS: dict[str, Callable[[Network, Box, Tensor, str | Method], Tensor]] = {
    "outputs": _of_outputs,
    "margins": _of_margins,
    "log_probability": _of_log_probability,
}


def _margins(network: Network, box: Box, labels: Tensor, method: str | Method) -> Reach:
    """The range of each margin of each sample, `(batch, classes - 1)`."""
    rows = other_margins(labels, prod(network.output_shape)).to(box.lower)
    return reach(network, box, method, objective=rows, dtype=box.lower.dtype)


def other_margins(labels: Tensor, classes: int) -> Tensor:
    """The objectives `e_label - e_j` of each sample for every class `j` but its own, `(batch, others, classes)`."""
    number = torch.arange(classes - 1, device=labels.device)
    others = number + (number >= labels.unsqueeze(1))
    return margin_objective(labels, classes).take_along_dim(others.unsqueeze(2), 1)


def _product(log_volume: Tensor, widths: int) -> Tensor:
    return log_volume.exp()


def _geometric_width(log_volume: Tensor, widths: int) -> Tensor:
    return (log_volume / widths).exp()


def _log_volume(log_volume: Tensor, widths: int) -> Tensor:
    """A sample of zero volume counts nothing: its logarithm has no gradient."""
    return torch.where(log_volume > -inf, log_volume, torch.zeros_like(log_volume))


FORMS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "product": _product,
    "log_volume": _log_volume,
    "geometric_width": _geometric_width,
}


def drawn(samples: int, share: float, generator: torch.Generator | None) -> tuple[Tensor, float]:
    """Indices of a share of a batch, at least one sample; every subset of that size is as likely as any other.

    With them the weight of each, which makes the weighted sum the mean over those drawn. Where the samples are one
    process's part of a mini-batch, it is drawn from the whole, and the mean over the processes is that mean.
    """
    if generator is None:
        raise InputError("subsample: a share below 1 is drawn at random; pass a torch.Generator to the call")
    part = present_part(samples)
    chosen = torch.randperm(part.total, generator=generator)[: max(1, round(share * part.total))]
    return part.places(chosen), part.total / (samples * len(chosen))

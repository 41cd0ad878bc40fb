"""How far each feature may move."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reachbox.data import Dataset
from reachbox.errors import InputError


@dataclass(frozen=True)
class Radius:
    """`eps`, a number for every feature or one each, or `sigma`, a share of each feature's range; `within` clips."""

    eps: tuple[float, ...] | None = None
    sigma: float | None = None
    within: tuple[float, float] | None = None

    @classmethod
    def of(cls, eps: str | None, sigma: float | None, within: str | None = None) -> Radius:
        """From the words of the command line, `0.1` or `0.1,0.2,0.3`; `InputError` for what is not a number."""
        limits = None if within is None else _numbers("within", within)
        if limits is not None and len(limits) != 2:
            raise InputError(f"within: two numbers LOW,HIGH are needed, found {within!r}")
        return cls(
            eps=None if eps is None else _numbers("eps", eps),
            sigma=sigma,
            within=None if limits is None else (limits[0], limits[1]),
        )

    @property
    def is_given(self) -> bool:
        """Whether there is a radius at all."""
        return self.eps is not None or self.sigma is not None

    @property
    def clipped(self) -> str:
        """Whether boxes are clipped, in words that follow those of the radius."""
        return "" if self.within is None else f", within {self.within[0]:g} to {self.within[1]:g}"

    def in_units_of(self, dataset: Dataset) -> tuple[Tensor, str]:
        """The radius of each of a data set's features, in the network's units, and in words which radius that is."""
        eps = self.eps[0] if self.eps is not None and len(self.eps) == 1 else self.eps
        return dataset.radius(eps, self.sigma), dataset.describe_radius(eps, self.sigma) + self.clipped

    def plain(self, shape: tuple[int, ...]) -> tuple[Tensor, str]:
        """The radius without a data set, for inputs of `shape`, and in words which radius that is."""
        if self.sigma is not None:
            raise InputError("sigma: is a share of a data set's range; say which (--data), or give --eps instead")
        if self.eps is None:
            raise InputError("radius: none is given; say --eps E, or --sigma S with --data NAME")
        features = torch.Size(shape).numel()
        if len(self.eps) not in (1, features):
            raise InputError(
                f"eps: a number, or one for each of {features} features, is allowed; found {len(self.eps)}"
            )
        each = torch.tensor(self.eps, dtype=torch.float64).expand(features).reshape(shape)
        words = f"{self.eps[0]:g} for every feature"
        if len(self.eps) > 1:
            words = f"{min(self.eps):g} to {max(self.eps):g}, one per feature"
        return each, f"eps {words}{self.clipped}"


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise InputError(f"{option}: a number, or several with commas between, is needed, found {text!r}") from None

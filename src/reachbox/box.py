"""An axis-aligned box for each sample: the set of inputs that a perturbation can reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from reachbox.checks import all_finite, demand, is_seen_finite, together
from reachbox.errors import InputError

ArrayLike: TypeAlias = "Tensor | npt.NDArray[np.generic] | float | Sequence[ArrayLike]"


def as_tensor(values: ArrayLike, name: str, like: Tensor | None = None) -> Tensor:
    """`values` as a floating-point tensor: tensors keep their dtype and graph, everything else becomes float64."""
    if isinstance(values, Tensor):
        tensor = values if values.is_floating_point() else values.double()
    else:
        try:
            tensor = torch.as_tensor(np.asarray(values, dtype=np.float64))
        except (TypeError, ValueError) as error:
            raise InputError(f"{name}: numbers in a rectangular array are needed, found {error}") from None
    if not is_seen_finite(tensor):
        demand(all_finite(tensor), lambda: InputError(f"{name}: every entry must be finite, found NaN or infinity"))
    return tensor if like is None else tensor.to(device=like.device, dtype=like.dtype)


def log_volume_of(width: Tensor) -> Tensor:
    """Natural logarithm of the product of the widths of each sample.

    Shape `(batch, ...)` to `(batch,)`. A zero width gives `-inf`, with a gradient of zero instead of NaN.
    """
    positive = width > 0
    logs = torch.where(positive, width, torch.ones_like(width)).log()
    return torch.where(positive, logs, torch.full_like(logs, -torch.inf)).flatten(1).sum(1)


@dataclass(frozen=True)
class Box:
    """All points between `lower` and `upper`, one box a sample; both `(batch, *features)`.

    Raises `InputError` for shapes that differ, an empty batch, entries that are not finite, or `lower > upper`.

    >>> Box([[0.0, 1.0]], [[2.0, 1.0]]).width
    tensor([[2., 0.]], dtype=torch.float64)
    """

    lower: Tensor
    upper: Tensor

    def __init__(self, lower: ArrayLike, upper: ArrayLike) -> None:
        with together():
            low, high = self._checked(lower, upper)
        object.__setattr__(self, "lower", low)
        object.__setattr__(self, "upper", high)

    @staticmethod
    def _checked(lower: ArrayLike, upper: ArrayLike) -> tuple[Tensor, Tensor]:
        low = as_tensor(lower, "box: lower")
        high = as_tensor(upper, "box: upper", like=low)
        if low.shape != high.shape:
            raise InputError(f"box: lower has shape {tuple(low.shape)} and upper {tuple(high.shape)}; they must agree")
        if low.ndim < 2 or low.numel() == 0:
            raise InputError(f"box: at least one sample and one feature are needed, found shape {tuple(low.shape)}")

        def crossed() -> InputError:
            where = tuple(int(i) for i in (low > high).nonzero()[0])
            return InputError(f"box: lower > upper at index {where}: {low[where]:.17g} > {high[where]:.17g}")

        demand((low <= high).all(), crossed)
        return low, high

    @classmethod
    def trusted(cls, lower: Tensor, upper: Tensor) -> Box:
        """The box of tensors that have been checked, as parts of another box have."""
        box = object.__new__(cls)
        object.__setattr__(box, "lower", lower)
        object.__setattr__(box, "upper", upper)
        return box

    @classmethod
    def around(cls, x: ArrayLike, radius: ArrayLike, within: tuple[float, float] | None = None) -> Box:
        """The box of all points whose feature `v` is within `radius[v]` of `x`.

        `x` is `(batch, *features)`. `radius` is a number, one per feature (`features`), or one per sample and
        feature; it is never negative. `within=(0, 1)` clips the box to a valid range, such as that of pixels;
        `x` itself must lie inside it.
        """
        with together():
            return cls._around(as_tensor(x, "x"), radius, within)

    @classmethod
    def _around(cls, centre: Tensor, radius: ArrayLike, within: tuple[float, float] | None) -> Box:
        reach = as_tensor(radius, "radius", like=centre)
        demand((reach >= 0).all(), lambda: InputError(f"radius: must not be negative, found {float(reach.min()):.17g}"))
        if reach.ndim and reach.shape not in (centre.shape, centre.shape[1:], (1, *centre.shape[1:])):
            raise InputError(
                f"radius: a number, one per feature {tuple(centre.shape[1:])} or one per sample and feature "
                f"{tuple(centre.shape)} is allowed, found shape {tuple(reach.shape)}"
            )
        lower, upper = centre - reach, centre + reach
        if within is None:
            return cls(lower, upper)
        low, high = within
        if not low <= high:
            raise InputError(f"within: the first number must not exceed the second, found {within}")

        def outside() -> InputError:
            found = f"{float(centre.min()):.17g} to {float(centre.max()):.17g}"
            return InputError(f"within: x must lie inside {within}, found {found}")

        demand(((centre >= low) & (centre <= high)).all(), outside)
        return cls(lower.clamp(min=low), upper.clamp(max=high))

    @property
    def shape(self) -> tuple[int, ...]:
        """`(batch, *features)`."""
        return tuple(self.lower.shape)

    @property
    def centre(self) -> Tensor:
        """The midpoint, `(batch, *features)`."""
        return self.lower + (self.upper - self.lower) / 2

    @property
    def radius(self) -> Tensor:
        """Half of the width, `(batch, *features)`."""
        return (self.upper - self.lower) / 2

    @property
    def width(self) -> Tensor:
        """`upper - lower`, `(batch, *features)`."""
        return self.upper - self.lower

    @property
    def log_volume(self) -> Tensor:
        """Natural logarithm of the volume of each box, `(batch,)`; `-inf` where a width is zero."""
        return log_volume_of(self.width)

    def contains(self, x: ArrayLike) -> Tensor:
        """Whether each sample's point lies in its box, bool `(batch,)`."""
        point = as_tensor(x, "x", like=self.lower)
        if point.shape[1:] != self.lower.shape[1:]:
            raise InputError(f"x: shape {tuple(point.shape)} does not fit a box of shape {self.shape}")
        return ((self.lower <= point) & (point <= self.upper)).flatten(1).all(1)

    def to(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> Box:
        """The same box in another dtype or on another device."""
        lower, upper = (bound.to(dtype=dtype, device=device) for bound in (self.lower, self.upper))
        return self if lower is self.lower and upper is self.upper else Box(lower, upper)


def check_box(box: object) -> None:
    """Raises `InputError` for what is no `Box`."""
    if not isinstance(box, Box):
        raise InputError(f"box: a reachbox.Box is needed, such as Box.around(x, radius), found {type(box).__name__}")

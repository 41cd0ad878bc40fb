"""Elementwise activations: ReLU with any slope below zero, sigmoid, tanh."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from reachbox.network.operators.operator import Activation


@dataclass(frozen=True, eq=False)
class Relu(Activation):
    """`max(z, 0) + negative_slope * min(z, 0)`: ReLU, or LeakyReLU where the slope below zero is not 0."""

    negative_slope: float = 0.0

    @property
    def name(self) -> str:
        return "LeakyRelu" if self.negative_slope else "Relu"

    @property
    def slopes(self) -> tuple[float, float]:
        return min(self.negative_slope, 1.0), max(self.negative_slope, 1.0)

    @property
    def is_convex(self) -> bool:
        return self.negative_slope <= 1

    @property
    def is_concave(self) -> bool:
        return self.negative_slope >= 1

    def forward(self, *inputs: Tensor) -> Tensor:
        z = inputs[0]
        return z.relu() + self.negative_slope * z.clamp(max=0) if self.negative_slope else z.relu()

    def derivative(self, z: Tensor) -> Tensor:
        return torch.where(z > 0, torch.ones_like(z), self.negative_slope)

    def curved(self, lower: Tensor, upper: Tensor) -> Tensor:
        return (lower < 0) & (upper > 0)

    def chord(self, lower: Tensor, upper: Tensor) -> Tensor:
        # d = (1 + a) / 2 + (1 - a) c / (2 rho), written as the share of the interval above zero.
        above, below = upper.clamp(min=0), (-lower).clamp(min=0)
        curved, total = self.curved(lower, upper), above + below
        divides = curved & (total >= torch.finfo(total.dtype).tiny)  # below that a gradient would overflow
        share = above / torch.where(divides, total, torch.ones_like(total))
        fixed = torch.where(curved, (above / total).detach(), (lower >= 0).to(share.dtype))
        share = torch.where(divides, share, fixed)
        return self.negative_slope + (1 - self.negative_slope) * share

    def extremes(self, slope: Tensor, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        ends = self.forward(lower) - slope * lower, self.forward(upper) - slope * upper
        least, most = torch.minimum(*ends), torch.maximum(*ends)
        kink = self.curved(lower, upper)
        return torch.where(kink, least.clamp(max=0), least), torch.where(kink, most.clamp(min=0), most)

    def range(self, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        rises = self.negative_slope >= 0
        return (self.forward(lower), self.forward(upper)) if rises else super().range(lower, upper)

    def tight_slopes(self, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        chord = self.chord(lower, upper)
        steeper = torch.where(upper > -lower, torch.ones_like(chord), self.negative_slope)
        tangent = torch.where(self.curved(lower, upper), steeper, chord)
        return (tangent, chord) if self.negative_slope <= 1 else (chord, tangent)


class Sigmoidal(Activation):
    """A bounded increasing function, convex below zero and concave above it, point-symmetric about zero."""

    def curved(self, lower: Tensor, upper: Tensor) -> Tensor:
        return lower < upper

    @abstractmethod
    def turning_point(self, slope: Tensor) -> Tensor:
        """The `z >= 0` at which the derivative equals `slope`; 0 where no such point exists."""

    @abstractmethod
    def second_derivative(self, z: Tensor) -> Tensor:
        """The second derivative of `f`."""

    def extremes(self, slope: Tensor, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        turn = self.turning_point(slope)
        points = (lower, upper, turn.clamp(min=lower, max=upper), (-turn).clamp(min=lower, max=upper))
        strays = torch.stack([self.forward(point) - slope * point for point in points])
        return strays.amin(0), strays.amax(0)

    def range(self, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        return self.forward(lower), self.forward(upper)

    def tight_slopes(self, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        # The line above is the mirror image of the line below, because f(-z) = const - f(z).
        return self._slope_below(lower, upper), self._slope_below(-upper, -lower)

    def _slope_below(self, lower: Tensor, upper: Tensor) -> Tensor:
        """Slope of a line below `f`: a tangent in the convex part, the chord where it lies below."""
        convex = upper <= 0
        chord = self.chord(lower, upper)
        middle = self.derivative(lower + (upper - lower) / 2)
        touching = self.derivative(self._touching_point(lower, upper))
        return torch.where(convex, middle, torch.where(self.derivative(lower) >= chord, chord, touching))

    def _touching_point(self, lower: Tensor, upper: Tensor) -> Tensor:
        """The `t` in `[lower, 0]` whose tangent meets the graph again at `upper > 0`.

        Found by bisection; one Newton step with its graph kept gives the exact derivative with respect to `upper`.
        """

        def excess(t: Tensor, end: Tensor) -> Tensor:
            return self.forward(t) + self.derivative(t) * (end - t) - self.forward(end)

        with torch.no_grad():
            low, high = torch.minimum(lower, torch.zeros_like(lower)), torch.zeros_like(lower)
            for _ in range(60):
                middle = (low + high) / 2
                above = excess(middle, upper) > 0
                low, high = torch.where(above, low, middle), torch.where(above, middle, high)
            pitch = self.second_derivative(low) * (upper - low)
            pitch = torch.where(pitch.abs() > 1e-12, pitch, torch.full_like(pitch, torch.inf))
        return low - excess(low, upper) / pitch


@dataclass(frozen=True, eq=False)
class Sigmoid(Sigmoidal):
    """`1 / (1 + exp(-z))`."""

    slopes: ClassVar[tuple[float, float]] = (0.0, 0.25)

    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].sigmoid()

    def derivative(self, z: Tensor) -> Tensor:
        return z.sigmoid() * (-z).sigmoid()

    def second_derivative(self, z: Tensor) -> Tensor:
        return self.derivative(z) * ((-z).sigmoid() - z.sigmoid())

    def turning_point(self, slope: Tensor) -> Tensor:
        # s (1 - s) = slope with s = 1 / (1 + exp(-z)); in terms of tanh(z / 2) it is 1 - tanh^2 = 4 slope.
        return 2 * _inverse_of_tanh_derivative(4 * slope)


@dataclass(frozen=True, eq=False)
class Tanh(Sigmoidal):
    """Hyperbolic tangent."""

    slopes: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].tanh()

    def derivative(self, z: Tensor) -> Tensor:
        # 1 - tanh^2 cancels for large |z|; 4 s(2z) s(-2z) does not.
        return 4 * (2 * z).sigmoid() * (-2 * z).sigmoid()

    def second_derivative(self, z: Tensor) -> Tensor:
        return -2 * z.tanh() * self.derivative(z)

    def turning_point(self, slope: Tensor) -> Tensor:
        return _inverse_of_tanh_derivative(slope)


def _inverse_of_tanh_derivative(slope: Tensor) -> Tensor:
    """The `z >= 0` with `1 - tanh(z)^2 = slope`; 0 for slopes of 1 and more, large for slopes near 0."""
    tiny = torch.finfo(slope.dtype).tiny
    inside = (slope < 1) & (slope > 0)
    safe = torch.where(inside, slope, torch.full_like(slope, 0.5)).clamp(min=tiny)
    root = (1 - safe).sqrt()
    # atanh(root) = log((1 + root) / (1 - root)) / 2 and (1 - root)(1 + root) = slope.
    turn = (1 + root).log() - safe.log() / 2
    return torch.where(inside, turn, torch.where(slope >= 1, torch.zeros_like(turn), torch.full_like(turn, 400.0)))

"""Nonlinear operators between lines: a parallel pair for `dual`, the tightest single lines for `crown` and `alpha`."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from reachbox.errors import UnsupportedError
from reachbox.network.operators import Activation, MaxPool, Operator, Shape
from reachbox.reach.rows import row_sum


@dataclass(frozen=True)
class Line:
    """`slope * z + offset` for each unit of each sample, `(batch, *output shape)`.

    Where `source` is given, `z` is the element of the flattened input that it names (int64, like `slope`).
    """

    slope: Tensor
    offset: Tensor
    source: Tensor | None = None

    def value(self, z: Tensor) -> Tensor:
        """The line's value at a batch of inputs."""
        return self.slope * (z if self.source is None else pick(z, self.source)) + self.offset

    def of_rows(self, sample: Tensor) -> Line:
        """The line of each row's sample."""
        source = None if self.source is None else self.source[sample]
        return Line(self.slope[sample], self.offset[sample], source)

    def transposed(self, rows: Tensor, sample: Tensor, before: Shape) -> Tensor:
        """`rows` over the line's values as rows over `z`."""
        scaled = rows * self.slope[sample]
        if self.source is None:
            return scaled
        spread = rows.new_zeros(len(rows), prod(before))
        return spread.scatter_add(1, self.source[sample].flatten(1), scaled.flatten(1)).reshape(-1, *before)


@dataclass(frozen=True)
class Band:
    """`line - radius <= f(z) <= line + radius`: two parallel lines around a nonlinear operator."""

    line: Line
    radius: Tensor


@dataclass(frozen=True)
class Lines:
    """`lower <= f(z) <= upper`: a line below and a line above."""

    lower: Line
    upper: Line

    def above(self, rows: Tensor, sample: Tensor, before: Shape) -> tuple[Tensor, Tensor]:
        """An upper bound of `rows f(z)` as rows over `z` and a constant: the line is chosen by each entry's sign."""
        positive, negative = rows.clamp(min=0), rows.clamp(max=0)
        constant = row_sum(positive * self.upper.offset[sample] + negative * self.lower.offset[sample])
        if self.lower.source is None and self.upper.source is None:
            return positive * self.upper.slope[sample] + negative * self.lower.slope[sample], constant
        upper = self.upper.transposed(positive, sample, before)
        return upper + self.lower.transposed(negative, sample, before), constant


def pick(z: Tensor, source: Tensor) -> Tensor:
    """Elements of each sample's flattened features."""
    return z.flatten(1).gather(1, source.flatten(1)).reshape(source.shape)


def band(operator: Operator, lower: Tensor, upper: Tensor) -> Band:
    """The parallel lines of slope `chord` that touch the graph over `[lower, upper]`.

    For ReLU these are Kolter and Wong's `u / (u - l) z` and `u / (u - l) (z - l)`. For MaxPool see `_pool_band`.
    """
    if isinstance(operator, Activation):
        slope = operator.chord(lower, upper)
        least, most = operator.extremes(slope, lower, upper)
        return Band(Line(slope, (least + most) / 2), (most - least) / 2)
    if isinstance(operator, MaxPool):
        return _pool_band(operator, lower, upper)
    raise UnsupportedError(f"no parallel lines are known for operator {operator.name}")


def tight_lines(operator: Operator, lower: Tensor, upper: Tensor) -> Lines:
    """The line below and the line above with the operator's own good slopes (CROWN)."""
    if isinstance(operator, Activation):
        return lines_of_slope(operator, *operator.tight_slopes(lower, upper), lower, upper)
    if isinstance(operator, MaxPool):
        return _pool_lines(operator, lower, upper)
    raise UnsupportedError(f"no linear bounds are known for operator {operator.name}")


def lines_of_slope(operator: Activation, below: Tensor, above: Tensor, lower: Tensor, upper: Tensor) -> Lines:
    """The tightest lines of the given slopes; any slopes give sound lines."""
    least = operator.extremes(below, lower, upper)[0]
    most = operator.extremes(above, lower, upper)[1]
    return Lines(Line(below, least), Line(above, most))


def operator_range(operator: Operator, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """The exact range of each of the operator's results when its inputs range over a box."""
    if isinstance(operator, Activation):
        return operator.range(lower, upper)
    if isinstance(operator, MaxPool):
        return operator.forward(lower), operator.forward(upper)
    raise UnsupportedError(f"no range is known for operator {operator.name}")


def tangent(operator: Operator, z: Tensor) -> Line:
    """The linear part of an operator at a point, without offset: a derivative, or a pool's largest element."""
    if isinstance(operator, Activation):
        slope = operator.derivative(z)
        return Line(slope, torch.zeros_like(slope))
    if isinstance(operator, MaxPool):
        windows = operator.windows_on(z.device).clamp(min=0)
        inside = operator.gather(z, -torch.inf)
        largest = inside.argmax(-1, keepdim=True)
        source = windows.expand(inside.shape).gather(-1, largest).squeeze(-1)
        ones = torch.ones_like(source, dtype=z.dtype)
        return Line(ones, torch.zeros_like(ones), source)
    raise UnsupportedError(f"no derivative is known for operator {operator.name}")


def curved(operator: Operator, lower: Tensor, upper: Tensor) -> Tensor:
    """Which of the operator's inputs need tight bounds: those over whose range it is not affine, bool."""
    if isinstance(operator, Activation):
        return operator.curved(lower, upper)
    return torch.ones_like(lower, dtype=torch.bool)


def _window(operator: MaxPool, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bounds of each window's elements, `(batch, *output, window)`, and each element's place in the flat input."""
    windows = operator.windows_on(lower.device)
    return operator.gather(lower, -torch.inf), operator.gather(upper, -torch.inf), windows.clamp(min=0)


def _strongest(operator: MaxPool, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Of each window the element with the largest upper bound: its place, its bounds, and the rivals' best bounds."""
    low, high, windows = _window(operator, lower, upper)
    first = high.argmax(-1, keepdim=True)
    rivals = torch.zeros_like(high, dtype=torch.bool).scatter(-1, first, True)
    source = windows.expand(high.shape).gather(-1, first).squeeze(-1)
    rival_low = low.masked_fill(rivals, -torch.inf).amax(-1)
    rival_high = high.masked_fill(rivals, -torch.inf).amax(-1)
    return source, low.gather(-1, first).squeeze(-1), high.gather(-1, first).squeeze(-1), rival_low, rival_high


def _pool_band(operator: MaxPool, lower: Tensor, upper: Tensor) -> Band:
    """The narrowest pair of parallel lines in the element `z` with the largest upper bound.

    `max(z, rivals) - s z` is at most `max(m - s l, (1 - s) u)` for rivals of at most `m`, and at least
    `(1 - s) max(l, L)` for rivals of at least `L`. The gap is least at `s = (u - m) / (u - l)`, clipped to [0, 1]:
    with `m = L = 0` this is the rule for ReLU.
    """
    source, low, high, rival_low, rival_high = _strongest(operator, lower, upper)
    wins = rival_high <= low  # also where the window holds one element only
    width = torch.where(high > low, high - low, torch.ones_like(high))
    share = ((high - torch.where(wins, low, rival_high)) / width).clamp(0, 1)
    slope = torch.where(wins, torch.ones_like(share), share)
    most = torch.maximum(torch.where(wins, low, rival_high) - slope * low, (1 - slope) * high)
    least = (1 - slope) * torch.maximum(low, rival_low)
    most, least = (torch.where(wins, torch.zeros_like(end), end) for end in (most, least))
    return Band(Line(slope, (least + most) / 2, source), (most - least) / 2)


def _pool_lines(operator: MaxPool, lower: Tensor, upper: Tensor) -> Lines:
    """Above: the upper line of the band. Below: the element with the largest lower bound."""
    above = _pool_band(operator, lower, upper)
    low, _, windows = _window(operator, lower, upper)
    best = low.argmax(-1, keepdim=True)
    source = windows.expand(low.shape).gather(-1, best).squeeze(-1)
    below = Line(torch.ones_like(above.radius), torch.zeros_like(above.radius), source)
    return Lines(below, Line(above.line.slope, above.line.offset + above.radius, above.line.source))

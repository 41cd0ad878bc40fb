"""One side of one output as a maximum, and what is known of it before a solver is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.network import Network
from reachbox.reach.crown import Crown
from reachbox.reach.dual import Dual
from reachbox.reach.interval import Interval
from reachbox.reach.program import Floats
from reachbox.reach.sampled import Sampled

SIGNS = np.array([-1.0, 1.0])
"""The lower side of a row is the maximum of its negative."""


@dataclass(frozen=True)
class Side:
    """A maximum: `row @ outputs` is at most `outer` over the box; `inner` is attained at `point` `(inputs,)`."""

    row: Floats
    outer: float
    inner: float
    point: Floats
    status: str = "timeout"

    @property
    def gap(self) -> float:
        """How far the proven bound lies above the attained value."""
        return self.outer - self.inner

    def lowered(self, outer: float) -> Side:
        """The side with another bound, if that is better; never below what is attained."""
        return replace(self, outer=max(min(self.outer, outer), self.inner))

    def raised(self, inner: float, point: Floats) -> Side:
        """The side with another attained value, if that is better; a bound that it passes by rounding gives way."""
        return self if inner <= self.inner else replace(self, inner=inner, point=point, outer=max(self.outer, inner))


@dataclass(frozen=True)
class Instance:
    """One sample: the network and its box."""

    network: Network
    lower: Floats
    upper: Floats

    def with_point(self, side: Side, point: Floats) -> Side:
        """The side after an input that a solver names: moved into the box and evaluated by the network itself."""
        inside = np.clip(point, self.lower, self.upper)
        with torch.no_grad():
            outputs = self.network(torch.from_numpy(inside).reshape(1, *self.network.input_shape)).flatten()
        return side.raised(float(side.row @ outputs.numpy()), inside)


def known_sides(network: Network, box: Box, objective: Tensor, attains: bool) -> list[list[Side]]:
    """Each sample's sides, row by row and lower before upper, with our own bounds and, if it `attains`, inner values.

    Both ends come from `interval`, `dual` and `crown`, whichever is tightest, and from `sampled`.
    """
    bounds = [method.bound(network, box, objective) for method in (Interval(), Dual(engine="graph"), Crown())]
    low = torch.stack([found.lower for found in bounds]).amax(0).numpy()
    high = torch.stack([found.upper for found in bounds]).amin(0).numpy()
    outer = np.stack([-np.minimum(low, high), np.maximum(low, high)], axis=-1)
    inner, points = _attained(network, box, objective) if attains else _nothing_attained(box, outer)
    outer = np.maximum(outer, inner)
    rows = objective.numpy()[:, :, None] * SIGNS[:, None]
    samples = zip(*(part.reshape(len(part), -1, *part.shape[3:]) for part in (rows, outer, inner, points)), strict=True)
    return [
        [Side(row, float(most), float(seen), point) for row, most, seen, point in zip(*sample, strict=True)]
        for sample in samples
    ]


def _attained(network: Network, box: Box, objective: Tensor) -> tuple[Floats, Floats]:
    """Values seen `(batch, rows, 2)`, in the sense of maxima, and where, `(batch, rows, 2, inputs)`."""
    seen = Sampled().bound(network, box, objective)
    assert seen.attaining_lower is not None
    assert seen.attaining_upper is not None
    points = torch.stack([seen.attaining_lower.flatten(2), seen.attaining_upper.flatten(2)], dim=2)
    return torch.stack([-seen.lower, seen.upper], dim=-1).numpy(), points.numpy()


def _nothing_attained(box: Box, outer: Floats) -> tuple[Floats, Floats]:
    centre = box.centre.flatten(1).numpy()[:, None, None]
    return np.full(outer.shape, -np.inf), np.broadcast_to(centre, (*outer.shape, centre.shape[-1]))

"""The band of ReLU from centre and radius, in few operations, with a gradient of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from reachbox.reach.relaxation import Band, Line


def relu_band(centre: Tensor, radius: Tensor, below: float) -> tuple[Band, Tensor]:
    """The parallel lines around ReLU, or LeakyReLU of slope `below`, and the value midway at the centre."""
    after, slope, slack = ReluBand.apply(centre, radius, below)  # type: ignore[no-untyped-call]
    return Band(Line(slope, slack), slack), after


class ReluBand(torch.autograd.Function):
    """ReLU over `centre +- radius` between parallel lines: the centre after it, the slope `d` and the radius `r`.

    With slope `a` below zero: `d = (1 + a) / 2 + (1 - a) c / (2 rho)`, `r = (1 - a)(rho - c)(rho + c) / (4 rho)` where
    the unit is unstable; the centre becomes `d c + r`.
    """

    @staticmethod
    def forward(ctx: Any, centre: Tensor, radius: Tensor, below: float) -> tuple[Tensor, Tensor, Tensor]:
        unstable = centre.abs() < radius
        on = centre >= radius
        rho = torch.where(unstable, radius, 1.0)
        share = torch.where(unstable, (centre + rho) / (2 * rho), on.to(centre.dtype))
        slope = below + (1 - below) * share
        slack = torch.where(unstable, (1 - below) / 4 * (rho - centre) * ((rho + centre) / rho), 0.0)
        ctx.save_for_backward(unstable, centre, rho, slope)
        ctx.below = below
        return slope * centre + slack, slope, slack

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_centre: Tensor, to_slope: Tensor, to_slack: Tensor) -> tuple[Tensor, Tensor, None]:
        unstable, centre, rho, slope = ctx.saved_tensors
        bend = (1 - ctx.below) / 2
        ratio = centre / rho
        steepening = to_slope / rho  # finite for the smallest radius too: a slope's effect shrinks with the radius
        curved_part = bend * (steepening - ratio * to_slack)
        of_centre = slope * to_centre + torch.where(unstable, curved_part, 0.0)
        square = ratio * ratio
        of_radius = bend * ((1 - square) / 2 * to_centre - ratio * steepening + (1 + square) / 2 * to_slack)
        return of_centre, torch.where(unstable, of_radius, 0.0), None

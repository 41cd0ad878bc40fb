"""`sampled`: values that the network attains: corners, random points, and gradient ascent from the best of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import ClassVar

import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.errors import InputError
from reachbox.network import Network
from reachbox.reach.method import Method
from reachbox.reach.result import Kind, Reach


@dataclass(frozen=True)
class Sampled(Method):
    """The range seen on sampled inputs: an estimate from inside, a floor under every bound and no proof.

    `samples` random points of each box (half of them corners; all corners where there are no more), then `steps` of
    signed gradient ascent for every output and side from the best point. `attaining_lower`, `attaining_upper` hold the
    inputs. Every draw comes from `seed`.
    """

    name: ClassVar[str] = "sampled"
    samples: int = 256
    steps: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        if self.samples < 1 or self.steps < 0:
            raise InputError(f"sampled: samples >= 1 and steps >= 0 are needed, found {self.samples} and {self.steps}")

    def bound(self, network: Network, box: Box, objective: Tensor) -> Reach:
        # Both sides at once: the minimum of c^T y is the negated maximum of -c^T y.
        signed = torch.cat([-objective, objective], dim=1)
        with torch.no_grad():
            best, where = self._best_sample(network, box, signed)
        best, where = self._ascend(network, box, signed, best, where)
        low, high = best.chunk(2, dim=1)
        below, above = where.chunk(2, dim=1)
        return Reach(
            -low, high, self.name, Kind.ESTIMATE,
            inner_lower=-low, inner_upper=high, attaining_lower=below, attaining_upper=above,
        )  # fmt: skip

    def _best_sample(self, network: Network, box: Box, signed: Tensor) -> tuple[Tensor, Tensor]:
        batch, count, _ = signed.shape
        best = torch.full((batch, count), -torch.inf, dtype=signed.dtype, device=signed.device)
        where = box.centre.unsqueeze(1).expand(batch, count, *network.input_shape)
        generator = torch.Generator().manual_seed(self.seed)
        for position in self._positions(network, generator):
            point = (box.lower + position.to(box.lower) * box.width).clamp(box.lower, box.upper)
            found = _objective(network, point, signed)
            better = found > best
            best = torch.where(better, found, best)
            where = torch.where(_like(better, where), point.unsqueeze(1), where)
        return best, where

    def _positions(self, network: Network, generator: torch.Generator) -> list[Tensor]:
        """Points of the unit box: its centre, corners and random points."""
        shape, features = network.input_shape, prod(network.input_shape)
        positions = [torch.full(shape, 0.5, dtype=torch.float64)]
        if features <= 30 and 2**features <= self.samples:
            corners = list(product((0.0, 1.0), repeat=features))
        else:
            draws = torch.randint(0, 2, (self.samples // 2, features), generator=generator).tolist()
            corners = [tuple(map(float, corner)) for corner in draws]
        positions += [torch.tensor(corner, dtype=torch.float64).reshape(shape) for corner in corners]
        inside = max(0, self.samples - len(corners))
        positions += list(torch.rand(inside, *shape, generator=generator, dtype=torch.float64))
        return positions

    def _ascend(self, network: Network, box: Box, signed: Tensor, best: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
        """Signed gradient steps, from half of the box's width down to a hundredth, clipped to the box."""
        batch, count, _ = signed.shape
        lower, upper, radius = (
            bound.detach().repeat_interleave(count, 0) for bound in (box.lower, box.upper, box.radius)
        )
        weights = signed.detach().reshape(batch * count, -1)
        point = where.detach().reshape(batch * count, *network.input_shape)
        best_flat, best_point = best.detach().reshape(-1), point
        fixed = network.map_sources(lambda source: source.detach() if isinstance(source, Tensor) else source)
        for number in range(self.steps):
            with torch.enable_grad():
                point = point.detach().requires_grad_()
                value = (fixed.values(point)[fixed.output].flatten(1) * weights).sum(1)
                (gradient,) = torch.autograd.grad(value.sum(), point)
            size = 0.01 ** (number / max(1, self.steps - 1))
            point = (point.detach() + size * radius * gradient.sign()).clamp(lower, upper)
            with torch.no_grad():
                value = (fixed.values(point)[fixed.output].flatten(1) * weights).sum(1)
            better = value > best_flat
            best_flat = torch.where(better, value, best_flat)
            best_point = torch.where(_like(better, point), point, best_point)
        return best_flat.reshape(batch, count), best_point.reshape(where.shape)


def _objective(network: Network, point: Tensor, signed: Tensor) -> Tensor:
    outputs = network.values(point)[network.output].flatten(1)
    return (signed @ outputs.unsqueeze(-1)).squeeze(-1)


def _like(mask: Tensor, other: Tensor) -> Tensor:
    return mask.reshape(*mask.shape, *(1,) * (other.ndim - mask.ndim))

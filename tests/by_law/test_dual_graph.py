"""Rows as patches against rows over whole values: on branches, pools, and whatever else a graph may hold."""

from __future__ import annotations

import importlib
from math import prod
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

import reachbox as rb
from reachbox.network.operators import Affine
from reachbox.reach.relaxation import Band, band
from reachbox.reach.rows import Rows, of_objective, row_sum, substitute, units

graph = importlib.import_module("reachbox.reach.dual.graph")


class Branched(nn.Module):
    """Strided, padded, grouped and dilated convolutions in branches that are added and put side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 6, 3, 2, 1)
        self.deep = nn.Sequential(nn.Conv2d(6, 6, 3, 1, 1, groups=3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 1))
        self.wide = nn.Conv2d(6, 6, 3, 1, 2, dilation=2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.last = nn.Conv2d(12, 4, 3, 2, 0)
        self.skip = nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Conv2d(12, 4, 3, 2, 0))
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        x = torch.cat([torch.relu(self.deep(x) + x), nn.functional.leaky_relu(self.wide(x), 0.1)], 1)
        x = self.pool(x)
        x = torch.tanh(self.last(x)) + self.skip(x)
        return self.head(torch.relu(x.flip(1)).flatten(1))


def by_whole_rows(network: rb.Network, box: rb.Box, objective: Tensor) -> Tensor:
    """The widths by one row for each unit over whole values, all of them."""
    bands: dict[int, Band] = {}

    def radius_of(value: int, rows: Rows) -> Tensor:
        def through(current: int, coefficients: Tensor) -> tuple[Tensor, Tensor]:
            found, before = bands[current], network.shape_of(network.nodes[current - 1].inputs[0])
            slack = row_sum(coefficients.abs() * found.radius[rows.sample])
            return found.line.transposed(coefficients, rows.sample, before), slack

        remaining, slack = substitute(network, value, rows.coefficients, through, with_bias=False)
        return slack + row_sum(remaining.abs() * box.radius[rows.sample])

    centres = [box.centre]
    for value, node in enumerate(network.nodes, start=1):
        source = node.inputs[0]
        if isinstance(node.operator, Affine):
            centres.append(node.operator.forward(*(centres[i] for i in node.inputs)))
            continue
        every = torch.ones(len(box.lower), prod(network.shape_of(source))).nonzero()
        radius = radius_of(source, units(network, source, every, box.lower)).reshape(centres[source].shape)
        bands[value] = band(node.operator, centres[source] - radius, centres[source] + radius)
        centres.append(bands[value].line.value(centres[source]))
    return 2 * radius_of(network.output, of_objective(network, objective)).reshape(objective.shape[:2])


@pytest.mark.parametrize("radius", [0.01, 0.3])
@pytest.mark.parametrize("memory", [None, 20_000])
@pytest.mark.parametrize("chooses", [True, False])
def test_patches_are_whole_rows(
    monkeypatch: pytest.MonkeyPatch, radius: float, memory: int | None, chooses: bool
) -> None:
    torch.manual_seed(0)
    module, x = Branched().double().eval(), torch.randn(2, 2, 9, 9, dtype=torch.float64)
    box = rb.Box.around(x, radius * torch.rand(2, 9, 9, dtype=torch.float64))
    objective = torch.randn(2, 4, 3, dtype=torch.float64)
    monkeypatch.setattr(graph._Relaxed, "chooses", chooses)
    network, weights = rb.Network.from_module(module, x), list(module.parameters())
    found = rb.reach(network, box, rb.Dual(engine="graph", memory=memory), objective=objective).width
    expected = by_whole_rows(network.to(torch.float64), box, objective)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    for ours, plain in zip(*(gradients(width, weights) for width in (found, expected)), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("engine", ["compiled", "graph"])
@pytest.mark.parametrize("size", [1e-36, 1e-39, 1e-42, 1e-45])
def test_a_unit_that_has_nearly_died_has_a_finite_gradient(engine: Literal["compiled", "graph"], size: float) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 9), nn.ReLU(), nn.Linear(9, 9), nn.ReLU(), nn.Linear(9, 2))
    with torch.no_grad():
        module[0].weight[:6] *= size
        module[0].bias[:6] *= size / 10
    box = rb.Box.around(torch.rand(5, 3), 1.0)
    width = rb.reach(module, box, rb.Dual(engine=engine), dtype=torch.float32).width
    assert all(torch.isfinite(part).all() for part in gradients(width, list(module.parameters())))


def gradients(width: Tensor, weights: list[nn.Parameter]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(width.log().sum(), weights, allow_unused=True, materialize_grads=True)

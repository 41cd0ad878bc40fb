"""Branch and bound on the signs of units: bounds on paper, a network whose relaxation is loose, limits, a leaf."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import reachbox as rb
from reachbox.reach.exact.branching.bounds import Relaxation
from reachbox.reach.exact.branching.layers import Layers, Ranges, rows_of
from reachbox.reach.exact.branching.leaf import solve_leaf
from reachbox.reach.program import lower as lower_network
from tests.by_hand.test_exact import linear

BRANCHING = rb.Exact(engine="branching")


def unit(height: float) -> tuple[Layers, Ranges]:
    """`height * relu(x)` for `x` from -1 to 1."""
    module = nn.Sequential(linear([[1]], [0]), nn.ReLU(), linear([[height]], [0]))
    layers = Layers.of(lower_network(rb.Network.from_module(module, torch.zeros(1, 1))), 0)
    ends = -np.ones((1, 1)), np.ones((1, 1))
    return layers, Ranges(*ends, *ends, np.ones((1, 1)))


@pytest.mark.parametrize(
    ("height", "sign", "multiplier", "expected"),
    [
        (1, 0, 0.25, -0.25),  # relu(x) >= x / 4
        (-1, 0, 0.0, -1.0),  # -relu(x) >= -(x + 1) / 2
        (1, 1, 0.0, -1.0),  # on: x
        (1, 1, 0.75, -0.25),  # on: x - 3/4 x
        (1, 1, 1.0, 0.0),  # the best multiplier of x >= 0 proves the least value there
        (-1, 1, 0.0, -1.0),  # on: -x
        (-1, -1, 0.0, 0.0),  # off: 0
        (-1, -1, 0.5, -0.5),  # off, a multiplier that does harm: x / 2
    ],
)
def test_one_unit_on_paper(height: float, sign: int, multiplier: float, expected: float) -> None:
    layers, ranges = unit(height)
    rows = rows_of(layers, np.zeros(1, dtype=np.int64), 1, torch.ones(1, 1).double(), np.ones((1, 1)))
    found = Relaxation(layers, ranges).bounds(rows, np.array([[sign]], dtype=np.int8), np.array([[multiplier]]))
    assert found.bounds[0] == expected


def test_the_slope_of_a_bound_is_the_unit_where_it_is_attained() -> None:
    layers, ranges = unit(1)
    relaxation, signs = Relaxation(layers, ranges), np.array([[1]], dtype=np.int8)
    rows = rows_of(layers, np.zeros(1, dtype=np.int64), 1, torch.ones(1, 1).double(), np.ones((1, 1)))
    found = relaxation.bounds(rows, signs, np.array([[0.25]]))
    assert found.points.tolist() == [[-1.0]]
    assert relaxation.slopes(rows, found, signs, np.array([[0.25]])).tolist() == [[1.0]]


def test_the_multipliers_of_a_leaf() -> None:
    layers, ranges = unit(1)
    leaf = solve_leaf(Relaxation(layers, ranges), 0, torch.ones(1).double(), np.array([1], dtype=np.int8))
    assert leaf is not None
    assert leaf.multipliers[0] == pytest.approx(1.0, abs=1e-9)
    assert leaf.point[0] == pytest.approx(0.0, abs=1e-9)


def test_two_units_whose_relaxation_is_loose() -> None:
    """`relu(x) + relu(-x) - 1/2 relu(2 x - 1)` from -1 to 2: |x| up to 1/2, then 1/2; least at 0, largest at -1."""
    module = nn.Sequential(linear([[1], [-1], [2]], [0, 0, -1]), nn.ReLU(), linear([[1, 1, -0.5]], [0]))
    out = rb.reach(module, rb.Box([[-1.0]], [[2.0]]), BRANCHING)
    assert out.kind is rb.Kind.EXACT
    assert out.lower.item() == pytest.approx(0, abs=1e-6)
    assert out.upper.item() == pytest.approx(1, abs=1e-6)
    assert out.attaining_lower is not None
    assert out.attaining_upper is not None
    assert out.attaining_lower.item() == pytest.approx(0, abs=1e-6)
    assert out.attaining_upper.item() == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize("layers", [[linear([[1, -2]], [3])], [linear([[1, 1]], [5]), nn.ReLU()], [nn.Identity()]])
def test_networks_without_open_units(layers: list[nn.Module]) -> None:
    box = rb.Box([[-1.0, -1.0], [0.5, 0.0]], [[1.0, 1.0], [0.5, 0.0]])
    out, expected = (rb.reach(nn.Sequential(*layers), box, rb.Exact(engine=name)) for name in ("branching", "auto"))
    torch.testing.assert_close(out.lower, expected.lower, rtol=0, atol=1e-12)
    torch.testing.assert_close(out.upper, expected.upper, rtol=0, atol=1e-12)


def test_many_inputs_are_branched_few_are_enumerated() -> None:
    module = nn.Sequential(nn.Linear(40, 6), nn.ReLU(), nn.Linear(6, 2)).double()
    x = torch.randn(2, 40, dtype=torch.float64)
    radii = torch.full_like(x, 0.1)
    radii[1, 3:] = 0.0
    out = rb.reach(module, rb.Box(x - radii, x + radii), "exact")
    assert out.kind is rb.Kind.EXACT
    alone = [rb.reach(module, rb.Box(x[i : i + 1] - radii[i : i + 1], x[i : i + 1] + radii[i : i + 1]), method)
             for i, method in enumerate([BRANCHING, rb.Exact(engine="enumeration")])]  # fmt: skip
    torch.testing.assert_close(out.upper, torch.cat([part.upper for part in alone]))
    with pytest.raises(rb.UnsupportedError, match="40 inputs vary; at most 12"):
        rb.reach(module, rb.Box(x - radii, x + radii), rb.Exact(engine="splitting"))


def test_without_time_the_bounds_are_intervals() -> None:
    module = nn.Sequential(nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 2))
    box = rb.Box.around(torch.zeros(1, 30).double(), 1.0)
    out, widest = rb.reach(module, box, rb.Exact(engine="branching", time_limit=0)), rb.reach(module, box, "interval")
    torch.testing.assert_close(out.upper, widest.upper, rtol=0, atol=1e-9)
    assert out.status is not None
    assert (out.status == "timeout").all()

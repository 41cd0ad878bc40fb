"""`milp` by Gurobi and `smt` by Marabou against the exact box."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import reachbox as rb
from reachbox.reach import Milp, Smt

pytestmark = pytest.mark.oracle


def small_network(slope: float = 0.0) -> tuple[nn.Module, rb.Box]:
    torch.manual_seed(1)
    activation = nn.LeakyReLU(slope) if slope else nn.ReLU()
    module = nn.Sequential(nn.Linear(4, 10), activation, nn.Linear(10, 8), activation, nn.Linear(8, 2)).double()
    return module, rb.Box.around(torch.randn(2, 4, dtype=torch.float64), 0.3)


@pytest.mark.parametrize("slope", [0.0, 0.1])
@pytest.mark.parametrize("verified", [True, False])
def test_gurobi_finds_the_exact_box(slope: float, verified: bool) -> None:
    pytest.importorskip("gurobipy")
    module, box = small_network(slope)
    exact, milp = rb.reach(module, box, "exact"), rb.reach(module, box, Milp(solver="gurobi", verified=verified))
    assert milp.kind == "exact"
    torch.testing.assert_close(milp.lower, exact.lower, rtol=0, atol=1e-6)
    torch.testing.assert_close(milp.upper, exact.upper, rtol=0, atol=1e-6)


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_marabou_finds_the_exact_box(slope: float) -> None:
    pytest.importorskip("maraboupy")
    module, box = small_network(slope)
    exact, smt = rb.reach(module, box, "exact"), rb.reach(module, box, Smt(tolerance=1e-3))
    assert smt.kind == "exact"
    assert (smt.lower <= exact.inner_lower + 1e-6).all()  # type: ignore[operator]
    assert (smt.upper >= exact.inner_upper - 1e-6).all()  # type: ignore[operator]
    torch.testing.assert_close(smt.lower, exact.lower, rtol=0, atol=2e-3)
    torch.testing.assert_close(smt.upper, exact.upper, rtol=0, atol=2e-3)
    assert (smt.inner_upper <= smt.upper).all()  # type: ignore[operator]


def test_marabou_stops_at_the_time_limit() -> None:
    pytest.importorskip("maraboupy")
    torch.manual_seed(0)
    module = nn.Sequential(*(part for _ in range(3) for part in (nn.Linear(40, 40), nn.ReLU())), nn.Linear(40, 1))
    box = rb.Box.around(torch.zeros(1, 40, dtype=torch.float64), 1.0)
    out = rb.reach(module, box, Smt(time_limit=1.0))
    assert (out.status == "timeout").all()  # type: ignore[union-attr]
    assert out.kind == "sound"
    assert out.seconds < 20

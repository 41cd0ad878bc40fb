"""Laws of the methods that ask a solver: safe bounds need no solver, tighter methods lie inside looser ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import reachbox as rb
from reachbox.reach.encoding import big_m, triangles
from reachbox.reach.encoding.linear import cost_of
from reachbox.reach.encoding.ranges import network_of, unit_ranges
from reachbox.reach.program import Floats, Program
from reachbox.reach.program import lower as lower_network
from reachbox.solvers import LinearProgram
from reachbox.solvers.highs import Highs
from reachbox.solvers.safe_bound import safe_bound
from tests.conftest import ZOO

PIECEWISE_LINEAR = ["relu", "leaky", "linear", "residual", "grouped", "clamped"]
ROUNDING = 1e-9


def program_of(name: str, seed: int) -> tuple[nn.Module, Program, tuple[int, ...]]:
    """A network of the zoo with weights drawn from a seed."""
    torch.manual_seed(seed)
    module, shape = ZOO[name].make().double(), ZOO[name].shape
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(1.5)
    return module, lower_network(rb.Network.from_module(module, torch.zeros(1, *shape))), shape


def problems(name: str, seed: int, radius: float) -> tuple[Program, rb.Box, LinearProgram, LinearProgram]:
    _, program, shape = program_of(name, seed)
    box = rb.Box.around(torch.randn(1, *shape, dtype=torch.float64), radius)
    ranges = unit_ranges(program, box.lower.flatten(1).numpy(), box.upper.flatten(1).numpy())
    low, high = (part[0] for part in ranges)
    return program, box, triangles(program, low, high), big_m(program, low, high)


def columns_at(program: Program, problem: LinearProgram, point: torch.Tensor) -> Floats:
    """The columns that describe the network at a point: values after their ReLU, open units before it, switches."""
    network, before = network_of(program)
    values = network.values(point.flatten(1))
    z = np.concatenate([point.flatten().numpy(), *(values[value][0].numpy() for value in before)])
    after = np.where(z > 0, z, program.slope * z)
    opened = np.flatnonzero(np.isin(np.arange(len(z)), _open_units(program, problem)))
    with_switches = len(problem.gates.switch) > 0
    return np.concatenate([after, z[opened], (z[opened] > 0).astype(float) if with_switches else []])


def _open_units(program: Program, problem: LinearProgram) -> list[int]:
    """The units that have a column of their own before the ReLU, in the order of these columns."""
    if len(problem.gates.after):
        return [int(unit) for unit in problem.gates.after]
    count, values = len(problem.lower) - len(program.slope), len(program.slope)
    entries = zip(problem.columns, np.repeat(np.arange(len(problem.row_lower)), np.diff(problem.starts)), strict=True)
    rows: dict[int, list[int]] = {}
    for column, row in entries:
        rows.setdefault(int(row), []).append(int(column))
    pairs = {max(row): min(row) for row in rows.values() if len(row) == 2 and max(row) >= values}
    return [pairs[values + number] for number in range(count)]


@pytest.mark.parametrize("name", PIECEWISE_LINEAR)
@given(seed=st.integers(0, 10_000), radius=st.floats(0.01, 0.5))
@settings(max_examples=8)
def test_every_point_of_the_network_satisfies_both_problems(name: str, seed: int, radius: float) -> None:
    program, box, *both = problems(name, seed, radius)
    for _ in range(5):
        point = box.lower + box.width * torch.rand_like(box.lower)
        for problem in both:
            columns = columns_at(program, problem, point)
            assert (problem.lower - ROUNDING <= columns).all()
            assert (columns <= problem.upper + ROUNDING).all()
            terms = problem.values * columns[problem.columns]
            rows = np.add.reduceat(np.append(terms, 0.0), problem.starts[:-1]) * (np.diff(problem.starts) > 0)
            assert (problem.row_lower - ROUNDING <= rows).all()
            assert (rows <= problem.row_upper + ROUNDING).all()


@given(seed=st.integers(0, 10_000), spread=st.sampled_from([0.0, 1e-3, 1.0, 100.0]))
def test_any_multipliers_give_a_bound(seed: int, spread: float) -> None:
    program, box, problem, _ = problems("relu", seed, 0.2)
    generator = np.random.default_rng(seed)
    cost = cost_of(generator.standard_normal(3), problem)
    solver = Highs(problem)
    best = solver.relaxation(cost, 100.0)
    multipliers = np.array(solver.relaxed.getSolution().row_dual)
    changed = multipliers + spread * generator.standard_normal(len(multipliers))
    found = safe_bound(problem, cost, changed)
    assert best.point is not None
    assert best.bound <= cost @ best.point + 1e-6
    assert found <= best.bound + 1e-6
    for _ in range(20):
        point = box.lower + box.width * torch.rand_like(box.lower)
        assert found <= cost @ columns_at(program, problem, point) + 1e-12


@pytest.mark.parametrize("name", ["relu", "leaky", "clamped"])
@given(seed=st.integers(0, 10_000), radius=st.floats(0.01, 0.4))
@settings(max_examples=5)
def test_the_order_of_the_methods(name: str, seed: int, radius: float) -> None:
    """sampled <= exact <= lp <= dual, and lp <= crown, alpha and interval too: it has the tightest of their ranges."""
    module, _, shape = program_of(name, seed)
    box = rb.Box.around(torch.randn(6, *shape, dtype=torch.float64), radius)
    names = ["sampled", "exact", "lp", "alpha", "crown", "dual", "interval"]
    out = {method: rb.reach(module, box, method) for method in names}
    for inner, outer in [("sampled", "exact"), ("exact", "lp"), *(("lp", other) for other in names[3:])]:
        # The bounds of `exact` hold its rounding too, and so may lie that much outside of those that do not. `alpha`
        # may reach the optimum of `lp`, whose proof holds the rounding of its own sums.
        slack = 1e-7 if inner == "exact" else 1e-11 if outer == "alpha" else 1e-12
        assert (out[outer].lower <= out[inner].lower + slack).all(), (inner, outer)
        assert (out[inner].upper <= out[outer].upper + slack).all(), (inner, outer)


@pytest.mark.parametrize("name", ["relu", "leaky", "linear", "clamped"])
@given(seed=st.integers(0, 10_000), radius=st.floats(0.01, 0.3))
@settings(max_examples=3)
def test_whole_switches_give_the_exact_box(name: str, seed: int, radius: float) -> None:
    module, _, shape = program_of(name, seed)
    box = rb.Box.around(torch.randn(3, *shape, dtype=torch.float64), radius)
    exact, milp = rb.reach(module, box, "exact"), rb.reach(module, box, "milp")
    assert milp.kind == "exact"
    torch.testing.assert_close(milp.lower, exact.lower, rtol=0, atol=1e-6)
    torch.testing.assert_close(milp.upper, exact.upper, rtol=0, atol=1e-6)
    attained(module, box, milp)


def attained(module: nn.Module, box: rb.Box, out: rb.Reach) -> None:
    """The inner values lie within the bounds, and are attained inside of the box."""
    assert out.inner_lower is not None
    assert out.inner_upper is not None
    for points, values in ((out.attaining_lower, out.inner_lower), (out.attaining_upper, out.inner_upper)):
        assert points is not None
        for output in range(values.shape[1]):
            assert box.contains(points[:, output]).all()
            outputs = module(points[:, output]).flatten(1)[:, output]
            torch.testing.assert_close(outputs, values[:, output], rtol=1e-12, atol=1e-12)
    assert (out.lower <= out.inner_lower).all()
    assert (out.inner_upper <= out.upper).all()


@pytest.mark.parametrize("name", ["residual", "grouped", "max_pool"])
def test_convolutions_residuals_and_pooling(name: str) -> None:
    torch.manual_seed(3)
    module = ZOO[name].make().double().eval()
    if name == "max_pool":  # its last activation bends
        module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 2)).double()
    box = rb.Box.around(torch.randn(1, *ZOO[name].shape, dtype=torch.float64), 0.05)
    out = {method: rb.reach(module, box, method) for method in ("lp", "milp", "dual", "crown")}
    assert out["milp"].kind == "exact"
    attained(module, box, out["milp"])
    for inner, outer in (("milp", "lp"), ("lp", "dual"), ("lp", "crown")):
        assert (out[outer].lower <= out[inner].lower + 1e-9).all()
        assert (out[inner].upper <= out[outer].upper + 1e-9).all()


def test_zero_width_inputs_give_points() -> None:
    module, _, shape = program_of("relu", 0)
    box = rb.Box.around(torch.randn(2, *shape, dtype=torch.float64), torch.tensor([0.2, 0.0, 0.0, 0.1]))
    exact, milp, lp = (rb.reach(module, box, method) for method in ("exact", "milp", "lp"))
    torch.testing.assert_close(milp.upper, exact.upper, rtol=0, atol=1e-6)
    assert (lp.upper >= exact.inner_upper).all()  # type: ignore[operator]

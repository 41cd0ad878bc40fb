"""Laws of the exact box that hold whichever engine finds it: all agree, and every limit leaves proven bounds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

import reachbox as rb
from reachbox.reach.exact import exact_stack
from reachbox.reach.exact.batch import Answer
from reachbox.reach.exact.choice import BUDGETS


def problem(inputs: int, seed: int, width: int = 10, radius: float = 0.4) -> tuple[nn.Module, rb.Box]:
    """Two hidden layers, and two boxes, one of which holds its first input fixed."""
    torch.manual_seed(seed)
    layers = [part for pair in pairwise([inputs, width, width, 2]) for part in (nn.Linear(*pair), nn.ReLU())]
    x = torch.randn(2, inputs, dtype=torch.float64)
    radii = torch.full_like(x, radius)
    radii[1, 0] = 0.0
    return nn.Sequential(*layers[:-1]).double(), rb.Box(x - radii, x + radii)


def check_equal(one: rb.Reach, other: rb.Reach, tolerance: float = 2e-6) -> None:
    torch.testing.assert_close(one.lower, other.lower, rtol=0, atol=tolerance)
    torch.testing.assert_close(one.upper, other.upper, rtol=0, atol=tolerance)


@pytest.mark.parametrize("inputs", [1, 3, 5, 8])
def test_splitting_finds_what_enumeration_and_a_solver_find(inputs: int) -> None:
    module, box = problem(inputs, seed=inputs)
    by_splitting = rb.reach(module, box, rb.Exact(engine="splitting"))
    assert by_splitting.kind is rb.Kind.EXACT
    check_equal(by_splitting, rb.reach(module, box, rb.Exact(engine="enumeration")))
    check_equal(by_splitting, rb.reach(module, box, "milp"))
    assert by_splitting.attaining_upper is not None
    assert box.contains(by_splitting.attaining_upper[:, 1]).all()
    values = module(by_splitting.attaining_upper[:, 1])[:, 1].detach()
    torch.testing.assert_close(values, by_splitting.upper[:, 1], rtol=0, atol=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize("inputs", range(1, 9))
def test_engines_agree_on_many_networks(inputs: int) -> None:
    for seed in range(100):
        module, box = problem(inputs, seed, width=8)
        by_splitting = rb.reach(module, box, rb.Exact(engine="splitting"))
        assert by_splitting.kind is rb.Kind.EXACT
        check_equal(by_splitting, rb.reach(module, box, rb.Exact(engine="enumeration")))


def test_a_margin_is_split_too() -> None:
    module, box = problem(4, seed=0)
    margins = [[1.0, -1.0], [0.5, 2.0], [0.0, 0.0]]
    out = rb.reach(module, box, rb.Exact(engine="splitting"), objective=margins)
    check_equal(out, rb.reach(module, box, rb.Exact(engine="enumeration"), objective=margins))


def overflows(module: nn.Module, box: rb.Box, budget: tuple[int, int]) -> bool:
    regions, vertices = budget
    found = rb.reach(module, box, rb.Exact(engine="enumeration", regions=regions, vertices=vertices))
    assert found.status is not None
    return bool((found.status == "overflow").any())


def test_what_is_too_much_for_the_first_budget_is_enumerated_with_the_next() -> None:
    module, box = problem(6, seed=1, width=16, radius=0.8)
    assert [overflows(module, box, budget) for budget in BUDGETS] == [True, False]
    out = rb.reach(module, box, "exact")
    assert out.engines == ("enumeration",)
    assert out.kind is rb.Kind.EXACT
    check_equal(out, rb.reach(module, box, rb.Exact(engine="enumeration")))


def sides(lower: float, upper: float) -> np.ndarray:
    """Of one task with one row."""
    return np.array([[[lower], [upper]]])


def test_the_tighter_of_two_answers_is_kept_side_by_side() -> None:
    one = Answer(sides(-0.5, 1.1), sides(0.2, 0.8), np.zeros((1, 2, 1, 1)), np.array([1]), ("one",))
    other = Answer(sides(-0.1, 1.5), sides(0.1, 0.7), np.ones((1, 2, 1, 1)), np.array([0]), ("other",))
    found = one.with_part(np.array([0]), other)
    np.testing.assert_array_equal(found.outer, sides(-0.1, 1.1))
    np.testing.assert_array_equal(found.inner, sides(0.1, 0.8))
    assert found.points.ravel().tolist() == [1.0, 0.0]
    assert (found.ended.tolist(), found.engines) == ([0], ("one", "other"))


def test_what_is_too_much_for_enumeration_is_split() -> None:
    module, box = problem(4, seed=1, width=30, radius=2.0)
    assert overflows(module, box, BUDGETS[-1])
    out = rb.reach(module, box, rb.Exact(tolerance=1e-4, time_limit=60))
    assert out.engines == ("enumeration", "splitting")
    assert out.kind is rb.Kind.EXACT
    assert out.attaining_lower is not None
    assert out.inner_lower is not None
    for row in range(2):
        assert box.contains(out.attaining_lower[:, row]).all()
        assert (module(out.attaining_lower[:, row])[:, row] <= out.inner_lower[:, row]).all()
    seen = rb.reach(module, box, "sampled")
    assert (out.lower <= seen.lower).all()
    assert (seen.upper <= out.upper).all()


@pytest.mark.parametrize("limit", [{"time_limit": 0.0}, {"regions": 3}])
def test_limits_leave_bounds_that_are_proven(limit: dict[str, float]) -> None:
    module, box = problem(8, seed=2, width=30, radius=1.0)
    out = rb.reach(module, box, rb.Exact(engine="splitting", **limit))  # type: ignore[arg-type]
    widest, seen = rb.reach(module, box, "interval"), rb.reach(module, box, "sampled")
    assert out.status is not None
    assert (out.status == ("timeout" if "time_limit" in limit else "overflow")).all()
    assert (out.lower <= seen.lower).all()
    assert (seen.upper <= out.upper).all()
    assert (widest.lower - 1e-9 <= out.lower).all()
    assert (out.upper <= widest.upper + 1e-9).all()
    assert out.inner_upper is not None
    assert (out.inner_upper <= out.upper).all()


def test_stacked_networks_are_split_one_by_one() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(2, *shape, generator=generator).double() for shape in [(7, 3), (2, 7)]]
    biases = [torch.randn(2, size, generator=generator).double() for size in (7, 2)]
    box = rb.Box.around(torch.zeros(3, 3).double(), 1.0)
    out = exact_stack(weights, biases, box, rb.Exact(engine="splitting"))
    check_equal(out, exact_stack(weights, biases, box, rb.Exact(engine="enumeration")))


def test_an_engine_that_does_not_exist() -> None:
    with pytest.raises(rb.InputError, match="'guessing' is unknown; allowed: auto, enumeration, splitting, branching"):
        rb.Exact(engine="guessing")

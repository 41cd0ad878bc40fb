"""Laws of branch and bound on signs: it equals other exact methods, limits leave proven bounds, it can be ended."""

from __future__ import annotations

import _thread
from itertools import pairwise
from math import inf
from threading import Timer
from time import perf_counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import reachbox as rb
from reachbox.verify import Disjunct, HalfSpaces, Specification
from reachbox.verify.branching import by_branching
from reachbox.verify.judge import network_judge
from reachbox.verify.question import Question
from tests.by_law.test_exact import PIECEWISE_LINEAR, box_of, check_attained, module_of

TOLERANCE = 1e-6
FAST = [name for name in PIECEWISE_LINEAR if name != "max_pool"]  # its many units need far more nodes than regions


def wide_problem(seed: int, width: int, radius: float) -> tuple[nn.Module, rb.Box]:
    """Two hidden layers behind thirty inputs, and two boxes."""
    torch.manual_seed(seed)
    layers = [part for pair in pairwise([30, width, width, 2]) for part in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers[:-1]).double(), rb.Box.around(torch.randn(2, 30, dtype=torch.float64), radius)


@pytest.mark.parametrize("name", FAST)
@given(seed=st.integers(0, 10_000), radius=st.floats(0, 0.3))
@settings(max_examples=2)
def test_it_finds_what_enumeration_finds(name: str, seed: int, radius: float) -> None:
    torch.manual_seed(seed)
    module, shape = module_of(name)
    network, box = rb.Network.from_module(module, torch.zeros(1, *shape)), box_of(shape, 2, radius, varying=3)
    out = rb.reach(network, box, rb.Exact(engine="branching"))
    expected = rb.reach(network, box, rb.Exact(engine="enumeration"))
    assert out.kind is rb.Kind.EXACT
    torch.testing.assert_close(out.lower, expected.lower, rtol=0, atol=2 * TOLERANCE)
    torch.testing.assert_close(out.upper, expected.upper, rtol=0, atol=2 * TOLERANCE)
    check_attained(network.to(torch.float64), box, out)


@pytest.mark.thorough
@pytest.mark.parametrize("name", FAST)
def test_it_finds_what_enumeration_finds_many_times(name: str) -> None:
    for seed in range(150):
        torch.manual_seed(seed)
        module, shape = module_of(name)
        network, box = rb.Network.from_module(module, torch.zeros(1, *shape)), box_of(shape, 2, 0.3, varying=3)
        out, expected = (rb.reach(network, box, rb.Exact(engine=engine)) for engine in ("branching", "enumeration"))
        assert out.kind is rb.Kind.EXACT
        torch.testing.assert_close(out.lower, expected.lower, rtol=0, atol=2 * TOLERANCE)
        torch.testing.assert_close(out.upper, expected.upper, rtol=0, atol=2 * TOLERANCE)


@pytest.mark.parametrize("tolerance", [1e-3, TOLERANCE])
def test_it_finds_what_a_solver_finds_where_many_inputs_vary(tolerance: float) -> None:
    module, box = wide_problem(0, width=10, radius=0.2)
    out = rb.reach(module, box, rb.Exact(tolerance=tolerance))
    expected = rb.reach(module, box, "milp")
    assert out.kind is rb.Kind.EXACT
    assert expected.kind is rb.Kind.EXACT
    for found, other in ((out.lower, expected.lower), (out.upper, expected.upper)):
        torch.testing.assert_close(found, other, rtol=0, atol=tolerance + TOLERANCE)
    assert expected.inner_upper is not None
    assert (expected.inner_upper <= out.upper).all()


def test_degenerate_networks_are_exact() -> None:
    """Small integers, copies of units and kinks on the centre."""
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        layers = [nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2)]
        for layer in layers[::2]:
            for weight in layer.parameters():
                weight.data = torch.randint(-2, 3, weight.shape, generator=generator).double()
        module, box = nn.Sequential(*layers), rb.Box.around(torch.zeros(1, 3).double(), 1.0)
        out, expected = (rb.reach(module, box, rb.Exact(engine=engine)) for engine in ("branching", "enumeration"))
        assert out.kind is rb.Kind.EXACT
        torch.testing.assert_close(out.lower, expected.lower, rtol=0, atol=2 * TOLERANCE)
        torch.testing.assert_close(out.upper, expected.upper, rtol=0, atol=2 * TOLERANCE)


def test_every_limit_leaves_bounds_that_are_proven_and_more_nodes_tighten_them() -> None:
    module, box = wide_problem(1, width=24, radius=0.4)
    seen = rb.reach(module, box, "sampled")
    found = [rb.reach(module, box, rb.Exact(tolerance=1e-3, regions=nodes)) for nodes in (1, 100, 500)]
    found.append(rb.reach(module, box, rb.Exact(tolerance=1e-3, time_limit=0.02)))
    for out in found:
        assert out.inner_lower is not None
        assert out.inner_upper is not None
        assert (out.lower <= torch.minimum(seen.lower, out.inner_lower)).all()
        assert (torch.maximum(seen.upper, out.inner_upper) <= out.upper).all()
    for fewer, more in pairwise(found[:-1]):
        assert (fewer.lower <= more.lower + 1e-9).all()
        assert (more.upper <= fewer.upper + 1e-9).all()
        assert (more.width.sum() < fewer.width.sum()).all()
    assert found[0].status is not None
    assert (found[0].status == "overflow").any()


def test_it_can_be_interrupted() -> None:
    module, box = wide_problem(2, width=60, radius=1.0)
    rb.reach(module, box, rb.Exact(engine="branching", regions=1))  # compiles
    timer = Timer(0.5, _thread.interrupt_main)
    timer.start()
    started = perf_counter()
    with pytest.raises(KeyboardInterrupt):
        rb.reach(module, box, rb.Exact(engine="branching", regions=1 << 40, time_limit=60))
    assert perf_counter() - started < 30  # two seconds on a machine of one's own


def half_spaces(rows: list[list[float]], bounds: list[float]) -> HalfSpaces:
    return HalfSpaces(np.array(rows), np.array(bounds), np.zeros(len(bounds), dtype=np.bool_))


@pytest.mark.parametrize("seed", range(4))
def test_verdicts_about_many_inputs_follow_the_exact_box(seed: int) -> None:
    module, box = wide_problem(seed, 8, 0.3)
    network, first = rb.Network.from_module(module, box.lower), rb.Box(box.lower[:1], box.upper[:1])
    out = rb.reach(network, first, rb.Exact(tolerance=TOLERANCE))
    least, width = out.lower[0].numpy(), out.width[0].numpy()
    lower, upper = box.lower[0].numpy(), box.upper[0].numpy()

    def verdict(*unsafe: HalfSpaces) -> rb.Verdict:
        disjuncts = tuple(Disjunct(lower, upper, each) for each in unsafe)
        found = by_branching(Question(network, Specification(30, 2, disjuncts), network_judge(network), inf))
        assert found is not None
        return found.verdict

    below, above = (half_spaces([[1.0, 0.0]], [least[0] + share * width[0]]) for share in (-1e-3, 1e-3))
    corner = half_spaces([[1.0, 0.0], [0.0, 1.0]], [least[0] + 1e-3 * width[0], least[1] - 1e-3 * width[1]])
    assert verdict(below) is rb.Verdict.UNSAT
    assert verdict(above) is rb.Verdict.SAT
    assert verdict(below, corner) is rb.Verdict.UNSAT
    assert verdict(corner, above) is rb.Verdict.SAT

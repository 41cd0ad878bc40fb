"""A law of branch and bound on signs: it finds what enumeration finds."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import reachbox as rb
from tests.by_law.test_exact import PIECEWISE_LINEAR, box_of, check_attained, module_of

TOLERANCE = 1e-6
FAST = [name for name in PIECEWISE_LINEAR if name != "max_pool"]  # its many units need far more nodes than regions


@pytest.mark.parametrize("name", FAST)
@given(seed=st.integers(0, 10_000), radius=st.floats(0, 1))
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
        network, box = rb.Network.from_module(module, torch.zeros(1, *shape)), box_of(shape, 2, 0.5, varying=3)
        out, expected = (rb.reach(network, box, rb.Exact(engine=engine)) for engine in ("branching", "enumeration"))
        assert out.kind is rb.Kind.EXACT
        torch.testing.assert_close(out.lower, expected.lower, rtol=0, atol=2 * TOLERANCE)
        torch.testing.assert_close(out.upper, expected.upper, rtol=0, atol=2 * TOLERANCE)

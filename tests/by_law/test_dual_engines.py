"""The compiled rows against rows on the graph: random chains of every kind of layer, both precisions, any threads."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import reachbox as rb
from reachbox.reach.dual.chain import chain_of, planned_chain
from reachbox.reach.dual.dense import is_small_and_dense


@st.composite
def chains(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, ...]]:
    """A few convolutions (grouped, dilated, strided, pooled, normalised), then linear layers."""
    channels, size = draw(st.integers(1, 3)), draw(st.integers(5, 9))
    shape, layers, width = (channels, size, size), [], channels
    for _ in range(draw(st.integers(0, 2))):
        groups = draw(st.sampled_from([1, width]))
        outputs = groups * draw(st.sampled_from([2, 9, 17]))
        gap = draw(st.integers(1, 2))
        layer = nn.Conv2d(
            width, outputs, draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2)), gap, groups
        )
        layers += [layer, *([nn.BatchNorm2d(outputs)] if draw(st.booleans()) else [])]
        layers += [nn.LeakyReLU(0.1) if draw(st.booleans()) else nn.ReLU()]
        layers += [nn.AvgPool2d(2, 1)] if draw(st.booleans()) else []
        width = outputs
    layers.append(nn.Flatten())
    with torch.no_grad():
        width = nn.Sequential(*layers).eval()(torch.zeros(1, *shape)).shape[1]
    for hidden in draw(st.lists(st.sampled_from([1, 7, 16, 33]), min_size=1, max_size=3)):
        layers += [nn.Linear(width, hidden), nn.ReLU()]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, draw(st.integers(1, 4)))).eval(), shape


def bounds(module: nn.Module, box: rb.Box, engine: str, rows: Tensor, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Widths, and the gradients of a sum of bounds."""
    out = rb.reach(module, box, rb.Dual(engine=engine), objective=rows, dtype=dtype)  # type: ignore[arg-type]
    total = (out.upper * 1.5 - out.lower).sum()
    sources = [box.lower, box.upper, rows, *module.parameters()]
    gradients = torch.autograd.grad(total, sources, allow_unused=True, materialize_grads=True)
    return (out.width, *gradients)


@given(network=chains(), seed=st.integers(0, 1000), radius=st.sampled_from([1e-3, 0.05, 0.5, 3.0]))
@settings(max_examples=12)
def test_both_engines_give_the_same_bounds_and_gradients(
    network: tuple[nn.Module, tuple[int, ...]], seed: int, radius: float
) -> None:
    torch.manual_seed(seed)
    module, shape = network[0].double(), network[1]
    x = torch.randn(3, *shape, dtype=torch.float64)
    box = rb.Box.around(x, (radius * torch.rand(shape, dtype=torch.float64)).requires_grad_())
    outputs = module(x).shape[1]
    rows = torch.randn(3, 2, outputs, dtype=torch.float64, requires_grad=True)
    assert chain_of(rb.Network.from_module(module, x)) is not None
    ours, plain = (bounds(module, box, engine, rows, torch.float64) for engine in ("compiled", "graph"))
    for one, other in zip(ours, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("gap", [1, 2])
def test_positions_that_see_nothing_but_padding_hold_their_bias(gap: int) -> None:
    torch.manual_seed(gap)
    layers = [nn.Conv2d(2, 5, 2, 1, 3, gap), nn.ReLU(), nn.Conv2d(5, 4, 2, 2, 2 + gap, gap), nn.ReLU(), nn.Flatten()]
    shape = nn.Sequential(*layers)(torch.zeros(1, 2, 4, 5)).shape
    module = nn.Sequential(*layers, nn.Linear(shape[1], 3)).double()
    box = rb.Box.around(torch.randn(2, 2, 4, 5).double(), torch.tensor(0.3).double().requires_grad_())
    corner = rb.reach(module[:3], box, rb.Dual(engine="compiled")).width.reshape(2, 4, -1)[..., 0]
    assert (corner == 0).all()
    rows = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    ours, plain = (bounds(module, box, engine, rows, torch.float64) for engine in ("compiled", "graph"))
    for one, other in zip(ours, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("radius", [0.01, 0.3, 3.0])
def test_small_dense_networks_have_the_same_bounds_and_gradients(radius: float) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Linear(4, 25), nn.LeakyReLU(0.1), nn.Linear(25, 20, bias=False), nn.ReLU(), nn.Linear(20, 9), nn.Linear(9, 3)
    ).double()  # fmt: skip
    chain = planned_chain(rb.Network.from_module(module, torch.zeros(1, 4)))
    assert chain is not None
    assert is_small_and_dense(chain)
    box = rb.Box.around(torch.randn(6, 4).double(), (radius * torch.tensor([1.0, 0.5, 0.0, 2.0])).requires_grad_())
    rows = torch.randn(6, 5, 3, dtype=torch.float64, requires_grad=True)
    ours, plain = (bounds(module, box, engine, rows, torch.float64) for engine in ("compiled", "graph"))
    for one, other in zip(ours, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_a_large_batch_of_a_small_network_is_its_parts() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2)).double()
    count = 286
    box, rows = (
        rb.Box.around(torch.randn(count, 3).double().requires_grad_(), 0.3),
        torch.randn(count, 4, 2, dtype=torch.float64),
    )
    whole, plain = (
        bounds(module, box, engine, rows.clone().requires_grad_(), torch.float64) for engine in ("compiled", "graph")
    )
    for one, other in zip(whole, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_precision_change_little(threads: int) -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 20, 4, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(320, 5)
    )  # fmt: skip
    box = rb.Box.around(torch.rand(4, 1, 16, 16), 0.1)
    torch.set_num_threads(threads)
    rows = torch.eye(5).expand(4, -1, -1).clone().requires_grad_()
    box.lower.requires_grad_()
    box.upper.requires_grad_()
    coarse = bounds(module, box, "compiled", rows, torch.float32)
    torch.set_num_threads(1)
    fine = bounds(module, box, "graph", rows, torch.float64)
    for one, other in zip(coarse, fine, strict=True):
        assert (one.double() - other.double()).norm() <= 1e-4 * other.double().norm() + 1e-6


def test_what_is_no_chain_is_refused_by_the_compiled_engine() -> None:
    with pytest.raises(rb.UnsupportedError, match="engine='graph'"):
        rb.reach(
            nn.Sequential(nn.Linear(2, 2), nn.Tanh()), rb.Box([[0.0, 0.0]], [[1.0, 1.0]]), rb.Dual(engine="compiled")
        )
    with pytest.raises(rb.InputError, match="auto, compiled and graph"):
        rb.Dual(engine="fast")  # type: ignore[arg-type]

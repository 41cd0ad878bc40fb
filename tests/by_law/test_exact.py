"""Laws of the exact box: it holds every sample, is attained, is tighter than every bound, and survives degeneracy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import reachbox as rb
from reachbox.reach.exact import Exact, exact_stack
from tests.conftest import ZOO, Residual

PIECEWISE_LINEAR = ["relu", "leaky", "linear", "residual", "grouped", "clamped", "max_pool"]


def module_of(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    if name == "max_pool":  # the zoo's ends in tanh
        module = nn.Sequential(
            nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(3, 2, 2), nn.Flatten(), nn.Linear(2, 3)
        )
        return module, (1, 6, 6)
    return ZOO[name].make(), ZOO[name].shape


def box_of(shape: tuple[int, ...], samples: int, radius: float, varying: int = 4) -> rb.Box:
    """Boxes around random points in which only a few inputs vary."""
    x = torch.randn(samples, *shape, dtype=torch.float64)
    widths = torch.zeros_like(x)
    chosen = torch.randperm(widths[0].numel())[:varying]
    widths.flatten(1)[:, chosen] = radius
    return rb.Box(x - widths, x + widths)


def samples_of(box: rb.Box, count: int) -> Tensor:
    """Random points and corners, `(count, batch, *features)`."""
    points = box.lower + box.width * torch.rand(count, *box.shape, dtype=torch.float64)
    corners = torch.where(torch.rand_like(points) < 0.5, box.lower, box.upper)
    return torch.cat([points, corners])


def check_attained(network: rb.Network, box: rb.Box, out: rb.Reach) -> None:
    """The attaining inputs lie in the box and give the inner values, which are close to the outer ones."""
    for inner, outer, points in (
        (out.inner_lower, out.lower, out.attaining_lower), (out.inner_upper, out.upper, out.attaining_upper),
    ):  # fmt: skip
        assert inner is not None
        assert points is not None
        torch.testing.assert_close(inner, outer, rtol=0, atol=1e-6)
        for row in range(outer.shape[1]):
            assert box.contains(points[:, row]).all()
            torch.testing.assert_close(network(points[:, row]).flatten(1)[:, row], inner[:, row], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", PIECEWISE_LINEAR)
@given(seed=st.integers(0, 10_000), radius=st.floats(0, 1))
def test_it_holds_every_sample_and_is_attained(name: str, seed: int, radius: float) -> None:
    torch.manual_seed(seed)
    module, shape = module_of(name)
    network, box = rb.Network.from_module(module, torch.zeros(1, *shape)), box_of(shape, 2, radius, varying=3)
    out = rb.reach(network, box, Exact())
    assert out.kind is rb.Kind.EXACT
    outputs = torch.stack([network(point).flatten(1) for point in samples_of(box, 64)])
    assert (out.lower <= outputs).all()
    assert (outputs <= out.upper).all()
    check_attained(network.to(torch.float64), box, out)


@pytest.mark.parametrize("method", ["interval", "dual", "crown", "alpha"])
@pytest.mark.parametrize("name", PIECEWISE_LINEAR)
def test_it_lies_inside_every_bound_and_holds_the_samples_found(name: str, method: str) -> None:
    module, shape = module_of(name)
    box = box_of(shape, 3, 0.4)
    out, looser = rb.reach(module, box, Exact()), rb.reach(module, box, method)
    seen = rb.reach(module, box, rb.Sampled(samples=64, steps=20))
    assert (looser.lower <= out.lower + 1e-9).all()
    assert (out.upper <= looser.upper + 1e-9).all()
    assert (out.lower <= seen.lower).all()
    assert (seen.upper <= out.upper).all()


@given(seed=st.integers(0, 10_000), share=st.floats(0.1, 0.9))
def test_the_halves_of_a_box_together_reach_what_it_reaches(seed: int, share: float) -> None:
    torch.manual_seed(seed)
    module = ZOO["relu"].make().double()
    whole = rb.Box.around(torch.randn(1, 4, dtype=torch.float64), 0.5)
    cut = float(whole.lower[0, 0] + share * whole.width[0, 0])
    left, right = whole.upper.clone(), whole.lower.clone()
    left[0, 0], right[0, 0] = cut, cut
    parts = rb.reach(module, rb.Box(torch.cat([whole.lower, right]), torch.cat([left, whole.upper])), Exact())
    out = rb.reach(module, whole, Exact())
    torch.testing.assert_close(parts.lower.amin(0), out.lower[0], rtol=0, atol=1e-7)
    torch.testing.assert_close(parts.upper.amax(0), out.upper[0], rtol=0, atol=1e-7)


def test_a_polytope_may_have_more_facets_than_a_machine_word_has_bits() -> None:
    kinks = torch.linspace(-1, 1, 200, dtype=torch.float64)
    height = torch.randn(200, dtype=torch.float64)
    module = nn.Sequential(nn.Linear(1, 200), nn.ReLU(), nn.Linear(200, 1)).double()
    module[0].weight.data.fill_(1.0)
    module[0].bias.data.copy_(-kinks)
    module[2].weight.data.copy_(height[None])
    ends = torch.cat([kinks, torch.tensor([-1.5, 1.5], dtype=torch.float64)])
    values = module(ends[:, None]).detach()
    out = rb.reach(module, rb.Box([[-1.5]], [[1.5]]), Exact())
    torch.testing.assert_close(out.lower.squeeze(), values.min(), rtol=0, atol=1e-7)
    torch.testing.assert_close(out.upper.squeeze(), values.max(), rtol=0, atol=1e-7)


def test_results_do_not_depend_on_the_number_of_threads_or_the_batch() -> None:
    module = ZOO["relu"].make()
    box = box_of((4,), 200, 0.3)
    torch.set_num_threads(2)
    together = rb.reach(module, box, Exact())
    torch.set_num_threads(1)
    alone = rb.reach(module, rb.Box(box.lower[150:151], box.upper[150:151]), Exact())
    assert torch.equal(together.lower[150:151], alone.lower)
    assert torch.equal(together.upper[150:151], alone.upper)


def degenerate_stack(generator: torch.Generator, networks: int, inputs: int) -> tuple[list[Tensor], list[Tensor]]:
    """Networks of small integers with zero biases and units that are copies or mirror images of others."""

    def integers(*size: int) -> Tensor:
        return torch.randint(-2, 3, size, generator=generator).double()

    sizes = [inputs, 6, 6, 2]
    weights = [integers(networks, after, before) for before, after in pairwise(sizes)]
    biases = [integers(networks, after) * (torch.rand(networks, 1, generator=generator) < 0.5) for after in sizes[1:]]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        weight[:, 1], bias[:, 1] = weight[:, 0], bias[:, 0]
        weight[:, 3], bias[:, 3] = -weight[:, 2], -bias[:, 2]
    return weights, biases


def outputs_of(weights: list[Tensor], biases: list[Tensor], points: Tensor) -> Tensor:
    """Outputs `(networks, points, outputs)`."""
    values = points
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        values = values @ weight.mT + bias[:, None]
        values = values.clamp(min=0) if number < len(weights) - 1 else values
    return values


@pytest.mark.parametrize("inputs", [1, 2, 3, 4])
def test_degenerate_networks_are_exact(inputs: int) -> None:
    generator = torch.Generator().manual_seed(inputs)
    weights, biases = degenerate_stack(generator, 250, inputs)
    lower, upper = torch.full((2, inputs), -1.0).double(), torch.ones(2, inputs).double()
    lower[1, 0], upper[1, 0] = 1.0, 1.0  # an input without width, on a kink of many units
    out = exact_stack(weights, biases, rb.Box(lower, upper))
    assert out.kind is rb.Kind.EXACT
    grid = torch.linspace(-1, 1, 5, dtype=torch.float64)
    lattice = torch.cartesian_prod(*[grid] * inputs).reshape(-1, inputs)
    random = 2 * torch.rand(500, inputs, generator=generator, dtype=torch.float64) - 1
    for sample in range(2):
        points = torch.cat([lattice, random]).clamp(lower[sample], upper[sample])
        values = outputs_of(weights, biases, points)
        low, high = (bound.reshape(250, 2, 2)[:, sample] for bound in (out.lower, out.upper))
        assert (low <= values.amin(1)).all()
        assert (values.amax(1) <= high).all()
        for points_at, bound in ((out.attaining_lower, low), (out.attaining_upper, high)):
            assert points_at is not None
            at = points_at.reshape(250, 2, 2, inputs)[:, sample]
            attained = outputs_of(weights, biases, at).diagonal(dim1=1, dim2=2)
            torch.testing.assert_close(attained, bound, rtol=0, atol=1e-7)


def test_weights_scaled_by_powers_of_two_scale_the_box() -> None:
    torch.manual_seed(3)
    weights, biases = (
        [torch.randn(2, 6, 3).double(), torch.randn(2, 2, 6).double()],
        [torch.randn(2, 6), torch.randn(2, 2)],
    )
    box = rb.Box.around(torch.randn(3, 3).double(), 0.5)
    out = exact_stack(weights, biases, box)
    scaled = exact_stack([weights[0], 8 * weights[1]], [biases[0], 8 * biases[1]], box)
    torch.testing.assert_close(scaled.width, 8 * out.width, rtol=1e-9, atol=0)


def test_residual_connections_are_carried() -> None:
    module = Residual().double().eval()
    box = box_of((1, 4, 4), 2, 0.5, varying=5)
    out = rb.reach(module, box, Exact())
    check_attained(rb.Network.from_module(module, torch.zeros(1, 1, 4, 4)), box, out)
    assert np.all(out.status == "solved")

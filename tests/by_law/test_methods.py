"""Laws of the methods: boxes contain every sample, tighter methods lie inside looser ones, gradients are right."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import reachbox as rb
from reachbox.reach import METHODS
from tests.conftest import ZOO, Example

SOUND = [name for name in ("interval", "dual", "crown", "alpha") if name in METHODS]
DIFFERENTIABLE = [name for name, method in METHODS.items() if method.differentiable]
TOLERANCE = 1e-10


@cache
def captured(name: str) -> tuple[nn.Module, rb.Network]:
    """A network of the zoo, captured once: its weights stay the module's."""
    module = ZOO[name].make()
    return module, rb.Network.from_module(module, torch.zeros(1, *ZOO[name].shape))


def network_of(name: str, seed: int) -> tuple[rb.Network, tuple[int, ...]]:
    """A network of the zoo with weights drawn anew."""
    module, network = captured(name)
    torch.manual_seed(seed)
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Conv2d)):
            part.reset_parameters()
            part.weight.data.mul_(1.5)
    return network, ZOO[name].shape


@pytest.mark.parametrize("name", list(ZOO))
@given(seed=st.integers(0, 10_000), radius=st.floats(0, 1))
def test_every_sample_lies_in_every_sound_box(name: str, seed: int, radius: float) -> None:
    network, shape = network_of(name, seed)
    x = torch.randn(2, *shape, dtype=torch.float64)
    box = rb.Box.around(x, radius * torch.rand(2, *shape, dtype=torch.float64))
    points = box.lower + box.width * torch.rand(64, 2, *shape, dtype=torch.float64)
    corners = torch.where(torch.rand_like(points) < 0.5, box.lower, box.upper)
    outputs = torch.stack([network(point) for point in (*points, *corners)])
    seen = rb.reach(network, box, rb.Sampled(samples=32, steps=5))
    for method in SOUND:
        out = rb.reach(network, box, method)
        assert (out.lower - TOLERANCE <= outputs).all()
        assert (outputs <= out.upper + TOLERANCE).all()
        assert (out.lower - TOLERANCE <= seen.lower).all()
        assert (seen.upper <= out.upper + TOLERANCE).all()


@pytest.mark.parametrize("name", ["relu", "leaky", "linear", "clamped"])
@given(seed=st.integers(0, 10_000), radius=st.floats(0.001, 0.3))
def test_the_exact_box_lies_between_samples_and_every_sound_box(name: str, seed: int, radius: float) -> None:
    network, shape = network_of(name, seed)
    box = rb.Box.around(torch.randn(2, *shape, dtype=torch.float64), radius)
    seen, exact = (rb.reach(network, box, method) for method in ("sampled", "exact"))
    assert exact.kind == "exact"
    assert (exact.lower <= seen.lower).all()
    assert (seen.upper <= exact.upper).all()
    for method in SOUND:
        out = rb.reach(network, box, method)
        assert (out.lower <= exact.lower + 1e-7).all()
        assert (exact.upper <= out.upper + 1e-7).all()


@pytest.mark.parametrize("name", list(ZOO))
@given(seed=st.integers(0, 10_000), radius=st.floats(0.001, 0.5))
def test_alpha_is_never_looser_than_crown(name: str, seed: int, radius: float) -> None:
    network, shape = network_of(name, seed)
    box = rb.Box.around(torch.randn(2, *shape, dtype=torch.float64), radius)
    crown, alpha = rb.reach(network, box, "crown"), rb.reach(network, box, rb.Alpha(steps=5))
    assert (alpha.lower >= crown.lower - TOLERANCE).all()
    assert (alpha.upper <= crown.upper + TOLERANCE).all()


@given(seed=st.integers(0, 2**31), radius=st.floats(0.02, 0.5))
@settings(max_examples=10)
def test_alpha_reaches_the_linear_program_of_one_layer(seed: int, radius: float) -> None:
    """Its optimum is that program (Salman et al. 2019) on the same ranges, here those of intervals."""
    torch.manual_seed(seed)
    network = torch.nn.Sequential(torch.nn.Linear(5, 40), torch.nn.ReLU(), torch.nn.Linear(40, 3)).double()
    box = rb.Box.around(torch.randn(2, 5, dtype=torch.float64), radius)
    program, alpha = rb.reach(network, box, "lp"), rb.reach(network, box, rb.Alpha(steps=60))
    assert (alpha.upper >= program.upper - TOLERANCE).all()
    assert (alpha.width <= 1.02 * program.width).all()


@pytest.mark.parametrize("method", ["interval", "dual"])
@given(seed=st.integers(0, 10_000), radius=st.floats(0.001, 0.5), factor=st.floats(1.0, 3.0))
def test_widths_grow_with_the_radius(method: str, seed: int, radius: float, factor: float) -> None:
    network, shape = network_of("relu", seed)
    x = torch.randn(3, *shape, dtype=torch.float64)
    small, large = (rb.reach(network, rb.Box.around(x, r), method) for r in (radius, radius * factor))
    assert (large.width >= small.width - TOLERANCE).all()


@pytest.mark.parametrize("method", SOUND)
def test_permuted_outputs_have_permuted_widths(method: str) -> None:
    module = ZOO["relu"].make()
    box = rb.Box.around(torch.randn(3, 4, dtype=torch.float64), 0.2)
    before = rb.reach(module, box, method).width
    order = torch.tensor([2, 0, 1])
    module[-1].weight.data = module[-1].weight.data[order]  # type: ignore[index, union-attr]
    module[-1].bias.data = module[-1].bias.data[order]  # type: ignore[index, union-attr]
    torch.testing.assert_close(rb.reach(module, box, method).width, before[:, order], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", SOUND)
def test_an_objective_of_units_gives_the_outputs(method: str, example: Example) -> None:
    network = rb.Network.from_module(example.make(), torch.zeros(1, *example.shape))
    box = rb.Box.around(torch.randn(2, *example.shape, dtype=torch.float64), 0.1)
    plain = rb.reach(network, box, method)
    rows = torch.eye(plain.lower.shape[1], dtype=torch.float64).expand(2, -1, -1)
    per_sample = rb.reach(network, box, method, objective=torch.cat([rows, -rows], dim=1))
    lower, mirrored = per_sample.lower.chunk(2, dim=1)
    torch.testing.assert_close(lower, plain.lower)
    torch.testing.assert_close(-mirrored, plain.upper, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (rb.Dual(engine="graph"), rb.Dual(engine="graph", memory=4000)),
        (rb.Dual(), rb.Dual(engine="graph")),
        (rb.Crown(), rb.Crown(memory=4000)),
        (rb.Alpha(), rb.Alpha(memory=4000)),
    ],
    ids=["dual", "engines", "crown", "alpha"],
)
def test_neither_chunks_nor_engines_change_anything(one: rb.Dual, other: rb.Dual, example: Example) -> None:
    module = example.make().double()
    box = rb.Box.around(torch.randn(3, *example.shape, dtype=torch.float64), 0.1)
    whole, chunked = rb.reach(module, box, one), rb.reach(module, box, other)
    torch.testing.assert_close(chunked.width, whole.width)
    if one.differentiable:
        weights = list(module.parameters())
        gradients = torch.autograd.grad(whole.width.sum(), weights, allow_unused=True)
        same = torch.autograd.grad(chunked.width.sum(), weights, allow_unused=True)
        for first, second in zip(gradients, same, strict=True):
            torch.testing.assert_close(
                *(torch.zeros(()) if g is None else g for g in (first, second)), check_dtype=False
            )


@pytest.mark.parametrize("method", DIFFERENTIABLE)
def test_gradients_equal_finite_differences(method: str, example: Example) -> None:
    module = example.make().double()
    network = rb.Network.from_module(module, torch.zeros(1, *example.shape))
    x = torch.randn(2, *example.shape, dtype=torch.float64)
    radius = 0.05 + 0.1 * torch.rand(2, *example.shape, dtype=torch.float64)
    weights = list(module.parameters())
    directions = [torch.randn_like(tensor) for tensor in (x, radius, *weights)]

    def total(step: float) -> Tensor:
        with torch.no_grad():
            for weight, direction in zip(weights, directions[2:], strict=True):
                weight.add_(step * direction)
        out = rb.reach(network, rb.Box.around(x + step * directions[0], radius + step * directions[1]), method)
        with torch.no_grad():
            for weight, direction in zip(weights, directions[2:], strict=True):
                weight.sub_(step * direction)
        return (out.lower * 0.3 + out.upper).sum().detach()

    x.requires_grad_()
    radius.requires_grad_()
    out = rb.reach(network, rb.Box.around(x, radius), method)
    gradients = torch.autograd.grad((out.lower * 0.3 + out.upper).sum(), [x, radius, *weights])
    slope = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))
    difference = (total(1e-6) - total(-1e-6)) / 2e-6
    torch.testing.assert_close(slope, difference, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("method", DIFFERENTIABLE)
def test_gradients_at_radius_zero_are_finite(method: str, example: Example) -> None:
    module = example.make().double()
    radius = torch.zeros(example.shape, dtype=torch.float64, requires_grad=True)
    box = rb.Box.around(torch.randn(2, *example.shape, dtype=torch.float64), radius)
    out = rb.reach(module, box, method)
    assert (out.width.abs() <= 1e-12).all()
    gradients = torch.autograd.grad(out.width.sum() + rb.Box(out.lower, out.upper + 1e-9).width.sum(), [radius])
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("method", DIFFERENTIABLE)
def test_gradients_of_weights_that_vanish_are_finite(method: str) -> None:
    """Training lets the weights of idle units decay below the smallest normal float32, whose inverse overflows."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2))
    sizes = torch.tensor([1e-42, 1e-38, 1e-36, 1e-20, 1.0, 1.0])
    for layer in (module[0], module[2]):
        layer.weight.data *= sizes[:, None]
        layer.bias.data *= 0
    module[2].weight.data[:, 0] = 0
    out = rb.reach(module, rb.Box.around(torch.randn(4, 3) / 10, 0.5), method, dtype=torch.float32)
    gradients = torch.autograd.grad(out.width.sum(), list(module.parameters()), allow_unused=True)
    assert all(torch.isfinite(gradient).all() for gradient in gradients if gradient is not None)


@pytest.mark.parametrize("method", ["interval", "dual", "crown"])
def test_float32_bounds_are_close_to_float64(method: str, example: Example) -> None:
    module = example.make()
    box = rb.Box.around(torch.randn(2, *example.shape), 0.1)
    coarse, fine = (rb.reach(module, box, method, dtype=dtype) for dtype in (torch.float32, torch.float64))
    assert coarse.lower.dtype == torch.float32
    torch.testing.assert_close(coarse.width.double(), fine.width, rtol=1e-3, atol=1e-4)


def test_the_better_methods_lie_inside_intervals_on_nearly_all_outputs() -> None:
    inside = []
    for seed in range(40):
        network, shape = network_of("relu", seed)
        box = rb.Box.around(torch.randn(4, *shape, dtype=torch.float64), 0.1)
        interval = rb.reach(network, box, "interval")
        for method in ("dual", "crown"):
            out = rb.reach(network, box, method)
            inside.append((out.lower >= interval.lower - TOLERANCE) & (out.upper <= interval.upper + TOLERANCE))
    share = torch.cat(inside).double().mean().item()
    assert share >= 0.99


def test_lower_margins_certify_what_attacks_cannot_break() -> None:
    module = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 3))
    x = torch.randn(50, 4, dtype=torch.float64)
    labels = module.double()(x).argmax(1)
    box = rb.Box.around(x, 0.1)
    found = rb.certify(module, box, labels)
    assert found.error == 0
    for _ in range(100):
        point = box.lower + box.width * torch.rand_like(x)
        flipped = module(point).argmax(1) != labels
        assert not (flipped & found.certified).any()

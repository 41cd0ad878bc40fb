"""Two neurons and the answer on paper, for every method."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import reachbox as rb
from reachbox.network.graph import Builder
from reachbox.network.operators import Linear, Relu


def chain(*layers: tuple[list[list[float]], list[float]]) -> rb.Network:
    """Linear layers with ReLU between them."""
    builder = Builder((len(layers[0][0][0]),))
    value = 0
    for number, (weight, bias) in enumerate(layers):
        layer = Linear(torch.tensor(weight, dtype=torch.float64), torch.tensor(bias, dtype=torch.float64))
        value = builder.add(f"linear{number}", layer, value)
        if number < len(layers) - 1:
            value = builder.add(f"relu{number}", Relu(), value)
    return builder.network(value)


def ranges(network: rb.Network, lower: list[float], upper: list[float], method: str) -> list[tuple[float, float]]:
    out = rb.reach(network, rb.Box([lower], [upper]), method)
    return list(zip(out.lower[0].tolist(), out.upper[0].tolist(), strict=True))


SOUND = ["interval", "dual", "crown", "alpha"]


@pytest.mark.parametrize("method", [*SOUND, "sampled"])
def test_an_affine_network_is_exact(method: str) -> None:
    # y = 2 x1 - x2 + 1 over [0, 1] x [0, 1]: from 0 to 3.
    network = chain(([[2.0, -1.0]], [1.0]))
    assert ranges(network, [0.0, 0.0], [1.0, 1.0], method) == [(pytest.approx(0.0), pytest.approx(3.0))]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        # z = x over [-1, 3], y = relu(z). True range 0 to 3.
        ("interval", (0.0, 3.0)),
        # Parallel lines of slope 3/4: from 3/4 * -1 = -0.75 to 3/4 * (3 + 1) = 3.
        ("dual", (-0.75, 3.0)),
        # Lower line z (3 > 1): from -1; upper line 3/4 (z + 1): to 3.
        ("crown", (-1.0, 3.0)),
        ("sampled", (0.0, 3.0)),
    ],
)
def test_one_unstable_relu(method: str, expected: tuple[float, float]) -> None:
    network = chain(([[1.0]], [0.0]), ([[1.0]], [0.0]))
    assert ranges(network, [-1.0], [3.0], method) == [pytest.approx(expected)]


def test_alpha_finds_the_better_lower_line() -> None:
    # The lower line 0 * z gives the true minimum 0, which crown's choice misses by 1.
    network = chain(([[1.0]], [0.0]), ([[1.0]], [0.0]))
    lower, upper = ranges(network, [-1.0], [3.0], "alpha")[0]
    assert -0.02 <= lower <= 0.0
    assert upper == pytest.approx(3.0)


def test_the_dual_bound_of_two_units() -> None:
    # z1 = x, z2 = -x over [-1, 1]; y = relu(z1) + relu(z2) = |x|. d = 1/2, r = 1/4 for both: the slopes cancel,
    # y = 1/2 +- (1/4 + 1/4), so 0 to 1. Crown (|l| = |u|, slope 0 below) gives the same; intervals give 0 to 2.
    network = chain(([[1.0], [-1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0]))
    assert ranges(network, [-1.0], [1.0], "dual") == [pytest.approx((0.0, 1.0))]
    assert ranges(network, [-1.0], [1.0], "crown") == [pytest.approx((0.0, 1.0))]
    assert ranges(network, [-1.0], [1.0], "interval") == [pytest.approx((0.0, 2.0))]


def test_the_dual_bound_of_two_hidden_layers() -> None:
    # x in [-1, 1]; z = (x, -x); h = relu(z) = z/2 + 1/4 +- 1/4; v = h1 - h2 = x +- 1/2, so [-3/2, 3/2]; y = relu(v):
    # d = 1/2, r = rho/4 = 3/8; y = v/2 + 3/8 +- 3/8 = x/2 + 3/8 +- (1/4 + 3/8) = 3/8 +- 9/8.
    network = chain(([[1.0], [-1.0]], [0.0, 0.0]), ([[1.0, -1.0]], [0.0]), ([[1.0]], [0.0]))
    assert ranges(network, [-1.0], [1.0], "dual") == [pytest.approx((-0.75, 1.5))]


def test_intersection_never_loosens_the_dual_bound() -> None:
    network = chain(([[1.0]], [0.0]), ([[1.0]], [0.0]))
    out = rb.reach(network, rb.Box([[-1.0]], [[3.0]]), rb.Dual(intersect=True))
    assert (out.lower.item(), out.upper.item()) == pytest.approx((0.0, 3.0))


@pytest.mark.parametrize("method", SOUND)
def test_a_leaky_relu(method: str) -> None:
    # Slope 1/2 below zero over [-2, 2]: true range -1 to 2. Chord slope 3/4; the line through the kink has offset 0,
    # the chord offset 1/2: dual from -3/2 to 2.
    module = nn.Sequential(nn.LeakyReLU(0.5))
    out = rb.reach(module, rb.Box([[-2.0]], [[2.0]]), method)
    expected = {"interval": (-1.0, 2.0), "dual": (-1.5, 2.0), "crown": (-1.0, 2.0), "alpha": (-1.0, 2.0)}
    assert (out.lower.item(), out.upper.item()) == pytest.approx(expected[method])


@pytest.mark.parametrize("method", SOUND)
def test_a_residual_sum_cancels_exactly_in_linear_methods(method: str) -> None:
    # relu(x) - x on [1, 2] is 0: back-substitution sees it, intervals do not.
    class Cancel(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(x) - x

    out = rb.reach(Cancel(), rb.Box([[1.0]], [[2.0]]), method)
    expected = (-1.0, 1.0) if method == "interval" else (0.0, 0.0)
    assert (out.lower.item(), out.upper.item()) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("method", SOUND)
def test_batch_norm_is_a_scale_and_a_shift(method: str) -> None:
    norm = nn.BatchNorm1d(1, eps=0.0)
    norm.running_mean = torch.tensor([1.0])
    norm.running_var = torch.tensor([4.0])
    norm.weight.data.fill_(6.0)
    norm.bias.data.fill_(-1.0)
    # 6 (x - 1) / 2 - 1 over [0, 2]: -4 to 2.
    out = rb.reach(norm, rb.Box([[0.0]], [[2.0]]), method)
    assert (out.lower.item(), out.upper.item()) == pytest.approx((-4.0, 2.0))


@pytest.mark.parametrize("method", SOUND)
def test_average_pooling(method: str) -> None:
    # Means of (x1, x2) and, rounded up, of x3 alone: radii 1, 2, 3 around 0 give 1.5 and 3.
    pool = nn.AvgPool1d(2, ceil_mode=True, count_include_pad=False)
    out = rb.reach(pool, rb.Box.around(torch.zeros(1, 1, 3), torch.tensor([[1.0, 2.0, 3.0]])), method)
    assert out.upper.tolist() == [pytest.approx([1.5, 3.0])]
    assert out.lower.tolist() == [pytest.approx([-1.5, -3.0])]


@pytest.mark.parametrize("method", SOUND)
def test_a_grouped_dilated_convolution(method: str) -> None:
    # Two groups; each output is a_i x[i] + b_i x[i + 2] of its own channel.
    layer = nn.Conv1d(2, 2, 2, dilation=2, groups=2, bias=False)
    layer.weight.data = torch.tensor([[[1.0, -2.0]], [[3.0, 4.0]]])
    out = rb.reach(layer, rb.Box.around(torch.zeros(1, 2, 3), torch.tensor([[1.0, 5.0, 2.0], [1.0, 5.0, 2.0]])), method)
    assert out.upper.tolist() == [pytest.approx([1 + 4, 3 + 8])]


@pytest.mark.parametrize("method", ["interval", "dual", "crown", "alpha"])
def test_max_pooling_with_a_sure_winner_is_exact(method: str) -> None:
    pool = nn.MaxPool1d(2)
    out = rb.reach(pool, rb.Box([[[0.0, 3.0]]], [[[1.0, 5.0]]]), method)
    assert (out.lower.item(), out.upper.item()) == pytest.approx((3.0, 5.0))


def test_max_pooling_against_zero_is_the_rule_for_relu() -> None:
    # max(z, 0) with z in [-1, 3]: the band of ReLU, slope 3/4, so dual gives -0.75 to 3.
    class AgainstZero(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.max_pool1d(nn.functional.pad(x, (0, 1)), 2)

    out = rb.reach(AgainstZero(), rb.Box([[[-1.0]]], [[[3.0]]]), "dual")
    assert (out.lower.item(), out.upper.item()) == pytest.approx((-0.75, 3.0))


def test_the_parallel_lines_of_tanh_touch_it() -> None:
    # Over [-1, 1] the chord has slope tanh(1); tanh'(t) = tanh(1) at t = atanh(sqrt(1 - tanh(1))).
    slope = math.tanh(1)
    touch = math.atanh(math.sqrt(1 - slope))
    gap = math.tanh(touch) - slope * touch
    out = rb.reach(nn.Tanh(), rb.Box([[-1.0]], [[1.0]]), "dual")
    assert out.upper.item() == pytest.approx(slope + gap)


def test_margins_are_bounded_as_objectives() -> None:
    # y = (x, x): the margin y1 - y2 is 0, though the output box has width 2 in both.
    network = chain(([[1.0], [1.0]], [0.0, 0.0]))
    out = rb.reach(network, rb.Box([[-1.0]], [[1.0]]), "interval", objective=[[1.0, -1.0]])
    assert (out.lower.item(), out.upper.item()) == (0.0, 0.0)


def test_the_volume_is_the_product_of_the_widths() -> None:
    network = chain(([[1.0], [3.0]], [0.0, 0.0]))
    assert rb.sensitivity(network, rb.Box([[-1.0]], [[1.0]])).item() == pytest.approx(math.log(2 * 6))


def test_a_point_has_width_zero() -> None:
    network = chain(([[1.0, 2.0], [3.0, -4.0]], [0.5, 0.5]), ([[1.0, -1.0]], [0.0]))
    for method in [*SOUND, "sampled"]:
        out = rb.reach(network, rb.Box.around([[0.3, 0.2]], 0.0), method)
        assert out.width.item() == 0.0
        assert out.log_volume.item() == -math.inf


def test_certificates_and_their_errors() -> None:
    # Logits (x, 0): class 0 where x > 0. Radius 1 around 2 is proven, around 0.5 is not, around -3 is class 1.
    network = chain(([[1.0], [0.0]], [0.0, 0.0]))
    found = rb.certify(network, rb.Box.around([[2.0], [0.5], [-3.0]], 1.0), torch.tensor([0, 0, 0]))
    assert found.certified.tolist() == [True, False, False]
    assert found.robust_error == pytest.approx(2 / 3)
    assert found.error == pytest.approx(1 / 3)


@pytest.mark.parametrize("labels", [[0, 0, 0], np.zeros(3, np.uint8), torch.zeros(3, dtype=torch.int32)])
def test_labels_are_whole_numbers_of_any_kind(labels: Any) -> None:
    network = chain(([[1.0], [0.0]], [0.0, 0.0]))
    found = rb.certify(network, rb.Box.around([[2.0], [0.5], [-3.0]], 1.0), labels)
    assert found.certified.tolist() == [True, False, False]


def test_the_public_names_are_listed_before_they_are_imported() -> None:
    code = "import reachbox, sys; print(*dir(reachbox)); assert 'torch' not in sys.modules"
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(rb.__all__) <= set(listed)
    assert all(hasattr(rb, name) for name in listed)


def test_summary_of_volumes() -> None:
    found = rb.summarise(torch.tensor([math.log(1.0), math.log(100.0), -math.inf]))
    assert math.exp(found.log_mean) == pytest.approx(101 / 3)
    assert math.exp(found.log_median) == pytest.approx(1.0)
    assert found.log10_geometric_mean == pytest.approx(1.0)
    assert found.positive_share == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n, b: rb.reach(n, b, "duel"), "unknown; allowed"),
        (lambda n, b: rb.reach(n, rb.Box([[0.0, 0.0]], [[1.0, 1.0]])), "takes"),
        (lambda n, b: rb.reach(n, b, objective=[[1.0, 2.0, 3.0]]), "objective"),
        (lambda n, b: rb.reach(n, b, objective=[[float("nan"), 0.0]]), "finite"),
        (lambda n, b: rb.certify(n, b, torch.tensor([5])), "0 to 1 is allowed"),
        (lambda n, b: rb.certify(n, b, torch.tensor([0]), "sampled"), "prove nothing"),
        (lambda n, b: rb.certify(n, b, 0), "a whole number for each sample is needed"),
        (lambda n, b: rb.certify(n, b, [0.5]), "a whole number for each sample is needed, found float64"),
        (lambda n, b: rb.certify(n, b, ["first"]), "a whole number for each sample is needed, found list"),
        (lambda n, b: rb.certify(n, (b.lower, b.upper), [0]), "a reachbox.Box is needed"),
        (lambda n, b: rb.reach(n, (b.lower, b.upper)), "a reachbox.Box is needed"),
        (lambda n, b: rb.reach("net", b), "reachbox.Network or a torch module"),
        (lambda n, b: rb.reach(n, b, rb.Sampled(samples=0)), "samples >= 1"),
        (lambda n, b: rb.save(nn.Linear(1, 1), "never.onnx"), r"never\.onnx: a reachbox\.Network is needed"),
    ],
)
def test_misuse_is_one_line(call: object, message: str) -> None:
    network = chain(([[1.0], [0.0]], [0.0, 0.0]))
    with pytest.raises(rb.InputError, match=message) as caught:
        call(network, rb.Box([[0.0]], [[1.0]]))  # type: ignore[operator]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("method", [*SOUND, "sampled"])
def test_a_weight_that_is_not_finite_is_named(method: str, bad: float) -> None:
    network = chain(([[1.0], [bad]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0]))
    with pytest.raises(rb.InputError, match=r"linear0.*weight"):
        rb.reach(network, rb.Box([[0.0]], [[1.0]]), method)


@pytest.mark.parametrize("method", SOUND)
def test_huge_and_tiny_weights_are_bounded_or_refused(method: str) -> None:
    big = chain(([[1e20], [-1e20]], [0.0, 0.0]), ([[1e20, 1e-310]], [0.0]))
    out = rb.reach(big, rb.Box([[-1.0]], [[1.0]]), method)
    assert out.lower.item() <= 0.0
    assert out.upper.item() >= 1e40 * (1 - 1e-12)
    overflow = chain(([[1e300], [-1e300]], [0.0, 0.0]), ([[1e300, 1e300]], [0.0]))
    with contextlib.suppress(rb.InputError):
        assert rb.reach(overflow, rb.Box([[-1.0]], [[1.0]]), method).upper.item() == math.inf

"""The exact box worked on paper."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from math import inf
from threading import Timer
from time import perf_counter

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import reachbox as rb
from reachbox.errors import InputError, UnsupportedError
from reachbox.reach.exact import Exact, exact_stack
from reachbox.reach.exact.polytope import cube, fill_heights, split
from reachbox.reach.program import lower


def linear(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight)).double()
    layer.weight.data = torch.tensor(weight, dtype=torch.float64)
    layer.bias.data = torch.tensor(bias, dtype=torch.float64)
    return layer


def two_ramps() -> nn.Module:
    """`relu(a + b) - relu(a - b)`."""
    return nn.Sequential(linear([[1, 1], [1, -1]], [0, 0]), nn.ReLU(), linear([[1, -1]], [0]))


def distance() -> nn.Module:
    """`|a|`."""
    return nn.Sequential(linear([[1], [-1]], [0, 0]), nn.ReLU(), linear([[1, 1]], [0]))


def close(found: Tensor | None, expected: list[list[float]]) -> None:
    assert found is not None
    torch.testing.assert_close(found, torch.tensor(expected).double(), rtol=0, atol=1e-9)


def test_two_ramps_reach_their_extremes_at_two_corners() -> None:
    out = rb.reach(two_ramps(), rb.Box([[-1.0, -1.0]], [[1.0, 1.0]]), Exact())
    assert out.kind is rb.Kind.EXACT
    close(out.lower, [[-2]])
    close(out.upper, [[2]])
    assert out.attaining_lower is not None
    assert out.attaining_upper is not None
    assert out.attaining_lower.tolist() == [[[1.0, -1.0]]]
    assert out.attaining_upper.tolist() == [[[1.0, 1.0]]]


def test_the_least_distance_is_attained_inside() -> None:
    out = rb.reach(distance(), rb.Box([[-1.0]], [[2.0]]), Exact())
    close(out.lower, [[0]])
    close(out.upper, [[2]])
    close(out.attaining_lower.squeeze(1) if out.attaining_lower is not None else None, [[0]])


def test_proven_bounds_enclose_attained_values() -> None:
    out = rb.reach(two_ramps(), rb.Box([[-0.3, 0.1]], [[0.7, 0.4]]), Exact())
    assert out.inner_lower is not None
    assert out.inner_upper is not None
    assert float(out.lower) < float(out.inner_lower) < float(out.inner_upper) < float(out.upper)


def test_an_input_of_zero_width_is_held() -> None:
    out = rb.reach(two_ramps(), rb.Box([[0.5, -1.0]], [[0.5, 1.0]]), Exact())
    close(out.lower, [[-1.5]])
    close(out.upper, [[1.5]])


def test_a_box_without_width_is_a_point() -> None:
    out = rb.reach(two_ramps(), rb.Box([[0.5, 0.25]], [[0.5, 0.25]]), Exact())
    close(out.lower, [[0.5]])
    close(out.upper, [[0.5]])


@pytest.mark.parametrize(
    ("slope", "least", "most"), [(0.25, -0.5, 3.0), (1.0, -2.0, 3.0), (-0.5, 0.0, 3.0), (2.0, -4.0, 3.0)]
)
def test_leaky_relu_with_any_slope(slope: float, least: float, most: float) -> None:
    out = rb.reach(nn.Sequential(linear([[1]], [0]), nn.LeakyReLU(slope)), rb.Box([[-2.0]], [[3.0]]), Exact())
    close(out.lower, [[least]])
    close(out.upper, [[most]])


def test_max_pool_takes_the_largest_of_its_window() -> None:
    box = rb.Box([[[[-1.0, -2.0], [0.0, -3.0]]]], [[[[1.0, 3.0], [0.5, 2.0]]]])
    out = rb.reach(nn.MaxPool2d(2), box, Exact())
    close(out.lower, [[0]])
    close(out.upper, [[3]])
    assert out.attaining_lower is not None
    assert out.attaining_lower.shape == (1, 1, 1, 2, 2)


def test_an_objective_bounds_a_margin() -> None:
    module = nn.Sequential(linear([[1, 1], [1, -1]], [0, 0]), nn.ReLU())
    out = rb.reach(module, rb.Box([[-1.0, -1.0]], [[1.0, 1.0]]), Exact(), objective=[[1.0, -1.0], [1.0, 1.0]])
    close(out.lower, [[-2, 0]])
    close(out.upper, [[2, 2]])


def test_a_cut_through_two_corners_leaves_two_triangles() -> None:
    vertices = cube(2, 1)
    vertices.normal[:] = [1.0, 1.0]
    fill_heights(vertices, 0, 4, 0.0)
    middle, first, end = split(vertices, 0, 4, 1e-12, 4)
    below, above = ({*zip(*vertices.points[:, part], strict=True)} for part in (slice(middle), slice(first, end)))
    assert below == {(-1, -1), (-1, 1), (1, -1)}
    assert above == {(1, 1), (-1, 1), (1, -1)}


def test_a_cut_beside_one_corner_of_a_cube_keeps_every_vertex_apart() -> None:
    vertices = cube(3, 1)
    vertices.normal[:] = [1.0, 1.0, 1.0]
    fill_heights(vertices, 0, 8, -2.0)
    middle, first, end = split(vertices, 0, 8, 1e-12, 6)
    below, above = ({*zip(*vertices.points[:, part], strict=True)} for part in (slice(middle), slice(first, end)))
    cut = {(0, 1, 1), (1, 0, 1), (1, 1, 0)}
    assert above == cut | {(1, 1, 1)}
    assert len(below) == middle == 10
    assert cut < below


def test_affine_operators_become_one_matrix() -> None:
    norm = nn.BatchNorm1d(2).double().eval()
    norm.running_var, norm.running_mean = torch.full((2,), 4.0 - norm.eps).double(), torch.tensor([1.0, 0.0]).double()
    module = nn.Sequential(linear([[2, 0], [0, 2]], [1, 2]), norm, nn.ReLU())
    program = lower(rb.Network.from_module(module, torch.zeros(1, 2)))
    assert program.begin.tolist() == [2, 4, 6]
    np.testing.assert_allclose(program.weights[0][:4], [1, 0, 0, 1])
    np.testing.assert_allclose(program.biases[0], [0, 0, 0, 1, 0, 0])


def test_a_time_limit_of_zero_leaves_proven_bounds() -> None:
    box = rb.Box([[-1.0, -1.0]], [[1.0, 1.0]])
    out = rb.reach(two_ramps(), box, Exact(time_limit=0))
    assert out.lower.item() <= -2
    assert out.upper.item() >= 2
    assert out.status is not None
    assert (out.status == "timeout").all()


def hard_problem() -> tuple[nn.Module, rb.Box]:
    """More regions than the default budget."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 60), nn.ReLU(), nn.Linear(60, 60), nn.ReLU(), nn.Linear(60, 3)).double()
    return module, rb.Box.around(torch.randn(1, 8, dtype=torch.float64), 1.0)


def test_a_time_limit_is_kept() -> None:
    module, box = hard_problem()
    out = rb.reach(module, box, Exact(time_limit=0.2))
    seen = rb.reach(module, box, rb.Sampled())
    assert out.status is not None
    assert (out.status == "timeout").all()
    assert out.inner_upper is not None
    assert (seen.upper <= out.upper).all()
    assert (out.inner_upper <= out.upper).all()


def test_an_interrupt_ends_the_search() -> None:
    module, box = hard_problem()
    network = rb.Network.from_module(module, box.lower)
    seconds = inf
    while seconds > 2:  # until everything is compiled: the compiler swallows an interrupt
        started = perf_counter()
        rb.reach(network, box, Exact(regions=10**9, time_limit=0.5))
        seconds = perf_counter() - started
    timer = Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    started = perf_counter()
    with pytest.raises(KeyboardInterrupt):
        rb.reach(network, box, Exact(regions=10**9))
    assert perf_counter() - started < 10


def test_too_many_regions_are_reported_and_the_bounds_stay_proven() -> None:
    out = rb.reach(two_ramps(), rb.Box([[-1.0, -1.0]], [[1.0, 1.0]]), Exact(regions=2, engine="enumeration"))
    assert out.kind is rb.Kind.SOUND
    assert out.status is not None
    assert (out.status == "overflow").all()
    assert -inf < out.lower.item() <= -2
    assert 2 <= out.upper.item() < inf


def test_a_gap_above_the_tolerance_is_not_called_exact() -> None:
    out = rb.reach(two_ramps(), rb.Box([[-1.0, -1.0]], [[1.0, 1.0]]), Exact(tolerance=0))
    assert out.kind is rb.Kind.SOUND
    assert out.status is not None
    assert (out.status == "rounding").all()


def test_a_stack_is_what_its_networks_are_one_by_one() -> None:
    torch.manual_seed(0)
    weights, biases = [torch.randn(3, 5, 2), torch.randn(3, 2, 5)], [torch.randn(3, 5), torch.randn(3, 2)]
    box = rb.Box.around(torch.randn(4, 2).double(), 0.5)
    stacked = exact_stack(weights, biases, box)
    for number in range(3):
        module = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 2))
        for index, k in ((0, 0), (2, 1)):
            module[index].weight.data = weights[k][number]
            module[index].bias.data = biases[k][number]
        alone = rb.reach(module, box, Exact())
        torch.testing.assert_close(stacked.lower.reshape(3, 4, 2)[number], alone.lower, rtol=0, atol=1e-9)
        torch.testing.assert_close(stacked.upper.reshape(3, 4, 2)[number], alone.upper, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Exact(tolerance=-1.0), InputError, "tolerance"),
        (lambda: Exact(tolerance=float("nan")), InputError, "tolerance"),
        (lambda: Exact(time_limit=-1.0), InputError, "time limit"),
        (lambda: Exact(regions=0), InputError, "region"),
        (lambda: exact_stack([], [], rb.Box([[0.0]], [[1.0]])), InputError, "at least 1"),
        (lambda: exact_stack([[[[1.0]]]], [[[1.0, 2.0]]], rb.Box([[0.0]], [[1.0]])), InputError, "layer 0"),
        (lambda: exact_stack([[[[1.0]]]], [[[1.0]]], rb.Box([[0.0, 0.0]], [[1.0, 1.0]])), InputError, "samples, 1"),
        (lambda: rb.reach(nn.Tanh(), rb.Box([[0.0]], [[1.0]]), Exact()), UnsupportedError, "piecewise linear"),
        (
            lambda: rb.reach(nn.ReLU(), rb.Box([[0.0] * 13], [[1.0] * 13]), Exact(engine="enumeration")),
            UnsupportedError,
            "13 inputs vary",
        ),
        (lambda: rb.reach(linear([[1e308]], [0]), rb.Box([[0.0]], [[1e9]]), Exact()), InputError, "overflow"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_says_so(make: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()

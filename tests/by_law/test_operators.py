"""Laws of the operators: transposes are adjoint, absolute radii are reached, lines never cut the graph."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import reachbox as rb
from reachbox.network.operators import OPERATORS, Activation, Affine, Relu, Sigmoid, Tanh
from reachbox.reach.relaxation import band, lines_of_slope, tight_lines
from tests.conftest import ZOO, Example

ACTIVATIONS: list[Activation] = [Relu(), Relu(0.1), Relu(-1.0), Relu(2.0), Sigmoid(), Tanh()]
reals = st.floats(-30, 30, allow_subnormal=False)


def affine_nodes(example: Example) -> list[tuple[Affine, list[tuple[int, ...]]]]:
    network = rb.Network.from_module(example.make(), torch.zeros(1, *example.shape)).to(torch.float64)
    return [
        (node.operator, [network.shape_of(i) for i in node.inputs])
        for node in network.nodes
        if isinstance(node.operator, Affine)
    ]


def test_transposes_are_adjoint_and_constants_complete_the_map(example: Example) -> None:
    for operator, shapes in affine_nodes(example):
        inputs = [torch.randn(4, *shape, dtype=torch.float64) for shape in shapes]
        result = operator.forward(*inputs)
        rows = torch.randn_like(result)
        pulled = sum((row * x).flatten(1).sum(1) for row, x in zip(operator.transposed(rows), inputs, strict=True))
        torch.testing.assert_close((rows * result).flatten(1).sum(1), pulled + operator.constant(rows))


def test_the_absolute_map_is_reached_by_a_corner(example: Example) -> None:
    for operator, shapes in affine_nodes(example):
        radii = [torch.rand(1, *shape, dtype=torch.float64) for shape in shapes]
        result = operator.absolute(*radii)
        unit = torch.zeros_like(result)
        unit.view(-1)[result.numel() // 2] = 1
        reached = sum((r * t.abs()).sum() for r, t in zip(radii, operator.transposed(unit), strict=True))
        torch.testing.assert_close(reached, result.view(-1)[result.numel() // 2])


@pytest.mark.parametrize("operator", ACTIVATIONS, ids=lambda o: f"{o.name}{getattr(o, 'negative_slope', '')}")
@given(ends=st.tuples(reals, reals), share=st.floats(0, 1), slopes=st.tuples(st.floats(-2, 3), st.floats(-2, 3)))
def test_lines_never_cut_the_graph(
    operator: Activation, ends: tuple[float, float], share: float, slopes: tuple[float, float]
) -> None:
    low, high = (torch.tensor([end], dtype=torch.float64) for end in sorted(ends))
    points = torch.cat(
        [low + (high - low) * torch.linspace(0, 1, 201, dtype=torch.float64), low + (high - low) * share]
    )
    values = operator.forward(points.clamp(low, high))
    tolerance = 1e-12 * (1 + values.abs().max() + points.abs().max())
    pair = band(operator, low, high)
    middle = pair.line.slope * points + pair.line.offset
    assert (values <= middle + pair.radius + tolerance).all()
    assert (values >= middle - pair.radius - tolerance).all()
    free = lines_of_slope(operator, *(torch.tensor([s], dtype=torch.float64) for s in slopes), low, high)
    for lines in (tight_lines(operator, low, high), free):
        assert (values >= lines.lower.slope * points + lines.lower.offset - tolerance).all()
        assert (values <= lines.upper.slope * points + lines.upper.offset + tolerance).all()


@pytest.mark.parametrize("operator", ACTIVATIONS, ids=lambda o: f"{o.name}{getattr(o, 'negative_slope', '')}")
@given(ends=st.tuples(reals, reals), slope=st.floats(-1, 2))
def test_extremes_are_attained(operator: Activation, ends: tuple[float, float], slope: float) -> None:
    low, high = (torch.tensor([end], dtype=torch.float64) for end in sorted(ends))
    points = low + (high - low) * torch.linspace(0, 1, 20001, dtype=torch.float64)
    strays = operator.forward(points) - slope * points
    least, most = operator.extremes(torch.tensor([slope], dtype=torch.float64), low, high)
    spacing = 3 * (high - low) / 20000 + 1e-12
    assert strays.min() - spacing <= least <= strays.min() + 1e-9
    assert strays.max() - 1e-9 <= most <= strays.max() + spacing


@pytest.mark.parametrize("operator", ACTIVATIONS, ids=lambda o: f"{o.name}{getattr(o, 'negative_slope', '')}")
def test_derivatives_are_those_of_autograd(operator: Activation) -> None:
    z = (5 * torch.randn(99, dtype=torch.float64)).requires_grad_()
    (wanted,) = torch.autograd.grad(operator.forward(z).sum(), z)
    torch.testing.assert_close(operator.derivative(z.detach()), wanted, rtol=1e-12, atol=1e-15)


def test_the_zoo_holds_every_operator() -> None:
    seen = {
        type(node.operator)
        for example in ZOO.values()
        for node in rb.Network.from_module(example.make(), torch.zeros(1, *example.shape)).nodes
    }
    assert seen == set(OPERATORS)

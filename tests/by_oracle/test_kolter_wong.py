"""`dual` against Kolter and Wong's own code: `pip install --no-deps convex-adversarial`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import reachbox as rb

convex_adversarial = pytest.importorskip("convex_adversarial")
pytestmark = pytest.mark.oracle


def mlp() -> tuple[nn.Module, tuple[int, ...]]:
    return nn.Sequential(
        nn.Linear(4, 25), nn.ReLU(), nn.Linear(25, 25), nn.ReLU(), nn.Linear(25, 25), nn.ReLU(), nn.Linear(25, 3)
    ), (4,)  # fmt: skip


def convolutional() -> tuple[nn.Module, tuple[int, ...]]:
    return nn.Sequential(
        nn.Conv2d(1, 4, 4, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 4, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(24, 3),
    ), (1, 8, 8)  # fmt: skip


@pytest.mark.parametrize("make", [mlp, convolutional])
@pytest.mark.parametrize("radius", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("per_feature", [False, True])
def test_bounds_and_gradients_equal_the_reference(make: object, radius: float, per_feature: bool) -> None:
    module, shape = make()  # type: ignore[operator]
    module = module.double()
    x = torch.randn(5, *shape, dtype=torch.float64)
    eps = radius * (torch.rand(shape, dtype=torch.float64) if per_feature else torch.ones(shape, dtype=torch.float64))
    theirs = reference(module, x, eps)
    their_gradient = torch.autograd.grad(theirs.log().sum(), list(module.parameters()))
    ours = rb.reach(module, rb.Box.around(x, eps), "dual").width
    our_gradient = torch.autograd.grad(ours.log().sum(), list(module.parameters()))
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=0)
    for one, other in zip(our_gradient, their_gradient, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


def reference(module: nn.Module, x: Tensor, eps: Tensor) -> Tensor:
    """The widths that Eq. 7 multiplies: `-J(x, -I) - J(x, I)`. A radius for each feature goes in as input limits."""
    limits = {"bounded_input": True, "input_l": x - eps, "input_u": x + eps}
    dual = convex_adversarial.DualNetwork(module, x, 2 * eps.max().item(), **limits)
    outputs = module(x).shape[1]
    eye = torch.eye(outputs, dtype=x.dtype).expand(len(x), -1, -1).contiguous()
    widths = -dual(-eye) - dual(eye)
    assert isinstance(widths, Tensor)
    return widths

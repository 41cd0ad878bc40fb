"""The same bounds on every device."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

import reachbox as rb
from tests.conftest import Example

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.parametrize("method", ["sampled", "interval", "dual", "crown"])
def test_a_gpu_gives_the_bounds_of_the_processor(method: str, example: Example) -> None:
    module = example.make()
    x = torch.randn(3, *example.shape, dtype=torch.float64)
    here = rb.reach(module, rb.Box.around(x, 0.1), method)
    there = rb.reach(rb.Network.from_module(module, x).to(device="cuda"), rb.Box.around(x.cuda(), 0.1), method)
    assert there.lower.device.type == "cuda"
    torch.testing.assert_close(there.lower.cpu(), here.lower, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(there.upper.cpu(), here.upper, rtol=1e-6, atol=1e-8)


def test_alpha_lies_within_crown(example: Example) -> None:
    """Its search amplifies rounding at kinks, so that two devices may end in different sound bounds."""
    module, x = example.make(), torch.randn(3, *example.shape, dtype=torch.float64).cuda()
    network, box = rb.Network.from_module(module, x.cpu()).to(device="cuda"), rb.Box.around(x, 0.1)
    inside, tight, wide = (rb.reach(network, box, method) for method in ("sampled", "alpha", "crown"))
    for one, other in ((wide, tight), (tight, inside)):
        assert (one.lower <= other.lower + 1e-9).all()
        assert (one.upper >= other.upper - 1e-9).all()


def gradient(module: torch.nn.Module, x: Tensor, radius: float) -> Tensor:
    width = rb.reach(module, rb.Box.around(x, radius), "dual", dtype=x.dtype).width
    gradients = torch.autograd.grad(width.log().sum(), list(module.parameters()), allow_unused=True)
    return torch.cat([part.flatten() for part in gradients if part is not None])


def test_replayed_bounds_are_those_of_the_first_call(example: Example) -> None:
    module = example.make().double().cuda()
    for parameter in module.parameters():
        parameter.requires_grad_()
    samples = [torch.randn(3, *example.shape, dtype=torch.float64).cuda() for _ in range(6)]
    first = [gradient(copy.deepcopy(module), x, 0.1) for x in samples]
    for x, expected in zip(samples, first, strict=True):
        torch.testing.assert_close(gradient(module, x, 0.1), expected, rtol=1e-7, atol=1e-9)
    boxes = [rb.Box.around(x, 0.1) for x in samples[:2]]
    losses = [rb.reach(module, box, "dual").width.log().sum() for box in boxes]
    for loss, expected in zip(losses, first, strict=False):  # the second call came before the first one's gradient
        parts = torch.autograd.grad(loss, list(module.parameters()), allow_unused=True)
        found = torch.cat([part.flatten() for part in parts if part is not None])
        torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9)


def test_tf32_stays_out_of_bounds() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 64, 5), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(1024, 5)
    )
    x = torch.rand(4, 3, 8, 8)
    exact = rb.reach(module, rb.Box.around(x, 0.1)).width
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        found = rb.reach(module.cuda(), rb.Box.around(x.cuda(), 0.1), dtype=torch.float32).width
    finally:
        torch.set_float32_matmul_precision(before)
    torch.testing.assert_close(found.double().cpu(), exact, rtol=1e-5, atol=0)

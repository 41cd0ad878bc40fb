"""The same bounds on every device."""

from __future__ import annotations

import pytest
import torch

import reachbox as rb
from tests.conftest import Example

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.parametrize("method", ["sampled", "interval", "dual", "crown", "alpha"])
def test_a_gpu_gives_the_bounds_of_the_processor(method: str, example: Example) -> None:
    module = example.make()
    x = torch.randn(3, *example.shape, dtype=torch.float64)
    here = rb.reach(module, rb.Box.around(x, 0.1), method)
    there = rb.reach(rb.Network.from_module(module, x).to(device="cuda"), rb.Box.around(x.cuda(), 0.1), method)
    assert there.lower.device.type == "cuda"
    torch.testing.assert_close(there.lower.cpu(), here.lower, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(there.upper.cpu(), here.upper, rtol=1e-6, atol=1e-8)

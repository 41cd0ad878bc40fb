"""One network, read from torch and from ONNX files of several exporters: the same boxes, around all of onnxruntime."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import reachbox as rb
from tests.conftest import ZOO

onnxruntime = pytest.importorskip("onnxruntime")

EXPORTERS = {"ours": None, "old-11": (False, 11), "old-17": (False, 17), "dynamo-20": (True, 20)}
SOUND = ["interval", "dual", "crown", "alpha"]
ROUNDING = 1e-5  # onnxruntime computes in float32


def export(module: nn.Module, x: Tensor, exporter: str, path: Path) -> None:
    if EXPORTERS[exporter] is None:
        rb.save(rb.Network.from_module(module, x), path)
        return
    dynamo, opset = EXPORTERS[exporter]  # type: ignore[misc]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (x,), path, dynamo=dynamo, opset_version=opset, verbose=False)


@pytest.mark.parametrize("exporter", list(EXPORTERS))
@pytest.mark.parametrize("name", list(ZOO))
def test_bounds_agree_and_contain_every_sample(name: str, exporter: str, tmp_path: Path) -> None:
    module, shape = ZOO[name].make().eval(), ZOO[name].shape
    path = tmp_path / "net.onnx"
    export(module, torch.zeros(1, *shape), exporter, path)
    network, session = rb.load(path), onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    box = rb.Box.around(torch.randn(3, *shape, dtype=torch.float64), 0.1)
    points = box.lower + box.width * torch.rand(60, 3, *shape, dtype=torch.float64)
    feed = session.get_inputs()[0].name
    outputs = np.stack(
        [[session.run(None, {feed: x[None].float().numpy()})[0].reshape(-1) for x in batch] for batch in points]
    )
    for method in SOUND:
        ours, theirs = rb.reach(module, box, method), rb.reach(network, box, method)
        torch.testing.assert_close(theirs.lower, ours.lower.detach(), rtol=ROUNDING, atol=ROUNDING)
        torch.testing.assert_close(theirs.upper, ours.upper.detach(), rtol=ROUNDING, atol=ROUNDING)
        assert (theirs.lower.numpy() - ROUNDING <= outputs).all()
        assert (outputs <= theirs.upper.numpy() + ROUNDING).all()

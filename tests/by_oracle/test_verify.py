"""Counterexamples and proofs of `verify` against onnxruntime: it confirms every `sat`, and no sample breaks `unsat`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import reachbox as rb
from reachbox.network import Network
from reachbox.network.files import save
from reachbox.verify import Disjunct, HalfSpaces, Specification, onnx_judge, verify

onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.oracle


@pytest.mark.parametrize("seed", range(6))
def test_onnxruntime_confirms_the_verdicts(seed: int, tmp_path: Path) -> None:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 3))
    save(Network.from_module(module, torch.zeros(1, 3)), tmp_path / "net.onnx")
    network = rb.load(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession((tmp_path / "net.onnx").read_bytes(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def outputs(x: np.ndarray) -> np.ndarray:
        return np.asarray(session.run(None, {name: x.astype(np.float32)})[0], dtype=np.float64)

    generator = np.random.default_rng(seed)
    points = generator.uniform(-1, 1, (2000, 3)).astype(np.float32)
    y = outputs(points)
    verdicts = set()
    for share in (-0.3, -0.05, 0.01, 0.3, 0.9):
        rows = generator.normal(size=(2, 3))
        reached = y @ rows.T
        bounds = reached.min(0) + share * np.ptp(reached, 0)
        unsafe = HalfSpaces(rows, bounds, np.zeros(2, dtype=np.bool_))
        specification = Specification(3, 3, (Disjunct(-np.ones(3), np.ones(3), unsafe),))
        found = verify(network, specification, judge=onnx_judge(tmp_path / "net.onnx", network))
        verdicts.add(str(found.verdict))
        if found.counterexample is None:
            assert found.verdict == "unsat"
            assert not (reached <= bounds).all(1).any()
        else:
            again = outputs(found.counterexample.x[None])[0]
            assert (again == found.counterexample.y).all()
            assert unsafe.contain(again)
    assert verdicts == {"sat", "unsat"}

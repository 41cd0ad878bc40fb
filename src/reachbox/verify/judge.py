"""The judge of counterexamples: the network in float32, by onnxruntime where there is a file for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from reachbox.file_access import content_of
from reachbox.network import Network
from reachbox.verify.specification import Disjunct, Floats
from reachbox.verify.verdict import Counterexample

Judge: TypeAlias = Callable[[Floats], Floats]
"""The outputs `(outputs,)` of one input `(inputs,)`, which it rounds to float32."""


def network_judge(network: Network) -> Judge:
    """Our own evaluation in float32, on the processor."""
    network = network.to(torch.float32, "cpu")

    def judge(x: Floats) -> Floats:
        inputs = torch.from_numpy(x).to(torch.float32).reshape(1, *network.input_shape)
        with torch.no_grad():
            return np.asarray(network(inputs).flatten().double().numpy())

    return judge


def onnx_judge(path: str | os.PathLike[str], network: Network) -> Judge:
    """onnxruntime on the file itself, as the competitions judge; our own evaluation where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return network_judge(network)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session: Any = onnxruntime.InferenceSession(content_of(Path(path)), options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0]
    shape = [size if isinstance(size, int) and size > 0 else 1 for size in source.shape]
    kind = np.float64 if source.type == "tensor(double)" else np.float32

    def judge(x: Floats) -> Floats:
        inputs = x.astype(np.float32).astype(kind).reshape(shape)
        return np.asarray(session.run(None, {source.name: inputs})[0], dtype=np.float64).ravel()

    return judge


def confirmed(point: Floats, disjuncts: tuple[Disjunct, ...], judge: Judge) -> Counterexample | None:
    """The counterexample at a point of a box, if the judge's outputs are unsafe there for one of the disjuncts."""
    for disjunct in disjuncts:
        if (point < disjunct.lower).any() or (point > disjunct.upper).any():
            continue
        x = float32_inside(point, disjunct.lower, disjunct.upper)
        y = judge(x)
        if disjunct.unsafe.contain(y):
            return Counterexample(x, y)
    return None


def float32_inside(point: Floats, lower: Floats, upper: Floats) -> Floats:
    """The float32 nearest to each coordinate that its interval holds; the coordinate itself where it holds none."""
    single = point.astype(np.float32)
    single = np.where(single < lower, np.nextafter(single, np.float32(np.inf)), single)
    single = np.where(single > upper, np.nextafter(single, np.float32(-np.inf)), single)
    double = single.astype(np.float64)
    return np.asarray(np.where((double >= lower) & (double <= upper), double, point))

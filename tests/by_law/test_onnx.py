"""What is written is read back as the same function, and a batch is read sample by sample."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reachbox.network import Network, load, save
from reachbox.network.graph import Builder
from reachbox.network.onnx import read_onnx, write_onnx
from reachbox.network.operators import (
    Add,
    Concatenate,
    Convolution,
    Linear,
    MaxPool,
    Operator,
    Rearrange,
    Relu,
    Reshape,
    Scale,
    Sigmoid,
    Tanh,
)
from tests.onnx_models import CASES, make_model


def random_operator(kind: str, shape: tuple[int, ...], draw: np.random.Generator) -> Operator:
    """An operator that fits a value of this shape."""

    def tensor(*sizes: int) -> torch.Tensor:
        return torch.from_numpy(draw.normal(size=sizes))

    if kind == "linear":
        return Linear(tensor(int(draw.integers(1, 5)), shape[-1]), None)
    if kind == "rearrange":
        size = int(np.prod(shape))
        return Rearrange(torch.from_numpy(draw.integers(-1, size, size=draw.integers(1, 4, size=2))), shape)
    if kind == "reshape":
        return Reshape(shape, (int(np.prod(shape)), 1))
    if kind == "scale":
        return Scale(
            tensor(shape[-1]) if draw.random() < 0.7 else None, tensor(*shape) if draw.random() < 0.7 else None
        )
    if kind in ("convolution", "max_pool") and len(shape) == 2:
        return random_windows(kind, shape, draw)
    return {"sigmoid": Sigmoid(), "tanh": Tanh(), "relu": Relu()}.get(kind, Relu(float(draw.normal())))


def random_windows(kind: str, shape: tuple[int, ...], draw: np.random.Generator) -> Operator:
    """A convolution or max pooling with windows of two along the only spatial dimension."""
    stride, after = (int(draw.integers(1, 3)),), int(draw.integers(0, 2))
    if kind == "max_pool":
        return MaxPool((2,), stride, ((1, after),), (1,), shape)
    weight, bias = (torch.from_numpy(draw.normal(size=size)) for size in ((2, shape[0], 2), 2))
    return Convolution(weight, bias, stride, ((1, 2 * after),), (1,), 1, shape[1:])


KINDS = [
    "linear", "rearrange", "reshape", "scale", "convolution", "max_pool", "sigmoid", "tanh", "relu", "leaky", "add",
    "concatenate",
]  # fmt: skip


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A random graph in which every node uses the last value, and joins use an earlier one of the same shape."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    builder = Builder(draw(st.sampled_from([(3,), (2, 4), (1, 3), (2, 1, 3)])))
    value = 0
    for i, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=8))):
        shape = builder.shape_of(value)
        if kind in ("add", "concatenate"):
            other = max(v for v in range(value + 1) if builder.shape_of(v) == shape)
            axis = int(random.integers(0, len(shape)))
            join = Add() if kind == "add" else Concatenate(axis, (shape[axis],) * 2)
            value = builder.add(f"node {i}", join, other, value)
        else:
            value = builder.add(f"node {i}", random_operator(kind, shape, random), value)
    return builder.network(value)


@given(network=networks(), seed=st.integers(0, 2**32 - 1), opset=st.integers(13, 22))
def test_written_and_read_again(network: Network, seed: int, opset: int) -> None:
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(3, *network.input_shape)))
    wanted = network(x)
    with tempfile.TemporaryDirectory() as folder:
        write_onnx(network, Path(folder, "net.onnx"), dtype=torch.float64, opset=opset)
        save(network, Path(folder, "net.safetensors"))
        for name in ("net.onnx", "net.safetensors"):
            again = load(Path(folder, name))
            assert again.input_shape == network.input_shape
            assert again.output_shape == network.output_shape
            torch.testing.assert_close(again(x), wanted, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_a_fixed_and_a_dynamic_batch_are_read_alike(name: str, tmp_path: Path) -> None:
    features, steps, opsets = CASES[name]
    read = []
    for batch in (1, "batch"):
        onnx.save(make_model([batch, *features], steps, opsets[0]), tmp_path / "net.onnx")
        read.append(read_onnx(tmp_path / "net.onnx"))
    x = torch.randn(4, *features, dtype=torch.float64)
    fixed, dynamic = (network(x) for network in read)
    torch.testing.assert_close(fixed.reshape(dynamic.shape), dynamic, rtol=0, atol=0)
    alone = torch.cat([read[1](sample[None]) for sample in x])
    torch.testing.assert_close(dynamic, alone, rtol=1e-13, atol=1e-13)

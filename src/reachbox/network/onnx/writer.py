"""Writes a network as an ONNX file with a dynamic batch."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor

from reachbox.errors import InputError, UnsupportedError
from reachbox.file_access import write_atomically
from reachbox.network import lowering
from reachbox.network.graph import Network, Node
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
    Source,
    Tanh,
    resolve,
)

OPSETS = range(13, 23)
TYPES = {torch.float32: TensorProto.FLOAT, torch.float64: TensorProto.DOUBLE}


def write_onnx(
    network: Network, path: str | os.PathLike[str], *, opset: int = 17, dtype: torch.dtype = torch.float32
) -> None:
    """Writes a network with its present weights in `dtype`, float32 or float64, checked by ONNX's own checker.

    Input `input` is `(batch, *input_shape)` and output `output` is `(batch, *output_shape)`, the batch dynamic.
    Runtimes often lack convolutions in float64; float32 rounds the weights.
    The file appears whole or not at all. Raises `FileError` where it cannot be written, `InputError` for an opset or
    dtype that is not allowed and for weights that are not finite in `dtype`.
    """
    if opset not in OPSETS:
        raise InputError(f"opset: {OPSETS[0]} to {OPSETS[-1]} can be written, found {opset}")
    if dtype not in TYPES:
        raise InputError(f"dtype: torch.float32 or torch.float64 can be written, found {dtype}")
    model = Writer(network.to(dtype, "cpu"), dtype).model(opset)
    try:
        onnx.checker.check_model(model, full_check=True)
        content = model.SerializeToString()
    except ValueError:
        raise UnsupportedError(f"{path}: an ONNX file of 2 GB and more cannot be written") from None
    write_atomically(Path(path), content)


class Writer:
    """Collects ONNX nodes and weights; value `i` of the network is named after its place."""

    def __init__(self, network: Network, dtype: torch.dtype) -> None:
        self.network = network
        self.dtype = dtype
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def model(self, opset: int) -> ModelProto:
        """The whole model."""
        for number, node in enumerate(self.network.nodes, start=1):
            write = WRITERS.get(type(node.operator))
            if write is None:
                raise UnsupportedError(f"node {node.name!r}: operator {node.operator.name} cannot be written to ONNX")
            write(self, node, node.operator, [self.value(i) for i in node.inputs], self.value(number))
        if self.network.output == 0:
            self.add("Identity", ["input"], "output")
        ends = [
            helper.make_tensor_value_info(name, TYPES[self.dtype], ["batch", *shape])
            for name, shape in (("input", self.network.input_shape), ("output", self.network.output_shape))
        ]
        graph = helper.make_graph(self.nodes, "network", ends[:1], ends[1:], self.weights)
        opsets = [helper.make_opsetid("", opset)]
        version = helper.find_min_ir_version_for(opsets)
        return helper.make_model(graph, opset_imports=opsets, ir_version=version, producer_name="reachbox")

    def value(self, number: int) -> str:
        """The name of a value."""
        if number == 0:
            return "input"
        return "output" if number == self.network.output else f"value{number}"

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Appends a node and gives its output's name."""
        self.nodes.append(helper.make_node(operator, inputs, [output], name=f"{output}:{operator}", **attributes))
        return output

    def weight(self, name: str, source: Source | np.ndarray[Any, Any] | list[int]) -> str:
        """Keeps a constant and gives its name; lists become int64."""
        if isinstance(source, list):
            array = np.array(source, dtype=np.int64)
        else:
            array = source if isinstance(source, np.ndarray) else resolve(source).detach().numpy()
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name


Write = Callable[[Writer, Node, Any, list[str], str], object]


def linear(w: Writer, node: Node, operator: Linear, inputs: list[str], output: str) -> None:
    weight = resolve(operator.weight)
    if len(node.shape) == 1:
        bias = [] if operator.bias is None else [w.weight(f"{output}.bias", operator.bias)]
        w.add("Gemm", [*inputs, w.weight(f"{output}.weight", weight), *bias], output, transB=1)
        return
    product = output if operator.bias is None else f"{output}.product"
    w.add("MatMul", [*inputs, w.weight(f"{output}.weight", weight.T)], product)
    if operator.bias is not None:
        w.add("Add", [product, w.weight(f"{output}.bias", operator.bias)], output)


def convolution(w: Writer, node: Node, operator: Convolution, inputs: list[str], output: str) -> None:
    if min(min(pads) for pads in operator.padding) < 0:
        raise UnsupportedError(f"node {node.name!r}: a convolution with negative padding cannot be written to ONNX")
    constants = [w.weight(f"{output}.weight", operator.weight)]
    if operator.bias is not None:
        constants.append(w.weight(f"{output}.bias", operator.bias))
    w.add(
        "Conv", [*inputs, *constants], output, pads=flat(operator.padding), strides=operator.stride,
        dilations=operator.dilation, group=operator.groups, kernel_shape=resolve(operator.weight).shape[2:],
    )  # fmt: skip


def flat(padding: lowering.Pads) -> list[int]:
    """ONNX's order: what stands before each dimension, then what stands after."""
    return [before for before, _ in padding] + [after for _, after in padding]


def scale(w: Writer, node: Node, operator: Scale, inputs: list[str], output: str) -> None:
    steps = [("Mul", operator.scale), ("Add", operator.shift)]
    present = [(kind, source) for kind, source in steps if source is not None]
    value = inputs[0]
    for kind, source in present:
        result = output if kind == present[-1][0] else f"{output}.scaled"
        value = w.add(kind, [value, w.weight(f"{result}.{kind}", source)], result)
    if not present:
        w.add("Identity", inputs, output)


def add(w: Writer, node: Node, operator: Add, inputs: list[str], output: str) -> None:
    w.add("Sum", inputs, output)


def reshape(w: Writer, node: Node, operator: Reshape, inputs: list[str], output: str) -> None:
    w.add("Reshape", [*inputs, w.weight(f"{output}.shape", [-1, *operator.after])], output)


def rearrange(w: Writer, node: Node, operator: Rearrange, inputs: list[str], output: str) -> None:
    """Gather from the flattened features, behind which stands one zero where zeros are needed."""
    size = int(np.prod(operator.before, dtype=np.int64))
    flattened = w.add("Reshape", [*inputs, w.weight(f"{output}.flat", [-1, size])], f"{output}.flattened")
    index: Tensor = operator.index
    if bool((index < 0).any()):
        index = torch.where(index < 0, size, index)
        flattened = w.add("Pad", [flattened, w.weight(f"{output}.pads", [0, 0, 0, 1])], f"{output}.padded")
    w.add("Gather", [flattened, w.weight(f"{output}.index", index)], output, axis=1)


def concatenate(w: Writer, node: Node, operator: Concatenate, inputs: list[str], output: str) -> None:
    w.add("Concat", inputs, output, axis=operator.axis + 1)


def relu(w: Writer, node: Node, operator: Relu, inputs: list[str], output: str) -> None:
    slope = operator.negative_slope
    if slope == 0:
        w.add("Relu", inputs, output)
    elif w.dtype == torch.float32 or float(np.float32(slope)) == slope:
        w.add("LeakyRelu", inputs, output, alpha=slope)
    else:  # LeakyRelu states its slope in float32
        w.add("PRelu", [*inputs, w.weight(f"{output}.slope", torch.tensor([slope], dtype=w.dtype))], output)


def max_pool(w: Writer, node: Node, operator: MaxPool, inputs: list[str], output: str) -> None:
    pads, rounds_up = operator.padding, False
    if any(max(pad) >= width for pad, width in zip(pads, operator.kernel, strict=True)):
        # Runtimes refuse pads of a kernel's size; windows that reach further exist where the size is rounded up.
        pads = tuple((low, min(high, width - 1)) for (low, high), width in zip(pads, operator.kernel, strict=True))
        window = lowering.Window(operator.kernel, operator.stride, pads, operator.dilation, rounds_up=True)
        rounds_up = window.padding_for(operator.before[1:]) == operator.padding
        if not rounds_up:
            raise UnsupportedError(f"node {node.name!r}: max pooling with pads {operator.padding} cannot be written")
    w.add(
        "MaxPool", inputs, output, kernel_shape=operator.kernel, strides=operator.stride, pads=flat(pads),
        dilations=operator.dilation, ceil_mode=int(rounds_up),
    )  # fmt: skip


def same(kind: str) -> Write:
    """An operator that ONNX has under a name of its own."""
    return lambda w, node, operator, inputs, output: w.add(kind, inputs, output)


WRITERS: dict[type[Operator], Write] = {
    Add: add,
    Concatenate: concatenate,
    Convolution: convolution,
    Linear: linear,
    MaxPool: max_pool,
    Rearrange: rearrange,
    Relu: relu,
    Reshape: reshape,
    Scale: scale,
    Sigmoid: same("Sigmoid"),
    Tanh: same("Tanh"),
}

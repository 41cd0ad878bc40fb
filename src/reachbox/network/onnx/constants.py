"""What does not depend on the input: attributes, weights, and nodes that are computed once, while reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor

from reachbox.errors import FileError, UnsupportedError
from reachbox.network.onnx.model_file import STANDARD

Array: TypeAlias = "npt.NDArray[Any]"

BATCH = 99991
"""Stands for the size of a dynamic batch in every shape: a prime that no layer has."""

RANDOM = ("Bernoulli", "Dropout", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
          "RandomUniformLike")  # fmt: skip
CONVOLUTIONS = ("Conv", "ConvInteger", "ConvTranspose")  # the reference implementation errs on groups
SPREADING = ("ConstantOfShape", "Expand", "Tile")
FLOATS = {TensorProto.FLOAT16: "float16", TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64",
          TensorProto.BFLOAT16: "bfloat16"}  # fmt: skip


def attributes_of(node: NodeProto) -> dict[str, Any]:
    """The attributes of a node as Python values."""
    values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}


def array_of(tensor: TensorProto) -> Array:
    """The values of an initialiser in their own precision; bfloat16, which NumPy lacks, becomes float32."""
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise FileError(f"weight {tensor.name!r} is damaged: {str(error).splitlines()[0]}") from None
    return array.astype(np.float32) if tensor.data_type == TensorProto.BFLOAT16 else np.asarray(array)


def weight_of(array: Array) -> Tensor:
    """A constant as a weight, in its own precision."""
    if array.dtype not in (np.float16, np.float32, np.float64):
        raise UnsupportedError(f"a weight of type {array.dtype} is not supported; float16, float32 and float64 are")
    return torch.from_numpy(np.array(array))


def fold(node: NodeProto, inputs: Sequence[Array | None], opset: int) -> list[Array]:
    """The results of a node all of whose inputs are constants.

    A constant that is spread over a dynamic batch is the same for all samples: one copy of it is kept.
    """
    graphs = any(attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for attribute in node.attribute)
    if graphs or node.op_type in RANDOM + CONVOLUTIONS:
        raise UnsupportedError("it is not supported on constants")
    if node.op_type in SPREADING:
        inputs = [None if array is None else with_batch(array, 1) for array in inputs]
    return evaluate(node, inputs, opset)


def with_batch(array: Array, size: int) -> Array:
    """A shape or index with a number in place of `BATCH`."""
    return np.where(array == BATCH, np.asarray(size, array.dtype), array) if array.dtype == np.int64 else array


def evaluate(node: NodeProto, inputs: Sequence[Array | None], opset: int) -> list[Array]:
    """One node's results by ONNX's reference implementation."""
    if node.domain not in STANDARD:
        raise UnsupportedError(f"operators of domain {node.domain!r} are not supported")
    given = {name: array for name, array in zip(node.input, inputs, strict=True) if name and array is not None}
    graph = helper.make_graph(
        [node],
        "one node",
        [_undeclared(name) for name in given],
        [_undeclared(name) for name in node.output if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return [np.asarray(result) for result in ReferenceEvaluator(model).run(None, given)]


def _undeclared(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None)

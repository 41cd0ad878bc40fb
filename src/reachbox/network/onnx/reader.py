"""Reads an ONNX file: walks its nodes, computes what is constant, and maps every operator to ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import prod
from pathlib import Path

from onnx import ModelProto, NodeProto, ValueInfoProto

from reachbox.errors import InputError, ReachboxError, UnsupportedError
from reachbox.network.graph import Network
from reachbox.network.onnx import arrangement, elementwise, layers, resize
from reachbox.network.onnx.constants import BATCH, FLOATS, Array, array_of, attributes_of, fold
from reachbox.network.onnx.model_file import STANDARD, open_model, opset_of
from reachbox.network.onnx.translation import Call, Operand, Translation, Value
from reachbox.network.operators import Shape

HANDLERS: dict[str, Callable[[Translation, Call], Operand | tuple[Operand, ...]]] = {
    **elementwise.HANDLERS,
    **layers.HANDLERS,
    **arrangement.HANDLERS,
    **arrangement.SPLITTERS,
    **resize.HANDLERS,
}
LARGEST = 2**26
LOGITS = "; remove it from the end of the network: bounds are about logits"
HINTS = dict.fromkeys(("ArgMax", "LogSoftmax", "Softmax"), LOGITS)


def read_onnx(path: str | os.PathLike[str]) -> Network:
    """The network in an ONNX file of opset 7 to 22, with one input and one output.

    A dynamic first dimension, or a first dimension of 1 before others, is the batch: `(1, 1, 1, 5)` gives an
    `input_shape` of `(1, 1, 5)`. Any other fixed shape, such as `(5,)` or `(3, 32, 32)`, is that of one sample.
    Weights keep their precision, float16, float32 or float64; nothing in the file is run.
    Raises `FileError` for a file that is missing, damaged or no ONNX model, `UnsupportedError` for what cannot be
    bounded, with operator and node, and `InputError` for weights that are NaN or infinite and shapes that do not fit.
    """
    file = Path(path)
    try:
        model = open_model(file)
        network = Reader(model).read()
        network.check_weights()
    except ReachboxError as error:
        known = str(error) if str(error).startswith(str(file)) else f"{file}: {error}"
        raise type(error)(known) from None
    return network


class Reader:
    """Walks the graph; every name stands for a constant or for a value that depends on the input."""

    def __init__(self, model: ModelProto) -> None:
        self.graph = model.graph
        self.operands: dict[str, Operand] = {tensor.name: array_of(tensor) for tensor in self.graph.initializer}
        source = only_input(self.graph.input, set(self.operands))
        shape, is_dynamic = input_shape(source)
        self.translation = Translation(shape, opset_of(model), is_dynamic)
        self.check_sizes((self.translation.input,))
        self.operands[source.name] = self.translation.input

    def read(self) -> Network:
        """The whole network."""
        if len(self.graph.output) != 1:
            names = ", ".join(repr(output.name) for output in self.graph.output)
            raise UnsupportedError(f"one output is needed, found {names or 'none'}; export the one to be bounded")
        for node in self.graph.node:
            self.step(node)
        output = self.operands.get(self.graph.output[0].name)
        if not isinstance(output, Value):
            raise UnsupportedError(f"output {self.graph.output[0].name!r} does not depend on the input")
        return self.translation.builder.network(output.number)

    def step(self, node: NodeProto) -> None:
        """Takes in one node."""
        name = node.name or next(iter(node.output), node.op_type)
        try:
            results = self.results(node, name)
            self.check_sizes(results)
        except ReachboxError as error:
            reason = str(error).removeprefix(f"node {name!r}: ")
            raise type(error)(f"node {name!r} ({node.op_type}): {reason}") from None
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(f"node {name!r} ({node.op_type}): its operands do not fit: {reason}") from error
        self.operands.update(zip(node.output, results, strict=False))

    def check_sizes(self, results: tuple[Operand, ...] | list[Array]) -> None:
        """Raises `InputError` for a value without elements, or with so many that one sample fills the memory."""
        for result in results:
            if not isinstance(result, Value):
                continue
            features = self.translation.features(result.shape)
            assert self.translation.builder.shape_of(result.number) == features
            size = prod(features)
            if not 1 <= size <= LARGEST:
                found = f"{self.translation.told(result.shape)} has {size}"
                raise InputError(f"a value has 1 to {LARGEST} elements for each sample; {found}")

    def results(self, node: NodeProto, name: str) -> tuple[Operand, ...] | list[Array]:
        """What a node gives."""
        operands = tuple(self.operand(source) if source else None for source in node.input)
        arrays = [operand for operand in operands if not isinstance(operand, Value)]
        if len(arrays) == len(operands):
            return fold(node, arrays, self.translation.opset)
        handler = HANDLERS.get(node.op_type) if node.domain in STANDARD else None
        if handler is None:
            hint = HINTS.get(node.op_type, f"; supported: {', '.join(sorted(HANDLERS))}")
            raise UnsupportedError(f"this operator cannot be bounded{hint}")
        result = handler(self.translation, Call(node, name, attributes_of(node), operands))
        return result if isinstance(result, tuple) else (result,)

    def operand(self, name: str) -> Operand:
        """What a name stands for."""
        if name not in self.operands:
            raise UnsupportedError(f"it needs {name!r}, which is not among the supported results of any node before it")
        return self.operands[name]


def only_input(inputs: list[ValueInfoProto], initialised: set[str]) -> ValueInfoProto:
    """The input that no initialiser fills."""
    free = [source for source in inputs if source.name not in initialised]
    if len(free) != 1:
        names = ", ".join(repr(source.name) for source in free)
        raise UnsupportedError(f"one input is needed, found {names or 'none'}")
    return free[0]


def input_shape(source: ValueInfoProto) -> tuple[Shape, bool]:
    """The file's shape of the input, and whether its batch is dynamic."""
    kind = source.type.tensor_type
    if kind.elem_type not in FLOATS:
        raise UnsupportedError(f"input {source.name!r}: a tensor of floats is needed")
    if not kind.HasField("shape"):
        raise UnsupportedError(f"input {source.name!r}: a shape must be stated, none is")
    sizes = [size.dim_value if size.dim_value > 0 else BATCH for size in kind.shape.dim]
    told = ", ".join("?" if size == BATCH else str(size) for size in sizes)
    if not sizes or BATCH in sizes[1:] or sizes == [BATCH]:
        raise UnsupportedError(
            f"input {source.name!r}: only the first of several dimensions may be dynamic, found ({told})"
        )
    return tuple(sizes), sizes[0] == BATCH

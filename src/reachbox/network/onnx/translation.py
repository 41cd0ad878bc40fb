"""The state of a reading: which of the file's values depend on the input, and as what they stand in our graph.

A file states shapes with the batch. Where its batch is dynamic, the first dimension is `BATCH` and every operator must
leave it alone. Where all sizes are fixed, the whole tensor belongs to one sample: any operator may touch any dimension,
and a first dimension of 1 before others is the batch and no feature of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from onnx import NodeProto
from torch import Tensor

from reachbox.errors import InputError, ReachboxError, UnsupportedError
from reachbox.network import lowering
from reachbox.network.graph import Builder
from reachbox.network.onnx.constants import BATCH, Array, evaluate, weight_of, with_batch
from reachbox.network.operators import Operator, Rearrange, Scale, Shape


@dataclass(frozen=True)
class Value:
    """A tensor that depends on the input: its number in our graph, and its shape in the file's."""

    number: int
    shape: Shape


Operand: TypeAlias = "Value | Array"


@dataclass(frozen=True)
class Call:
    """One of the file's nodes with the operands that it is called with; None for one left out."""

    node: NodeProto
    name: str
    attributes: dict[str, Any]
    operands: tuple[Operand | None, ...]

    @property
    def operator(self) -> str:
        return str(self.node.op_type)

    def operand(self, position: int) -> Operand | None:
        return self.operands[position] if position < len(self.operands) else None

    def value(self, position: int = 0) -> Value:
        """An operand that depends on the input."""
        found = self.operand(position)
        if not isinstance(found, Value):
            raise UnsupportedError(f"operand {position} must depend on the input")
        return found

    def constant(self, position: int) -> Array | None:
        """An operand that does not depend on the input, or None where it is left out."""
        found = self.operand(position)
        if isinstance(found, Value):
            raise UnsupportedError(f"operand {position} must be a constant; it depends on the input")
        return found

    def weight(self, position: int) -> Array:
        """A constant operand that must be there."""
        found = self.constant(position)
        if found is None:
            raise InputError(f"operand {position} is missing")
        return found

    def setting(self, attribute: str, position: int) -> Any:
        """What older operators state as an attribute and newer ones as a constant operand; None where absent."""
        found = self.constant(position)
        return self.attributes.get(attribute) if found is None else found.tolist()


class Translation:
    """Builds our graph; `is_dynamic` says that the file leaves the batch's size open."""

    def __init__(self, shape: Shape, opset: int, is_dynamic: bool) -> None:
        self.opset = opset
        self.is_dynamic = is_dynamic
        self.builder = Builder(self.features(shape))
        self.input = Value(0, shape)

    def features(self, shape: Shape) -> Shape:
        """One sample's shape in our graph."""
        return shape[1:] if self.is_dynamic or (len(shape) > 1 and shape[0] == 1) else shape

    def has_batch(self, shape: Shape) -> bool:
        """Whether the first dimension is the batch."""
        return len(self.features(shape)) < len(shape)

    def images(self, value: Value) -> Shape:
        """Spatial sizes of a value `(batch, channels, *spatial)`."""
        if len(value.shape) < 3 or not self.has_batch(value.shape):
            raise UnsupportedError(
                f"(batch, channels, *sizes) with a dynamic batch or a batch of 1 is needed, "
                f"found {self.told(value.shape)}"
            )
        return value.shape[2:]

    def told(self, shape: Shape) -> str:
        """A shape as messages show it."""
        return f"({', '.join('batch' if size == BATCH else str(size) for size in shape)})"

    def apply(self, name: str, operator: Operator, value: Value, shape: Shape | None = None) -> Value:
        """A node of ours with one operand; `shape` is the file's for its result, by default unchanged."""
        return Value(self.builder.add(name, operator, value.number), value.shape if shape is None else shape)

    def move(self, name: str, value: Value, function: Callable[[Array], Array]) -> Value:
        """What an operator gives that only moves elements; it takes and gives arrays of the file's shapes.

        0 stands for a zero that it puts in, any other number for the element of that place.
        """
        try:
            index = self._index_of(name, value, function)
        except ReachboxError:
            raise
        except (ValueError, IndexError, RuntimeError, TypeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(f"it does not fit a shape of {self.told(value.shape)}: {reason}") from None
        shape = (BATCH, *index.shape) if self.is_dynamic else tuple(index.shape)
        number = lowering.place(self.builder, name, value.number, index.reshape(self.features(shape)))
        return Value(number, shape)

    def _index_of(self, name: str, value: Value, function: Callable[[Array], Array]) -> Tensor:
        if self.is_dynamic:
            return lowering.trace_index(name, value.shape[1:], lambda x: _tensor(function(x.numpy())))
        probe = np.arange(1, np.prod(value.shape, dtype=np.int64) + 1).reshape(value.shape)
        return _tensor(function(probe)) - 1

    def run(self, call: Call, x: Array) -> list[Array]:
        """The results of a node that only moves elements of its first operand, on an array in its place."""
        rest = [call.constant(position) for position in range(1, len(call.operands))]
        return evaluate(call.node, [x, *(c if c is None else with_batch(c, len(x)) for c in rest)], self.opset)

    def broadcast(self, name: str, value: Value, shape: Shape) -> Value:
        """A value expanded to the file's `shape`."""
        return self.move(name, value, lambda x: np.broadcast_to(x, (len(x), *shape[1:]) if self.is_dynamic else shape))

    def common_shape(self, *operands: Operand) -> Shape:
        """The shape that operands broadcast to."""
        shapes = [tuple(operand.shape) for operand in operands]
        told = " and ".join(map(self.told, shapes))
        try:
            shape = tuple(np.broadcast_shapes(*shapes))
        except ValueError:
            raise InputError(f"shapes {told} do not broadcast") from None
        ranks = {len(operand.shape) for operand in operands if isinstance(operand, Value)}
        if self.is_dynamic and ranks != {len(shape)}:
            raise UnsupportedError(f"shapes {told} mix samples; the first dimension must stay the batch")
        return shape

    def affine(self, name: str, value: Value, scale: Array | None = None, shift: Array | None = None) -> Value:
        """`scale * value + shift` with constants in the file's shapes."""
        constants = [constant for constant in (scale, shift) if constant is not None]
        shape = self.common_shape(value, *constants)
        expanded = self.broadcast(f"{name}.expand", value, shape)
        weights = [None if c is None else weight_of(self.without_batch(c, shape)) for c in (scale, shift)]
        return self.apply(name, Scale(*weights), expanded)

    def without_batch(self, constant: Array, shape: Shape) -> Array:
        """A constant that broadcasts to `shape`, so that it broadcasts to one sample's features."""
        is_full = constant.ndim == len(shape)
        return constant[0] if is_full and self.has_batch(shape) else constant

    def spread(self, name: str, constant: Array) -> Value:
        """A constant as a value: the same for every input."""
        if constant.size == 0:
            raise InputError(f"a constant of shape {constant.shape} is empty")
        if self.is_dynamic and (constant.ndim < 1 or len(constant) != 1):
            raise UnsupportedError(
                f"a constant of shape {constant.shape} is not the same for every sample of the batch"
            )
        shape = (BATCH, *constant.shape[1:]) if self.is_dynamic else tuple(constant.shape)
        index = torch.full(self.features(shape), -1)
        zeros = self.apply(f"{name}.zeros", Rearrange(index, self.builder.input_shape), self.input, shape)
        return self.affine(f"{name}.constant", zeros, shift=constant)


def _tensor(array: Array) -> Tensor:
    if array.size == 0:
        raise InputError(f"its result is empty: {array.shape}")
    return torch.from_numpy(np.array(array, dtype=np.int64))

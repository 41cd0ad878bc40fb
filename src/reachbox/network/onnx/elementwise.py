"""ONNX operators that act on each element by itself: arithmetic with constants, sums of values, activations."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, isnan

import numpy as np
from onnx import TensorProto
from torch import Tensor

from reachbox.errors import InputError, UnsupportedError
from reachbox.network import lowering
from reachbox.network.onnx.constants import FLOATS, Array, weight_of
from reachbox.network.onnx.translation import Call, Operand, Translation, Value
from reachbox.network.operators import Add, Operator, Relu, Sigmoid, Tanh

Handler = Callable[[Translation, Call], Operand]

LARGEST = float(np.finfo(np.float32).max)  # what exporters write where a limit is absent


def add(t: Translation, call: Call) -> Operand:
    """The sum of two or more operands."""
    total = call.operands[0]
    for number, operand in enumerate(call.operands[1:]):
        total = plus(t, f"{call.name}.{number}" if number else call.name, total, operand)
    return present(total)


def plus(t: Translation, name: str, first: Operand | None, second: Operand | None) -> Operand:
    """`first + second`."""
    first, second = present(first), present(second)
    if isinstance(first, Value) and isinstance(second, Value):
        shape = t.common_shape(first, second)
        expanded = [t.broadcast(f"{name}.expand", value, shape).number for value in (first, second)]
        return Value(t.builder.add(name, Add(2), *expanded), shape)
    if isinstance(first, Value):
        return t.affine(name, first, shift=np.asarray(second))
    return t.affine(name, second, shift=first) if isinstance(second, Value) else np.add(first, second)


def present(operand: Operand | None) -> Operand:
    """An operand that must be there."""
    if operand is None:
        raise InputError("an operand is missing")
    return operand


def subtract(t: Translation, call: Call) -> Operand:
    """`a - b`."""
    first, second = map(present, call.operands[:2])
    if isinstance(second, Value):
        negated = t.affine(f"{call.name}.negative", second, scale=np.asarray(-1.0))
        return plus(t, call.name, first, negated)
    return plus(t, call.name, first, -second)


def multiply(t: Translation, call: Call) -> Operand:
    """`a * b`, one of them a constant."""
    first, second = map(present, call.operands[:2])
    value, factor = (first, second) if isinstance(first, Value) else (second, first)
    if not isinstance(value, Value) or isinstance(factor, Value):
        raise UnsupportedError("a product of two values that both depend on the input cannot be bounded")
    return t.affine(call.name, value, scale=factor)


def divide(t: Translation, call: Call) -> Operand:
    """`a / b` with a constant `b`."""
    first, second = map(present, call.operands[:2])
    if not isinstance(first, Value) or isinstance(second, Value):
        raise UnsupportedError("a division by what depends on the input cannot be bounded")
    if not second.all():
        raise InputError("a division by zero")
    return t.affine(call.name, first, scale=1 / second.astype(np.float64))


def negate(t: Translation, call: Call) -> Operand:
    """`-x`."""
    return t.affine(call.name, call.value(), scale=np.asarray(-1.0))


def activation(operator: Operator) -> Handler:
    """Any activation without settings."""
    return lambda t, call: t.apply(call.name, operator, call.value())


def leaky_relu(t: Translation, call: Call) -> Operand:
    """LeakyReLU; its slope is 0.01 where none is stated."""
    return sloped(t, call, float(call.attributes.get("alpha", np.float32(0.01))))


def parametric_relu(t: Translation, call: Call) -> Operand:
    """PReLU with one slope for all elements, or slopes that broadcast to them."""
    slopes = call.weight(1)
    if len(np.unique(slopes)) == 1:
        return sloped(t, call, float(slopes.flat[0]))
    value = call.value()
    shape = t.common_shape(value, slopes)
    if shape != value.shape:
        raise InputError(f"slopes of shape {slopes.shape} do not fit {t.told(value.shape)}")
    number = lowering.sloped(t.builder, call.name, value.number, weight_of(t.without_batch(slopes, shape)))
    return Value(number, shape)


def sloped(t: Translation, call: Call, slope: float) -> Value:
    """ReLU with a slope below zero."""
    if not isfinite(slope):
        raise InputError(f"the slope must be finite, found {slope}")
    return t.apply(call.name, Relu(slope), call.value())


def clip(t: Translation, call: Call) -> Operand:
    """`min(max(x, low), high)`; a limit beyond float32's range is none."""
    return clamped(t, call.name, call.value(), call.setting("min", 1), call.setting("max", 2))


def clamped(t: Translation, name: str, value: Value, low: float | None, high: float | None) -> Value:
    """A value kept between two numbers."""
    for limit in (low, high):
        if isinstance(limit, list) or (limit is not None and isnan(limit)):
            raise UnsupportedError(f"a limit must be one number, found {limit}")
    low = None if low is None or low <= -LARGEST else float(low)
    high = None if high is None or high >= LARGEST else float(high)
    return Value(lowering.clamp(t.builder, name, value.number, low, high), value.shape)


def extreme(is_maximum: bool) -> Handler:
    """The larger or the smaller of values and constants."""

    def read(t: Translation, call: Call) -> Operand:
        constants: list[Operand] = [operand for operand in call.operands if isinstance(operand, np.ndarray)]
        first, *rest = [operand for operand in call.operands if isinstance(operand, Value)]
        for number, other in enumerate([*constants, *rest]):
            first = ahead(t, f"{call.name}.{number}" if number else call.name, first, other, is_maximum)
        return first

    return read


def ahead(t: Translation, name: str, value: Value, other: Operand, is_maximum: bool) -> Value:
    """The larger or the smaller of a value and another operand."""
    shape = t.common_shape(value, other)
    value = t.broadcast(f"{name}.expand", value, shape)
    if isinstance(other, Value):
        second: int | Tensor = t.broadcast(f"{name}.spread", other, shape).number
    elif other.size == 1:
        limit = float(other.item())
        return clamped(t, name, value, limit if is_maximum else None, None if is_maximum else limit)
    else:
        second = weight_of(t.without_batch(other, shape))
    return Value(lowering.extreme(t.builder, name, value.number, second, is_maximum), shape)


def hard_sigmoid(t: Translation, call: Call) -> Operand:
    """`min(max(alpha x + beta, 0), 1)`."""
    alpha, beta = (
        np.float64(call.attributes.get(name, np.float32(usual))) for name, usual in (("alpha", 0.2), ("beta", 0.5))
    )
    line = t.affine(f"{call.name}.line", call.value(), scale=np.asarray(alpha), shift=np.asarray(beta))
    return clamped(t, call.name, line, 0.0, 1.0)


def cast(t: Translation, call: Call) -> Operand:
    """A change of floating-point type: the number stays the same up to rounding."""
    wanted = call.attributes["to"]
    if wanted not in FLOATS:
        raise UnsupportedError(
            f"a cast to {TensorProto.DataType.Name(wanted)} is not supported; casts between floats are"
        )
    return call.value()


def identity(t: Translation, call: Call) -> Operand:
    """The value itself."""
    return call.value()


def dropout(t: Translation, call: Call) -> Operand:
    """Dropout at inference, which does nothing."""
    training: Array | None = call.constant(2)
    if training is not None and training.any():
        raise UnsupportedError("dropout in training mode is random; export the model in eval mode")
    return call.value()


HANDLERS: dict[str, Handler] = {
    "Abs": activation(Relu(-1.0)),
    "Add": add,
    "Cast": cast,
    "Clip": clip,
    "Div": divide,
    "Dropout": dropout,
    "HardSigmoid": hard_sigmoid,
    "Identity": identity,
    "LeakyRelu": leaky_relu,
    "Max": extreme(is_maximum=True),
    "Min": extreme(is_maximum=False),
    "Mul": multiply,
    "Neg": negate,
    "PRelu": parametric_relu,
    "Relu": activation(Relu()),
    "Sigmoid": activation(Sigmoid()),
    "Sub": subtract,
    "Sum": add,
    "Tanh": activation(Tanh()),
}

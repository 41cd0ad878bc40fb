"""ATen operators that act on each element: sums, products with constants, activations, clamps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from reachbox.errors import UnsupportedError
from reachbox.network import lowering
from reachbox.network.operators import Relu, Sigmoid, Tanh, resolve
from reachbox.network.pytorch.translation import Handler, Result, Translation


def _sum(sign: float) -> Handler:
    """`a + alpha b` or `a - alpha b`, either of them possibly a constant."""

    def read(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
        first, second, alpha = (*arguments, 1)[:3]
        name, factor = t.name(node), sign * float(alpha)
        if not t.depends(second):
            constant = t.weight(node, second)
            return lowering.scale_and_shift(
                t.builder, name, t.value(node, first), None, lambda: factor * resolve(constant)
            )
        moved = t.value(node, second)
        scale = None if factor == 1 else torch.tensor(factor, dtype=torch.float64)
        if not t.depends(first):
            return lowering.scale_and_shift(t.builder, name, moved, scale, t.weight(node, first))
        if scale is not None:
            moved = lowering.scale_and_shift(t.builder, f"{name}.factor", moved, scale)
        return lowering.combine(t.builder, name, [t.value(node, first), moved])

    return read


def _product(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    x, factor = arguments[:2] if t.depends(arguments[0]) else (arguments[1], arguments[0])
    scale = t.weight(node, factor)
    return lowering.scale_and_shift(t.builder, t.name(node), t.value(node, x), scale)


def _quotient(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    divisor = t.weight(node, arguments[1])
    value = t.value(node, arguments[0])
    return lowering.scale_and_shift(t.builder, t.name(node), value, lambda: 1 / resolve(divisor))


def _negative(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    value = t.value(node, arguments[0])
    return lowering.scale_and_shift(t.builder, t.name(node), value, torch.tensor(-1.0, dtype=torch.float64))


def _activation(make: Callable[..., Any]) -> Handler:
    def read(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
        return t.builder.add(t.name(node), make(*arguments[1:]), t.value(node, arguments[0]))

    return read


def _clamp(low: float | None = None, high: float | None = None) -> Handler:
    def read(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
        limits = (*arguments[1:], None, None)[:2] if len(arguments) > 1 else (low, high)
        if any(isinstance(limit, fx.Node) for limit in limits):
            raise UnsupportedError(f"{t.name(node)!r}: a clamp needs numbers as limits")
        return lowering.clamp(t.builder, t.name(node), t.value(node, arguments[0]), *limits)

    return read


def _hard_sigmoid(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    name = t.name(node)
    sixth, half = torch.tensor(1 / 6, dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64)
    line = lowering.scale_and_shift(t.builder, f"{name}.line", t.value(node, arguments[0]), sixth, half)
    return lowering.clamp(t.builder, name, line, 0.0, 1.0)


def _threshold(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    x, limit, replacement = arguments
    if limit != replacement:
        raise UnsupportedError(
            f"{t.name(node)!r}: a threshold at {limit} must give {limit} below it, not {replacement}"
        )
    return lowering.clamp(t.builder, t.name(node), t.value(node, x), float(limit), None)


def _sloped(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    value, slope = t.value(node, arguments[0]), t.weight(node, arguments[1])
    channels = (-1,) + (1,) * (len(t.builder.shape_of(value)) - 1)
    return lowering.sloped(t.builder, t.name(node), value, lambda: resolve(slope).reshape(channels))


def extreme(is_maximum: bool) -> Handler:
    """The larger or the smaller of two operands, one of them possibly a constant."""

    def read(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
        value, other = arguments if t.depends(arguments[0]) else arguments[::-1]
        second = t.value(node, other) if t.depends(other) else t.weight(node, other)
        return lowering.extreme(t.builder, t.name(node), t.value(node, value), second, is_maximum)

    return read


HANDLERS: dict[str, Handler] = {
    "add": _sum(1.0),
    "sub": _sum(-1.0),
    "mul": _product,
    "div": _quotient,
    "neg": _negative,
    "relu": _activation(Relu),
    "leaky_relu": _activation(Relu),
    "abs": _activation(lambda: Relu(-1.0)),
    "sigmoid": _activation(Sigmoid),
    "tanh": _activation(Tanh),
    "relu6": _clamp(0.0, 6.0),
    "clamp": _clamp(),
    "clamp_min": _clamp(),
    "hardtanh": _clamp(),
    "hardsigmoid": _hard_sigmoid,
    "threshold": _threshold,
    "prelu": _sloped,
    "maximum": extreme(is_maximum=True),
    "minimum": extreme(is_maximum=False),
}

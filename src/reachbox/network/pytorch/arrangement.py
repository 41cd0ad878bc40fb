"""ATen operators that only move elements, or do nothing at all in eval mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx

from reachbox.errors import UnsupportedError
from reachbox.network import lowering
from reachbox.network.operators import Concatenate
from reachbox.network.pytorch.translation import PROBE_BATCH, Handler, Result, Translation


def _move(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    """Any operator that only moves elements."""
    target = node.target
    assert callable(target)
    value = t.value(node, arguments[0])
    rest = fx.map_arg(tuple(arguments[1:]), lambda n: t.constants[n]())
    names = [argument.name for argument in target._schema.arguments[1:]]  # type: ignore[attr-defined]
    options = dict(zip(names, rest, strict=True))

    def part(number: int) -> Callable[[Tensor], Tensor]:
        return lambda x: target(x, **options)[number]

    shape = t.builder.shape_of(value)
    probe = target(torch.zeros(PROBE_BATCH, *shape), **options)
    if isinstance(probe, Tensor):
        return lowering.rearrange(t.builder, t.name(node), value, lambda x: target(x, **options))
    return tuple(lowering.rearrange(t.builder, t.name(node), value, part(i)) for i in range(len(probe)))


def _pad(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    name, value, pads = t.name(node), t.value(node, arguments[0]), list(arguments[1])
    mode, filling = (arguments[2], arguments[3]) if len(arguments) > 3 else ("constant", arguments[2])

    def padded(x: Tensor) -> Tensor:
        return torch.nn.functional.pad(x.double(), pads, mode)

    result = lowering.rearrange(t.builder, name, value, lambda x: padded(x).long())
    if mode != "constant" or not filling:
        return result
    around = 1 - padded(torch.ones(1, *t.builder.shape_of(value)))[0]
    return lowering.scale_and_shift(t.builder, f"{name}.filling", result, None, float(filling) * around)


def _same(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    return t.value(node, arguments[0])


def _dropout(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    if arguments[2]:
        raise UnsupportedError(f"{t.name(node)!r}: dropout stays on in eval mode; pass training=self.training")
    return t.value(node, arguments[0])


def _concatenate(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    values = [t.value(node, argument) for argument in arguments[0]]
    shapes = [t.builder.shape_of(value) for value in values]
    axis = arguments[1] % (len(shapes[0]) + 1) - 1
    if axis < 0:
        raise UnsupportedError(f"{t.name(node)!r}: concatenation along the batch mixes samples")
    return t.builder.add(t.name(node), Concatenate(axis, tuple(shape[axis] for shape in shapes)), *values)


def _stack(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    name, values = t.name(node), [t.value(node, argument) for argument in arguments[0]]
    axis = arguments[1] % (len(t.builder.shape_of(values[0])) + 2)
    if axis == 0:
        raise UnsupportedError(f"{name!r}: stacking along the batch mixes samples")
    raised = [lowering.rearrange(t.builder, f"{name}.axis", v, lambda x: x.unsqueeze(axis)) for v in values]
    return t.builder.add(name, Concatenate(axis - 1, (1,) * len(raised)), *raised)


MOVES = [
    "view",
    "reshape",
    "_unsafe_view",
    "flatten",
    "unflatten",
    "permute",
    "transpose",
    "t",
    "numpy_T",
    "squeeze",
    "unsqueeze",
    "slice",
    "select",
    "narrow",
    "expand",
    "flip",
    "chunk",
    "split",
    "split_with_sizes",
    "unbind",
    "tile",
    "repeat",
    "index_select",
    "pixel_shuffle",
    "movedim",
    "index",
    "roll",
    "rot90",
]
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(MOVES, _move),
    **dict.fromkeys(("contiguous", "clone", "alias", "detach", "to", "_to_copy", "lift_fresh_copy"), _same),
    **dict.fromkeys(("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"), _dropout),
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    "cat": _concatenate,
    "stack": _stack,
}

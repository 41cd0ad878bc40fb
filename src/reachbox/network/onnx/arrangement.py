"""ONNX operators that move elements, join values, or ask for a shape."""

from __future__ import annotations

from math import prod

import numpy as np

from reachbox.errors import InputError, UnsupportedError
from reachbox.network import lowering
from reachbox.network.onnx.constants import Array
from reachbox.network.onnx.elementwise import present
from reachbox.network.onnx.translation import Call, Operand, Translation, Value
from reachbox.network.operators import Concatenate


def move(t: Translation, call: Call) -> Operand:
    """Any operator that only moves the elements of its first operand."""
    return t.move(call.name, call.value(), lambda x: t.run(call, x)[0])


def split(t: Translation, call: Call) -> tuple[Operand, ...]:
    """The parts of a value."""
    value = call.value()

    def part(number: int) -> Value:
        return t.move(f"{call.name}.{number}", value, lambda x: t.run(call, x)[number])

    return tuple(part(number) for number in range(len(call.node.output)))


def reshape(t: Translation, call: Call) -> Operand:
    """Another shape; a first size of 1 stands for the batch, since a file with it is made for one sample."""
    target = call.weight(1)
    if not t.is_dynamic or target.size < 2 or target[0] != 1:
        return move(t, call)
    return t.move(call.name, call.value(), lambda x: np.concatenate([t.run(call, sample[None])[0] for sample in x]))


def pad(t: Translation, call: Call) -> Operand:
    """Padding with a constant, or with copies of elements."""
    value, mode = call.value(), call.attributes.get("mode", "constant")
    stated = list(call.attributes["pads"]) if t.opset < 11 else call.weight(1).tolist()
    filling = call.attributes.get("value", 0.0) if t.opset < 11 else float(call.setting("value", 2) or 0.0)
    pairs = pad_pairs(stated, call.constant(3), len(value.shape))

    def padded(x: Array) -> Array:
        return lengthened(x, pairs, mode)

    result = t.move(call.name, value, padded)
    if filling == 0 or mode != "constant":
        return result
    sizes = (1, *value.shape[1:]) if t.is_dynamic else value.shape
    outside = padded(np.ones(sizes, dtype=np.int64)) == 0
    return t.affine(f"{call.name}.filling", result, shift=np.where(outside, filling, 0.0))


def pad_pairs(stated: list[int], axes: Array | None, rank: int) -> list[tuple[int, int]]:
    """Before and after for every dimension."""
    named = range(rank) if axes is None else [int(axis) % rank for axis in axes]
    if len(stated) != 2 * len(named):
        raise InputError(f"pads: {2 * len(named)} numbers are needed, found {len(stated)}")
    pairs = [(0, 0)] * rank
    for axis, before, after in zip(named, stated[: len(named)], stated[len(named) :], strict=True):
        pairs[axis] = (before, after)
    return pairs


def lengthened(x: Array, pairs: list[tuple[int, int]], mode: str) -> Array:
    """Padding by NumPy; a negative number takes elements away."""
    longer = [(max(before, 0), max(after, 0)) for before, after in pairs]
    crop = tuple(slice(max(-before, 0), -after if after < 0 else None) for before, after in pairs)
    modes = {"constant": "constant", "edge": "edge", "reflect": "reflect", "wrap": "wrap"}
    if mode not in modes or (mode != "constant" and any(min(pair) < 0 for pair in pairs)):
        raise UnsupportedError(f"pads {pairs} in mode {mode!r} are not supported; modes are {', '.join(modes)}")
    return np.asarray(np.pad(x, longer, mode=modes[mode])[crop])  # type: ignore[call-overload]


def concatenate(t: Translation, call: Call) -> Operand:
    """Values and constants side by side."""
    operands = [present(operand) for operand in call.operands]
    values = [
        operand if isinstance(operand, Value) else t.spread(f"{call.name}.{position}", operand)
        for position, operand in enumerate(operands)
    ]
    ranks = {len(value.shape) for value in values}
    if len(ranks) != 1:
        raise InputError(f"operands of one rank are needed, found {', '.join(t.told(value.shape) for value in values)}")
    axis = int(call.attributes["axis"]) % ranks.pop()
    if t.is_dynamic and axis == 0:
        raise UnsupportedError("a concatenation along the batch mixes samples")
    if len(values) == 1:
        return values[0]
    numbers = [value.number if axis else whole(t, call, value) for value in values]
    along = axis - 1 if axis and t.has_batch(values[0].shape) else axis
    joined = Concatenate(along, tuple(value.shape[axis] for value in values))
    shape = list(values[0].shape)
    shape[axis] = sum(value.shape[axis] for value in values)
    return Value(t.builder.add(call.name, joined, *numbers), tuple(shape))


def whole(t: Translation, call: Call, value: Value) -> int:
    """A value with the batch of 1 among its features, for a concatenation along it."""
    return lowering.rearrange(t.builder, f"{call.name}.whole", value.number, lambda x: x.reshape(len(x), *value.shape))


def shape_of(t: Translation, call: Call) -> Operand:
    """The file's shape of a value, or a part of it."""
    part = slice(call.attributes.get("start", 0), call.attributes.get("end"))
    return np.array(call.value().shape[part], dtype=np.int64)


def size_of(t: Translation, call: Call) -> Operand:
    """How many elements a value has."""
    return np.array(prod(call.value().shape), dtype=np.int64)


MOVES = ("DepthToSpace", "Expand", "Flatten", "Gather", "Slice", "SpaceToDepth", "Squeeze", "Tile", "Transpose",
         "Unsqueeze")  # fmt: skip
HANDLERS = {
    **dict.fromkeys(MOVES, move),
    "Concat": concatenate,
    "Pad": pad,
    "Reshape": reshape,
    "Shape": shape_of,
    "Size": size_of,
}
SPLITTERS = {"Split": split}

"""ONNX's Resize and Upsample: nearest and linear, as a matrix for each dimension."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from reachbox.errors import InputError, UnsupportedError
from reachbox.network import lowering
from reachbox.network.onnx.constants import Array
from reachbox.network.onnx.translation import Call, Operand, Translation, Value


def _half_pixel(i: Array, scale: np.float32, before: int, after: int) -> Array:
    return np.asarray((i + np.float32(0.5)) / scale - np.float32(0.5))


def _whole(x: Array) -> Array:
    if (x != np.floor(x)).any():
        raise UnsupportedError("which element is nearest is not defined before opset 11 where it makes a value smaller")
    return x


# Where each element of the result lies among the `before` elements; in float32, as runtimes compute it.
POSITIONS: dict[str, Callable[[Array, np.float32, int, int], Array]] = {
    "half_pixel": _half_pixel,
    "pytorch_half_pixel": lambda i, scale, before, after: _half_pixel(i, scale, before, after) if after > 1 else 0 * i,
    "asymmetric": lambda i, scale, before, after: i / scale,
    "align_corners": lambda i, scale, before, after: i * np.float32(before - 1) / np.float32(max(after - 1, 1)),
}
ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - np.float32(0.5)),
    "round_prefer_ceil": lambda x: np.floor(x + np.float32(0.5)),
}


def resize(t: Translation, call: Call) -> Operand:
    """Resize; before opset 11 it has scales only, and positions without an offset."""
    is_old = t.opset < 11
    positions = "asymmetric" if is_old else call.attributes.get("coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if is_old else call.attributes.get("nearest_mode", "round_prefer_floor")
    scales, sizes = call.constant(1 if is_old else 2), None if is_old else call.constant(3)
    if call.attributes.get("antialias", 0) or call.attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise UnsupportedError("antialias and keep_aspect_ratio_policy are not supported")
    return resized(t, call, scales, sizes, positions, rounding)


def upsample(t: Translation, call: Call) -> Operand:
    """Upsample, the older name."""
    stated = call.setting("scales", 1)
    return resized(t, call, np.asarray(stated, np.float32), None, "asymmetric", "floor")


def resized(
    t: Translation, call: Call, scales: Array | None, sizes: Array | None, positions: str, rounding: str
) -> Value:
    """The value with its spatial dimensions resized."""
    value, mode = call.value(), call.attributes.get("mode", "nearest")
    before = t.images(value)
    if positions not in POSITIONS or rounding not in ROUNDINGS or mode not in ("nearest", "linear"):
        raise UnsupportedError(
            f"modes nearest and linear, of {', '.join(POSITIONS)}, are supported, found {mode}, {positions}, {rounding}"
        )
    factors, after = targets(t, call, value, scales, sizes)
    matrices = []
    for size, factor, wanted in zip(before, factors, after, strict=True):
        at = POSITIONS[positions](np.arange(wanted, dtype=np.float32), factor, size, wanted)
        rounded = ROUNDINGS[rounding] if t.opset >= 11 or factor >= 1 else _whole
        matrices.append(nearest(rounded(at), size) if mode == "nearest" else linear(at, size))
    number = lowering.resample(t.builder, call.name, value.number, matrices)
    return Value(number, (*value.shape[:2], *after))


def targets(
    t: Translation, call: Call, value: Value, scales: Array | None, sizes: Array | None
) -> tuple[list[np.float32], list[int]]:
    """Scale and size of each spatial dimension; batch and channels stay as they are."""
    rank = len(value.shape)
    axes = [int(axis) % rank for axis in call.attributes.get("axes", range(rank))]
    by_size = sizes is not None and sizes.size > 0
    stated = sizes if by_size else scales
    if stated is None or stated.shape != (len(axes),):
        raise InputError(f"a scale or a size for each of {len(axes)} dimensions is needed")
    factors, after = [np.float32(1)] * rank, list(value.shape)
    for axis, number in zip(axes, stated.tolist(), strict=True):
        after[axis] = int(number) if by_size else int(np.floor(np.float32(value.shape[axis]) * np.float32(number)))
        factors[axis] = np.float32(number / value.shape[axis] if by_size else number)
    if tuple(after[:2]) != value.shape[:2]:
        raise UnsupportedError("batch and channels must keep their sizes")
    if min(after[2:]) < 1:
        raise InputError(f"a size of at least 1 is needed, found {after[2:]}")
    if tuple(after) == value.shape and any(factor != 1 for factor in factors):
        raise UnsupportedError(f"scales {stated.tolist()} keep every size: runtimes copy where ONNX resamples")
    return factors[2:], after[2:]


def nearest(at: Array, size: int) -> Tensor:
    """The matrix that takes the element at each position."""
    matrix = torch.zeros(len(at), size, dtype=torch.float64)
    matrix[torch.arange(len(at)), torch.from_numpy(at.clip(0, size - 1).astype(np.int64))] = 1
    return matrix


def linear(at: Array, size: int) -> Tensor:
    """The matrix that mixes the two elements around each position; beyond the ends it takes the last one."""
    at = at.astype(np.float64).clip(0, size - 1)
    low = np.floor(at)
    share = torch.from_numpy(at - low).unsqueeze(1)
    return (1 - share) * nearest(low, size) + share * nearest(low + 1, size)


HANDLERS = {"Resize": resize, "Upsample": upsample}

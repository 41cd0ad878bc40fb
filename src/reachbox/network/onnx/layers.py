"""ONNX's layers: products with a constant matrix, convolutions, pooling, batch norm, sums and means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from reachbox.errors import InputError, UnsupportedError
from reachbox.network import lowering
from reachbox.network.onnx.constants import Array, weight_of
from reachbox.network.onnx.elementwise import Handler, plus
from reachbox.network.onnx.translation import Call, Operand, Translation, Value
from reachbox.network.operators import Convolution, Linear


def gemm(t: Translation, call: Call) -> Operand:
    """`alpha A B + beta C` with `A` or `B` constant, each transposed on demand."""
    alpha, beta = (call.attributes.get(name, 1.0) for name in ("alpha", "beta"))
    first, second = (
        transposed(t, call.name, call.operands[position]) if call.attributes.get(flag) else call.operands[position]
        for position, flag in enumerate(("transA", "transB"))
    )
    shift = call.constant(2)
    shift = None if shift is None else scaled(beta, shift)
    if isinstance(first, Value) and isinstance(second, np.ndarray):
        if shift is not None and shift.size in (1, second.shape[1]) and shift.shape[:-1] in ((), (1,)):
            bias = np.broadcast_to(shift.reshape(-1), (second.shape[1],))
            return times_matrix(t, call.name, first, scaled(alpha, second), bias)
        product = times_matrix(t, call.name, first, scaled(alpha, second))
    elif isinstance(first, np.ndarray) and isinstance(second, Value):
        product = matrix_times(t, call.name, scaled(alpha, first), second)
    else:
        raise UnsupportedError("a product of two values that both depend on the input cannot be bounded")
    return product if shift is None else plus(t, f"{call.name}.shift", product, shift)


def scaled(factor: float, array: Array) -> Array:
    """`factor * array`; the array itself, in its own precision, where the factor is 1."""
    return array if factor == 1 else np.float64(factor) * array.astype(np.float64)


def transposed(t: Translation, name: str, operand: Operand | None) -> Operand | None:
    """The last two dimensions exchanged."""
    if isinstance(operand, Value):
        return t.move(f"{name}.transpose", operand, lambda x: np.swapaxes(x, -1, -2))
    return None if operand is None else np.swapaxes(operand, -1, -2)


def times_matrix(t: Translation, name: str, value: Value, matrix: Array, bias: Array | None = None) -> Value:
    """`value @ matrix + bias` over the last dimension."""
    if matrix.ndim != 2 or value.shape[-1:] != matrix.shape[:1] or (t.is_dynamic and len(value.shape) < 2):
        raise InputError(f"shapes {t.told(value.shape)} and {matrix.shape} do not fit in a product")
    layer = Linear(weight_of(matrix.T), None if bias is None else weight_of(bias))
    return t.apply(name, layer, value, (*value.shape[:-1], matrix.shape[1]))


def matrix_times(t: Translation, name: str, matrix: Array, value: Value) -> Value:
    """`matrix @ value` over the last but one dimension, or the only one."""
    if len(value.shape) == 1:
        return times_matrix(t, name, value, matrix.T)
    turned = t.move(f"{name}.turned", value, lambda x: np.swapaxes(x, -1, -2))
    product = times_matrix(t, name, turned, matrix.T)
    return t.move(f"{name}.back", product, lambda x: np.swapaxes(x, -1, -2))


def matmul(t: Translation, call: Call) -> Operand:
    """A product with a constant matrix or vector on either side, broadcast as NumPy does."""
    first, second = call.operands
    if isinstance(first, Value) and isinstance(second, np.ndarray):
        product = times_matrix(t, call.name, first, as_matrix(second, len(first.shape), column=True))
        axis = -1
    elif isinstance(first, np.ndarray) and isinstance(second, Value):
        product = matrix_times(t, call.name, as_matrix(first, len(second.shape), column=False), second)
        axis = -2 if len(second.shape) > 1 else -1
    else:
        raise UnsupportedError("a product of two values that both depend on the input cannot be bounded")
    is_vector = any(isinstance(factor, np.ndarray) and factor.ndim == 1 for factor in (first, second))
    return t.move(f"{call.name}.squeeze", product, lambda x: np.squeeze(x, axis)) if is_vector else product


def as_matrix(array: Array, rank: int, column: bool) -> Array:
    """A constant factor as one matrix."""
    if array.ndim == 1:
        return array[:, None] if column else array[None, :]
    if array.ndim > max(rank, 2) or any(size != 1 for size in array.shape[:-2]):
        raise UnsupportedError(f"a product with one constant matrix is supported, found {array.shape}")
    return array.reshape(array.shape[-2:])


def convolution(t: Translation, call: Call) -> Operand:
    """Convolution over one to three dimensions."""
    value, kernel, bias = call.value(), call.weight(1), call.constant(2)
    sizes = t.images(value)
    check_kernel(t, call, value, kernel, bias, outputs=kernel.shape[0])
    widths, groups = kernel.shape[2:], int(call.attributes.get("group", 1))
    strides, dilations = (per_dimension(call, name, len(sizes)) for name in ("strides", "dilations"))
    pads = padding(call, sizes, widths, strides, dilations)
    layer = Convolution(
        weight_of(kernel), None if bias is None else weight_of(bias), strides, pads, dilations, groups, sizes
    )  # fmt: skip
    return placed(t, call, value, t.builder.add(call.name, layer, value.number))


def transposed_convolution(t: Translation, call: Call) -> Operand:
    """Transposed convolution over one to three dimensions."""
    value, kernel, bias = call.value(), call.weight(1), call.constant(2)
    sizes, groups = t.images(value), int(call.attributes.get("group", 1))
    check_kernel(t, call, value, kernel, bias, outputs=groups * kernel.shape[1])
    strides, dilations = (per_dimension(call, name, len(sizes)) for name in ("strides", "dilations"))
    pads = transposed_padding(call, sizes, kernel.shape[2:], strides, dilations)
    number = lowering.transposed_convolution(
        t.builder, call.name, value.number, weight_of(kernel), None if bias is None else weight_of(bias),
        stride=strides, padding=pads, dilation=dilations, groups=groups,
    )  # fmt: skip
    return placed(t, call, value, number)


def transposed_padding(
    call: Call, sizes: Sequence[int], widths: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> lowering.Pads:
    """What is cut off before and after each dimension of the result; negative where the result is longer."""
    longer = [int(more) for more in call.attributes.get("output_padding", (0,) * len(sizes))]
    mode, stated = call.attributes.get("auto_pad", "NOTSET"), call.attributes.get("output_shape")
    if len(longer) != len(sizes) or min(longer) < 0:
        raise InputError(f"output_padding: {len(sizes)} numbers that are not negative are needed, found {longer}")
    if stated is None and mode in ("NOTSET", "VALID"):
        pairs = padding(call, sizes, widths, strides, dilations)
        return tuple((low, high - more) for (low, high), more in zip(pairs, longer, strict=True))
    wanted = list(stated or (size * stride for size, stride in zip(sizes, strides, strict=True)))[-len(sizes) :]
    pads = []
    settings = zip(sizes, widths, strides, dilations, longer, wanted, strict=True)
    for size, width, stride, step, more, want in settings:
        total = stride * (size - 1) + more + step * (width - 1) + 1 - want
        if total < 0:
            raise UnsupportedError(f"output_shape: at most {want + total} is supported here, found {want}")
        less = total // 2
        low, high = (less, total - less) if mode == "SAME_UPPER" else (total - less, less)
        pads.append((low, high - more))
    return tuple(pads)


def check_kernel(t: Translation, call: Call, value: Value, kernel: Array, bias: Array | None, outputs: int) -> None:
    """Raises `InputError` for a kernel, a bias or groups that do not fit the value or the `outputs` channels."""
    widths, groups = kernel.shape[2:], call.attributes.get("group", 1)
    fits = len(value.shape) == kernel.ndim <= 5 and tuple(call.attributes.get("kernel_shape", widths)) == widths
    if not fits or 0 in kernel.shape or (bias is not None and bias.shape != (outputs,)):
        raise InputError(
            f"a kernel of shape {kernel.shape} does not fit {t.told(value.shape)}, or its bias not the kernel"
        )
    if groups < 1 or kernel.shape[0] % groups:
        raise InputError(f"group: {groups} does not divide the {kernel.shape[0]} channels of the kernel")


def placed(t: Translation, call: Call, value: Value, number: int) -> Value:
    """A result `(batch, *features)` of our graph as a value of the file's shape."""
    return Value(number, (value.shape[0], *t.builder.shape_of(number)))


def per_dimension(call: Call, name: str, dimensions: int) -> tuple[int, ...]:
    """Strides or dilations; 1 where they are absent."""
    found = tuple(int(step) for step in call.attributes.get(name, (1,) * dimensions))
    if len(found) != dimensions or min(found) < 1:
        raise InputError(f"{name}: {dimensions} positive numbers are needed, found {found}")
    return found


def padding(
    call: Call, sizes: Sequence[int], widths: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> lowering.Pads:
    """What stands before and after each dimension, as the file states it or leaves it to be computed."""
    mode = call.attributes.get("auto_pad", "NOTSET")
    if mode == "NOTSET":
        stated = [int(pad) for pad in call.attributes.get("pads", (0, 0) * len(sizes))]
        if len(stated) != 2 * len(sizes) or min(stated) < 0:
            raise InputError(f"pads: {2 * len(sizes)} numbers that are not negative are needed, found {stated}")
        return tuple(zip(stated[: len(sizes)], stated[len(sizes) :], strict=True))
    if mode == "VALID":
        return ((0, 0),) * len(sizes)
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise InputError(f"auto_pad: NOTSET, VALID, SAME_UPPER or SAME_LOWER is needed, found {mode!r}")
    pads = []
    for size, width, stride, step in zip(sizes, widths, strides, dilations, strict=True):
        total = max((-(-size // stride) - 1) * stride + step * (width - 1) + 1 - size, 0)
        less, more = total // 2, total - total // 2
        pads.append((less, more) if mode == "SAME_UPPER" else (more, less))
    return tuple(pads)


def pool(lower: Callable[..., int]) -> Handler:
    """Max or average pooling."""

    def read(t: Translation, call: Call) -> Operand:
        value = call.value()
        sizes = t.images(value)
        widths = tuple(int(width) for width in call.attributes["kernel_shape"])
        if len(widths) != len(sizes) or min(widths) < 1:
            raise InputError(f"windows of {widths} do not fit {t.told(value.shape)}")
        strides, dilations = (per_dimension(call, name, len(sizes)) for name in ("strides", "dilations"))
        options: dict[str, Any] = {}
        if call.operator == "AveragePool":
            options["counts_padding"] = bool(call.attributes.get("count_include_pad", 0))
        pads = padding(call, sizes, widths, strides, dilations)
        rounds_up = bool(call.attributes.get("ceil_mode", 0))
        window = lowering.Window(widths, strides, pads, dilations, rounds_up)
        return placed(t, call, value, lower(t.builder, call.name, value.number, window, **options))

    return read


def global_max_pool(t: Translation, call: Call) -> Operand:
    """The largest element of each channel."""
    value = call.value()
    sizes = t.images(value)
    ones, none = (1,) * len(sizes), ((0, 0),) * len(sizes)
    window = lowering.Window(tuple(sizes), ones, none, ones)
    return placed(t, call, value, lowering.max_pool(t.builder, call.name, value.number, window))


def global_average_pool(t: Translation, call: Call) -> Operand:
    """The mean of each channel."""
    value = call.value()
    return reduced(t, call, value, range(2, 2 + len(t.images(value))), "mean")


def batch_norm(t: Translation, call: Call) -> Operand:
    """Batch norm with the statistics of the file."""
    value = call.value()
    if call.attributes.get("training_mode", 0) or not call.attributes.get("spatial", 1):
        raise UnsupportedError("batch norm in training mode, or with statistics for each element, is not supported")
    if len(value.shape) < 2 or not t.has_batch(value.shape):
        raise UnsupportedError(f"(batch, channels, ...) is needed, found {t.told(value.shape)}")
    weight, bias, mean, variance = (torch.from_numpy(call.weight(i).astype(np.float64)) for i in range(1, 5))
    if any(tuple(each.shape) != value.shape[1:2] for each in (weight, bias, mean, variance)):
        raise InputError(f"one number for each of {value.shape[1]} channels is needed")
    epsilon = float(call.attributes.get("epsilon", np.float32(1e-5)))
    statistics = lowering.Statistics(mean, variance, weight, bias, epsilon)
    return Value(lowering.batch_norm(t.builder, call.name, value.number, statistics), value.shape)


def reduction(kind: lowering.Reduction) -> Handler:
    """Sum, mean, largest or smallest element over some or all dimensions."""

    def read(t: Translation, call: Call) -> Operand:
        value, stated = call.value(), call.setting("axes", 1)
        if not stated and call.attributes.get("noop_with_empty_axes", 0):
            return value
        axes = [axis % len(value.shape) for axis in (stated or range(len(value.shape)))]
        total = reduced(t, call, value, axes, kind)
        if call.attributes.get("keepdims", 1):
            return total
        return t.move(f"{call.name}.squeeze", total, lambda x: np.squeeze(x, tuple(axes)))

    return read


def reduced(t: Translation, call: Call, value: Value, axes: Sequence[int], kind: lowering.Reduction) -> Value:
    """A reduction over dimensions of the file's shape, which stay with size 1."""
    if t.is_dynamic and 0 in axes:
        raise UnsupportedError(f"a {kind} over the batch mixes samples")
    first = 1 if t.has_batch(value.shape) else 0
    features = [axis - first for axis in axes if axis >= first]
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(value.shape))
    if not features:
        return value
    number = lowering.reduce(t.builder, call.name, value.number, features, True, kind)
    whole = t.features(shape)
    if t.builder.shape_of(number) != whole:  # a first feature that shrank to 1 now reads as the batch
        number = lowering.rearrange(t.builder, f"{call.name}.batch", number, lambda x: x.reshape(len(x), *whole))
    return Value(number, shape)


HANDLERS: dict[str, Handler] = {
    "AveragePool": pool(lowering.average_pool),
    "BatchNormalization": batch_norm,
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "Gemm": gemm,
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
    "MatMul": matmul,
    "MaxPool": pool(lowering.max_pool),
    "ReduceMax": reduction("max"),
    "ReduceMean": reduction("mean"),
    "ReduceMin": reduction("min"),
    "ReduceSum": reduction("sum"),
}

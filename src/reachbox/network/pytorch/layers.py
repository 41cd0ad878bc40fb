"""ATen operators with weights or windows: linear layers, convolutions, batch norm, pooling, reductions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import fx

from reachbox.errors import UnsupportedError
from reachbox.network import lowering
from reachbox.network.operators import Convolution, Linear, resolve
from reachbox.network.pytorch import arithmetic
from reachbox.network.pytorch.translation import Handler, Result, Translation


def _linear(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    x, weight, bias = arguments
    layer = Linear(t.weight(node, weight), t.source(node, bias))
    return t.builder.add(t.name(node), layer, t.value(node, x))


def _matmul(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    matrix = t.weight(node, arguments[1])
    if resolve(matrix).ndim != 2:
        raise UnsupportedError(f"{t.name(node)!r}: only a product with a constant matrix on the right is supported")
    layer = Linear(lambda: resolve(matrix).T)
    return t.builder.add(t.name(node), layer, t.value(node, arguments[0]))


def _addmm(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    bias, x, matrix = (arguments[0], arguments[1], t.weight(node, arguments[2]))
    product = t.builder.add(t.name(node), Linear(lambda: resolve(matrix).T), t.value(node, x))
    return lowering.scale_and_shift(t.builder, f"{t.name(node)}.bias", product, None, t.source(node, bias))


def _many(setting: Any, dimensions: int) -> tuple[int, ...]:
    values = [setting] if isinstance(setting, int) else list(setting)
    return tuple(values) if len(values) == dimensions else tuple(values) * dimensions


def _both(padding: Sequence[int]) -> lowering.Pads:
    return tuple((pad, pad) for pad in padding)


def _convolution(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    x, weight, bias, stride, padding, dilation, groups = arguments[:7]
    value, kernel = t.value(node, x), t.weight(node, weight)
    widths = resolve(kernel).shape[2:]
    spatial = t.builder.shape_of(value)[1:]
    steps = _many(dilation, len(widths))
    if isinstance(padding, str):
        spans = [step * (width - 1) for step, width in zip(steps, widths, strict=True)]
        pads = tuple((span // 2, span - span // 2) if padding == "same" else (0, 0) for span in spans)
    else:
        pads = _both(_many(padding, len(widths)))
    layer = Convolution(
        kernel, t.source(node, bias), _many(stride, len(widths)), pads, steps, int(groups), tuple(spatial)
    )
    return t.builder.add(t.name(node), layer, value)


def _transposed_convolution(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    x, weight, bias, stride, padding, longer, groups, dilation = arguments
    value, kernel = t.value(node, x), t.weight(node, weight)
    count = resolve(kernel).ndim - 2
    strides, pads, extra, steps = (_many(setting, count) for setting in (stride, padding, longer, dilation))
    return lowering.transposed_convolution(
        t.builder, t.name(node), value, kernel, t.source(node, bias), stride=strides, dilation=steps,
        padding=tuple((pad, pad - more) for pad, more in zip(pads, extra, strict=True)), groups=int(groups),
    )  # fmt: skip


def _general_convolution(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    *first, dilation, transposed, longer, groups = arguments
    if transposed:
        return _transposed_convolution(t, node, (*first, longer, groups, dilation))
    return _convolution(t, node, (*first, dilation, groups))


def _inference_batch_norm(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    return _batch_norm(t, node, (*arguments[:5], False, *arguments[5:]))


def _batch_norm(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    x, weight, bias, mean, variance, training, _, epsilon = arguments[:8]
    if training or mean is None or variance is None:
        raise UnsupportedError(f"{t.name(node)!r}: batch norm needs running statistics in eval mode")
    statistics = lowering.Statistics(
        t.weight(node, mean), t.weight(node, variance),
        t.source(node, weight), t.source(node, bias), float(epsilon),
    )  # fmt: skip
    return lowering.batch_norm(t.builder, t.name(node), t.value(node, x), statistics)


def _window(
    count: int, kernel: Any, stride: Any, padding: Any, dilation: Any = 1, rounds_up: bool = False
) -> lowering.Window:
    """Torch's pooling arguments over `count` dimensions: single numbers stand for all, no stride for the kernel."""
    widths = _many(kernel, count)
    steps = _many(stride, count) if stride else widths
    return lowering.Window(widths, steps, _both(_many(padding, count)), _many(dilation, count), rounds_up)


def _max_pool(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    x, kernel, stride, padding, dilation, rounds_up = arguments
    value = t.value(node, x)
    count = len(t.builder.shape_of(value)) - 1
    window = _window(count, kernel, stride, padding, dilation, rounds_up)
    return lowering.max_pool(t.builder, t.name(node), value, window)


def _average_pool(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    x, kernel, stride, padding, rounds_up, counts_padding, *divisor = arguments
    value = t.value(node, x)
    window = _window(len(t.builder.shape_of(value)) - 1, kernel, stride, padding, 1, rounds_up)
    return lowering.average_pool(
        t.builder, t.name(node), value, window, counts_padding=counts_padding,
        divisor=divisor[0] if divisor else None,
    )  # fmt: skip


def _adaptive_window(sizes: Sequence[int], wanted: Sequence[int]) -> lowering.Window | None:
    """The window of an adaptive pooling whose sizes divide; None where windows differ in size."""
    if any(size % want for size, want in zip(sizes, wanted, strict=True)):
        return None
    widths = tuple(size // want for size, want in zip(sizes, wanted, strict=True))
    return _window(len(widths), widths, widths, 0)


def _wanted(sizes: Sequence[int], stated: Sequence[int | None]) -> tuple[int, ...]:
    """The sizes that an adaptive pooling gives; None keeps one."""
    return tuple(size if want is None else want for size, want in zip(sizes, stated, strict=True))


def _adaptive_average(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    value = t.value(node, arguments[0])
    sizes = t.builder.shape_of(value)[1:]
    window = _adaptive_window(sizes, _wanted(sizes, arguments[1]))
    if window is None:
        return _resampling(t, node, arguments)
    return lowering.average_pool(t.builder, t.name(node), value, window)


def _adaptive_max(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    value = t.value(node, arguments[0])
    sizes = t.builder.shape_of(value)[1:]
    wanted = _wanted(sizes, arguments[1])
    window = _adaptive_window(sizes, wanted)
    if window is None:
        raise UnsupportedError(f"{t.name(node)!r}: adaptive max pooling needs sizes that divide, {sizes} to {wanted}")
    return lowering.max_pool(t.builder, t.name(node), value, window)


def _resampling(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    """Any linear operator that acts on each spatial dimension by itself and keeps constants: tried on unit vectors."""
    target = node.target
    assert callable(target)
    value = t.value(node, arguments[0])
    sizes = t.builder.shape_of(value)[1:]
    matrices = []
    for axis, size in enumerate(sizes):
        units = torch.eye(size, dtype=torch.float64).reshape(
            size, 1, *(size if i == axis else 1 for i in range(len(sizes)))
        )
        answers = target(units.expand(size, 1, *sizes), *arguments[1:])
        line = [slice(None) if i == axis else 0 for i in range(len(sizes))]
        matrices.append(answers[(slice(None), 0, *line)].T)
    return lowering.resample(t.builder, t.name(node), value, matrices)


def _reduction(kind: lowering.Reduction) -> Handler:
    def read(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
        value = t.value(node, arguments[0])
        axes, keeps = (arguments[1], bool(arguments[2])) if len(arguments) > 2 else (None, False)
        dimensions = len(t.builder.shape_of(value)) + 1
        named = [axes] if isinstance(axes, int) else axes or range(dimensions)
        features = [axis % dimensions - 1 for axis in named]
        if min(features) < 0:
            raise UnsupportedError(f"{t.name(node)!r}: a {kind} over the batch mixes samples")
        return lowering.reduce(t.builder, t.name(node), value, features, keeps, kind)

    return read


def _extreme(kind: Literal["max", "min"]) -> Handler:
    """`max` or `min`, over dimensions or of two operands."""
    of_two, over_dimensions = arithmetic.extreme(is_maximum=kind == "max"), _reduction(kind)

    def read(t: Translation, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
        is_binary = len(arguments) == 2 and isinstance(arguments[1], fx.Node)
        return (of_two if is_binary else over_dimensions)(t, node, arguments)

    return read


UPSAMPLING = (
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d",
    "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d",
    "upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d",
)  # fmt: skip
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _convolution),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices"), _max_pool),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), _average_pool),
    **dict.fromkeys(
        ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "_adaptive_avg_pool2d"), _adaptive_average
    ),
    **dict.fromkeys(("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"), _adaptive_max),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed_convolution),
    **dict.fromkeys(UPSAMPLING, _resampling),
    **dict.fromkeys(("matmul", "mm"), _matmul),
    "linear": _linear,
    "addmm": _addmm,
    "convolution": _general_convolution,
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _inference_batch_norm,
    "mean": _reduction("mean"),
    "sum": _reduction("sum"),
    "amax": _reduction("max"),
    "amin": _reduction("min"),
    "max": _extreme("max"),
    "min": _extreme("min"),
}

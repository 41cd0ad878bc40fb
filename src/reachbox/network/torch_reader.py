"""Reads a torch module: captures its eval-mode graph and maps each ATen operator to ours."""

from __future__ import annotations

import operator as python_operator
import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, fx

from reachbox.box import ArrayLike, as_tensor
from reachbox.errors import InputError, ReachboxError, UnsupportedError
from reachbox.network import lowering
from reachbox.network.graph import Builder, Network
from reachbox.network.operators import Concatenate, Convolution, Linear, Relu, Sigmoid, Source, Tanh, resolve

PROBE_BATCH = 2  # torch.export specialises a batch of one


@dataclass(frozen=True)
class Live:
    """A module's parameter or buffer, looked up anew at every use; it does not keep the module alive."""

    module: weakref.ref[torch.nn.Module]
    name: str

    def __call__(self) -> Tensor:
        module = self.module()
        if module is None:
            raise InputError(f"network: the module that holds its weight {self.name!r} no longer exists")
        tensor = getattr(module, self.name)
        assert isinstance(tensor, Tensor)
        return tensor


def read_module(module: torch.nn.Module, example: ArrayLike) -> Network:
    """See `Network.from_module`."""
    sample = as_tensor(example, "example")[:1]
    if sample.ndim < 2 or sample.numel() == 0:
        raise InputError(f"example: a batch of inputs is needed, found shape {tuple(sample.shape)}")
    place = next(iter(module.parameters()), sample)
    batch = sample.detach().to(place).expand(PROBE_BATCH, *sample.shape[1:]).clone()
    program = capture(module, batch)
    return Reader(program, module, tuple(sample.shape[1:])).read()


def capture(module: torch.nn.Module, batch: Tensor) -> torch.export.ExportedProgram:
    """The exported graph in eval mode; the mode of every submodule is restored."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch's own, about its internals
            program = torch.export.export(module, (batch,), strict=False)
            return program.run_decompositions({}) if _mutates(program) else program
    except ReachboxError:
        raise
    except Exception as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UnsupportedError(f"{type(module).__name__}: torch.export cannot capture it: {reason}") from error
    finally:
        for part, training in modes.items():
            part.training = training


def _mutates(program: torch.export.ExportedProgram) -> bool:
    """Whether the graph works in place anywhere; such a graph is rewritten without that before it is read."""
    schemas = (getattr(node.target, "_schema", None) for node in program.graph.nodes)
    return any(schema is not None and schema.is_mutable for schema in schemas)


Result: TypeAlias = "int | tuple[int, ...]"
Handler: TypeAlias = "Callable[[Reader, fx.Node, tuple[Any, ...]], Result]"


class Reader:
    """Walks the exported graph; `values` are what depends on the input, `constants` what does not."""

    def __init__(self, program: torch.export.ExportedProgram, module: torch.nn.Module, input_shape: tuple[int, ...]):
        self.program = program
        self.module = module
        self.builder = Builder(input_shape)
        self.values: dict[fx.Node, Result] = {}
        self.constants: dict[fx.Node, Callable[[], Any]] = {}

    def read(self) -> Network:
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                self._placeholder(node)
            elif node.op == "call_function":
                self._call(node)
        results = self.program.graph.output_node().args[0]
        alone = results[0] if isinstance(results, (tuple, list)) and len(results) == 1 else None
        output = self.values.get(alone) if isinstance(alone, fx.Node) else None
        if not isinstance(output, int):
            raise UnsupportedError(
                f"{type(self.module).__name__}: one output tensor that depends on the input is needed"
            )
        return self.builder.network(output, owner=self.module)

    def _placeholder(self, node: fx.Node) -> None:
        signature = self.program.graph_signature
        names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        if node.name in names:
            path, _, leaf = names[node.name].rpartition(".")
            self.constants[node] = Live(weakref.ref(self.module.get_submodule(path)), leaf)
        elif node.name in signature.inputs_to_lifted_tensor_constants:
            tensor = self.program.constants[signature.inputs_to_lifted_tensor_constants[node.name]]
            self.constants[node] = lambda: tensor
        else:
            self.values[node] = 0

    def _call(self, node: fx.Node) -> None:
        if not any(source in self.values for source in node.all_input_nodes):
            self.constants[node] = self._constant(node)
            return
        if node.target is python_operator.getitem:
            parts, number = self.values[node.args[0]], node.args[1]  # type: ignore[index]
            if not isinstance(parts, tuple) and number != 0:
                raise UnsupportedError(f"{self.name(node)!r}: only the first result of {node.args[0]} is supported")
            self.values[node] = parts[number] if isinstance(parts, tuple) else parts  # type: ignore[index]
            return
        kind = str(node.target).removeprefix("aten.")
        handler = HANDLERS.get(kind.split(".")[0])
        if handler is None:
            raise UnsupportedError(
                f"operator {kind.split('.')[0]!r} at {self.name(node)!r} cannot be bounded"
                f"{HINTS.get(kind.split('.')[0], '')}; {lowering.SUPPORTED}"
            )
        schema = node.target._schema.arguments  # type: ignore[union-attr]
        given = dict(zip((argument.name for argument in schema), node.args, strict=False)) | node.kwargs
        arguments = tuple(given.get(argument.name, argument.default_value) for argument in schema)
        result = handler(self, node, arguments)
        self._check(node, result)
        self.values[node] = result

    def _check(self, node: fx.Node, result: Result) -> None:
        """Our shapes must be those that torch recorded, one sample at a time."""
        recorded = node.meta.get("val")
        if isinstance(result, int) and isinstance(recorded, Tensor):
            ours = (PROBE_BATCH, *self.builder.shape_of(result))
            if ours != tuple(recorded.shape):
                raise UnsupportedError(
                    f"{self.name(node)!r} ({node.target}): it gives {tuple(recorded.shape)} for {PROBE_BATCH} samples "
                    f"where {ours} is expected; the first dimension must stay the batch"
                )

    def _constant(self, node: fx.Node) -> Callable[[], Any]:
        target = node.target
        assert callable(target)
        constants = self.constants

        def evaluate() -> Any:
            arguments = fx.map_arg(node.args, lambda n: constants[n]())
            options = fx.map_arg(node.kwargs, lambda n: constants[n]())
            return target(*arguments, **options)

        return evaluate

    def name(self, node: fx.Node) -> str:
        """The submodule's path where there is one, else the name in the graph."""
        stack = list(node.meta.get("nn_module_stack", {}).values())
        path = stack[-1][0].removeprefix("L['self'].") if stack else ""
        return path or node.name

    def value(self, node: fx.Node, argument: Any) -> int:
        """The value that an argument stands for; constants are refused."""
        found = self.values.get(argument) if isinstance(argument, fx.Node) else None
        if not isinstance(found, int):
            raise UnsupportedError(f"{self.name(node)!r} ({node.target}): an argument must depend on the input")
        return found

    def depends(self, argument: Any) -> bool:
        """Whether an argument depends on the input."""
        return isinstance(argument, fx.Node) and argument in self.values

    def source(self, node: fx.Node, argument: Any) -> Source | None:
        """The weight that an argument stands for: a live tensor, or a number as a tensor."""
        if argument is None:
            return None
        if isinstance(argument, (int, float)):
            return torch.tensor(float(argument), dtype=torch.float64)
        if self.depends(argument):
            raise UnsupportedError(
                f"{self.name(node)!r} ({node.target}): a product or quotient of two values that both depend on the "
                f"input cannot be bounded"
            )
        return self.constants[argument]

    def weight(self, node: fx.Node, argument: Any) -> Source:
        """A weight that must be there."""
        source = self.source(node, argument)
        if source is None:
            raise UnsupportedError(f"{self.name(node)!r} ({node.target}): a weight is missing")
        return source


def _move(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    """Any operator that only moves elements."""
    target = node.target
    assert callable(target)
    value = reader.value(node, arguments[0])
    rest = fx.map_arg(tuple(arguments[1:]), lambda n: reader.constants[n]())
    names = [argument.name for argument in target._schema.arguments[1:]]  # type: ignore[attr-defined]
    options = dict(zip(names, rest, strict=True))

    def part(number: int) -> Callable[[Tensor], Tensor]:
        return lambda x: target(x, **options)[number]

    shape = reader.builder.shape_of(value)
    probe = target(torch.zeros(PROBE_BATCH, *shape), **options)
    if isinstance(probe, Tensor):
        return lowering.rearrange(reader.builder, reader.name(node), value, lambda x: target(x, **options))
    return tuple(lowering.rearrange(reader.builder, reader.name(node), value, part(i)) for i in range(len(probe)))


def _pad(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    value, pads = reader.value(node, arguments[0]), list(arguments[1])
    mode, filling = (arguments[2], arguments[3]) if len(arguments) > 3 else ("constant", arguments[2])
    if filling and mode == "constant":
        raise UnsupportedError(f"{reader.name(node)!r}: padding with {filling} is not supported; padding with 0 is")
    return lowering.rearrange(
        reader.builder, reader.name(node), value,
        lambda x: torch.nn.functional.pad(x.double(), pads, mode).long(),
    )  # fmt: skip


def _same(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    return reader.value(node, arguments[0])


def _dropout(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    if arguments[2]:
        raise UnsupportedError(f"{reader.name(node)!r}: dropout stays on in eval mode; pass training=self.training")
    return reader.value(node, arguments[0])


def _linear(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    x, weight, bias = arguments
    layer = Linear(reader.weight(node, weight), reader.source(node, bias))
    return reader.builder.add(reader.name(node), layer, reader.value(node, x))


def _matmul(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    matrix = reader.weight(node, arguments[1])
    if resolve(matrix).ndim != 2:
        raise UnsupportedError(
            f"{reader.name(node)!r}: only a product with a constant matrix on the right is supported"
        )
    layer = Linear(lambda: resolve(matrix).T)
    return reader.builder.add(reader.name(node), layer, reader.value(node, arguments[0]))


def _addmm(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    bias, x, matrix = (arguments[0], arguments[1], reader.weight(node, arguments[2]))
    product = reader.builder.add(reader.name(node), Linear(lambda: resolve(matrix).T), reader.value(node, x))
    return lowering.scale_and_shift(
        reader.builder, f"{reader.name(node)}.bias", product, None, reader.source(node, bias)
    )


def _many(setting: Any, dimensions: int) -> tuple[int, ...]:
    values = [setting] if isinstance(setting, int) else list(setting)
    return tuple(values) if len(values) == dimensions else tuple(values) * dimensions


def _both(padding: Sequence[int]) -> lowering.Pads:
    return tuple((pad, pad) for pad in padding)


def _convolution(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    x, weight, bias, stride, padding, dilation, groups = arguments[:7]
    value, kernel = reader.value(node, x), reader.weight(node, weight)
    widths = resolve(kernel).shape[2:]
    spatial = reader.builder.shape_of(value)[1:]
    steps = _many(dilation, len(widths))
    if isinstance(padding, str):
        spans = [step * (width - 1) for step, width in zip(steps, widths, strict=True)]
        pads = tuple((span // 2, span - span // 2) if padding == "same" else (0, 0) for span in spans)
    else:
        pads = _both(_many(padding, len(widths)))
    layer = Convolution(
        kernel, reader.source(node, bias), _many(stride, len(widths)), pads, steps, int(groups), tuple(spatial)
    )
    return reader.builder.add(reader.name(node), layer, value)


def _general_convolution(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    *first, transposed, _, groups = arguments
    if transposed:
        raise UnsupportedError(f"{reader.name(node)!r}: transposed convolution cannot be bounded")
    return _convolution(reader, node, (*first, groups))


def _inference_batch_norm(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    return _batch_norm(reader, node, (*arguments[:5], False, *arguments[5:]))


def _batch_norm(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    x, weight, bias, mean, variance, training, _, epsilon = arguments[:8]
    if training or mean is None or variance is None:
        raise UnsupportedError(f"{reader.name(node)!r}: batch norm needs running statistics in eval mode")
    statistics = lowering.Statistics(
        reader.weight(node, mean), reader.weight(node, variance),
        reader.source(node, weight), reader.source(node, bias), float(epsilon),
    )  # fmt: skip
    return lowering.batch_norm(reader.builder, reader.name(node), reader.value(node, x), statistics)


def _window(
    count: int, kernel: Any, stride: Any, padding: Any, dilation: Any = 1, rounds_up: bool = False
) -> lowering.Window:
    """Torch's pooling arguments over `count` dimensions: single numbers stand for all, no stride for the kernel."""
    widths = _many(kernel, count)
    steps = _many(stride, count) if stride else widths
    return lowering.Window(widths, steps, _both(_many(padding, count)), _many(dilation, count), rounds_up)


def _max_pool(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    x, kernel, stride, padding, dilation, rounds_up = arguments
    value = reader.value(node, x)
    count = len(reader.builder.shape_of(value)) - 1
    window = _window(count, kernel, stride, padding, dilation, rounds_up)
    return lowering.max_pool(reader.builder, reader.name(node), value, window)


def _average_pool(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    x, kernel, stride, padding, rounds_up, counts_padding, *divisor = arguments
    value = reader.value(node, x)
    window = _window(len(reader.builder.shape_of(value)) - 1, kernel, stride, padding, 1, rounds_up)
    return lowering.average_pool(
        reader.builder, reader.name(node), value, window, counts_padding=counts_padding,
        divisor=divisor[0] if divisor else None,
    )  # fmt: skip


def _adaptive_average(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    value = reader.value(node, arguments[0])
    sizes = reader.builder.shape_of(value)[1:]
    wanted = tuple(arguments[1])
    if any(size % want for size, want in zip(sizes, wanted, strict=True)):
        raise UnsupportedError(f"{reader.name(node)!r}: adaptive pooling needs sizes that divide, {sizes} to {wanted}")
    widths = tuple(size // want for size, want in zip(sizes, wanted, strict=True))
    return lowering.average_pool(reader.builder, reader.name(node), value, _window(len(widths), widths, widths, 0))


def _reduction(average: bool) -> Handler:
    def read(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
        value = reader.value(node, arguments[0])
        axes, keeps = (arguments[1], bool(arguments[2])) if len(arguments) > 2 else (None, False)
        dimensions = len(reader.builder.shape_of(value)) + 1
        features = [axis % dimensions - 1 for axis in (axes or range(dimensions))]
        if min(features) < 0:
            raise UnsupportedError(f"{reader.name(node)!r}: a sum or mean over the batch mixes samples")
        return lowering.reduce(reader.builder, reader.name(node), value, features, keeps, average)

    return read


def _concatenate(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    values = [reader.value(node, argument) for argument in arguments[0]]
    shapes = [reader.builder.shape_of(value) for value in values]
    axis = arguments[1] % (len(shapes[0]) + 1) - 1
    if axis < 0:
        raise UnsupportedError(f"{reader.name(node)!r}: concatenation along the batch mixes samples")
    return reader.builder.add(reader.name(node), Concatenate(axis, tuple(shape[axis] for shape in shapes)), *values)


def _stack(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    name, values = reader.name(node), [reader.value(node, argument) for argument in arguments[0]]
    axis = arguments[1] % (len(reader.builder.shape_of(values[0])) + 2)
    if axis == 0:
        raise UnsupportedError(f"{name!r}: stacking along the batch mixes samples")
    raised = [lowering.rearrange(reader.builder, f"{name}.axis", v, lambda x: x.unsqueeze(axis)) for v in values]
    return reader.builder.add(name, Concatenate(axis - 1, (1,) * len(raised)), *raised)


def _sum(sign: float) -> Handler:
    """`a + alpha b` or `a - alpha b`, either of them possibly a constant."""

    def read(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
        first, second, alpha = (*arguments, 1)[:3]
        name, factor = reader.name(node), sign * float(alpha)
        if not reader.depends(second):
            constant = reader.weight(node, second)
            return lowering.scale_and_shift(
                reader.builder, name, reader.value(node, first), None, lambda: factor * resolve(constant)
            )
        moved = reader.value(node, second)
        scale = None if factor == 1 else torch.tensor(factor, dtype=torch.float64)
        if not reader.depends(first):
            return lowering.scale_and_shift(reader.builder, name, moved, scale, reader.weight(node, first))
        if scale is not None:
            moved = lowering.scale_and_shift(reader.builder, f"{name}.factor", moved, scale)
        return lowering.combine(reader.builder, name, [reader.value(node, first), moved])

    return read


def _product(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    x, factor = arguments[:2] if reader.depends(arguments[0]) else (arguments[1], arguments[0])
    scale = reader.weight(node, factor)
    return lowering.scale_and_shift(reader.builder, reader.name(node), reader.value(node, x), scale)


def _quotient(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    divisor = reader.weight(node, arguments[1])
    value = reader.value(node, arguments[0])
    return lowering.scale_and_shift(reader.builder, reader.name(node), value, lambda: 1 / resolve(divisor))


def _negative(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
    value = reader.value(node, arguments[0])
    return lowering.scale_and_shift(reader.builder, reader.name(node), value, torch.tensor(-1.0, dtype=torch.float64))


def _activation(make: Callable[..., Any]) -> Handler:
    def read(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
        return reader.builder.add(reader.name(node), make(*arguments[1:]), reader.value(node, arguments[0]))

    return read


def _clamp(low: float | None = None, high: float | None = None) -> Handler:
    def read(reader: Reader, node: fx.Node, arguments: tuple[Any, ...]) -> Result:
        limits = (*arguments[1:], None, None)[:2] if len(arguments) > 1 else (low, high)
        if any(isinstance(limit, fx.Node) for limit in limits):
            raise UnsupportedError(f"{reader.name(node)!r}: a clamp needs numbers as limits")
        return lowering.clamp(reader.builder, reader.name(node), reader.value(node, arguments[0]), *limits)

    return read


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
]
HINTS = {
    "softmax": " (remove the final softmax: bounds are about logits)",
    "log_softmax": " (remove the final log-softmax: bounds are about logits)",
}
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(MOVES, _move),
    **dict.fromkeys(("contiguous", "clone", "alias", "detach", "to", "_to_copy", "lift_fresh_copy"), _same),
    **dict.fromkeys(("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"), _dropout),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _convolution),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices"), _max_pool),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), _average_pool),
    **dict.fromkeys(
        ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "_adaptive_avg_pool2d"), _adaptive_average
    ),
    **dict.fromkeys(("matmul", "mm"), _matmul),
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    "linear": _linear,
    "addmm": _addmm,
    "convolution": _general_convolution,
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _inference_batch_norm,
    "mean": _reduction(average=True),
    "sum": _reduction(average=False),
    "cat": _concatenate,
    "stack": _stack,
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
}

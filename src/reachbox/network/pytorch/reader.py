"""Captures a torch module in eval mode and translates its graph."""

from __future__ import annotations

import logging
import operator as python_operator
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from reachbox.box import ArrayLike, as_tensor
from reachbox.errors import InputError, ReachboxError, UnsupportedError
from reachbox.network.graph import Network
from reachbox.network.pytorch import arithmetic, arrangement, layers
from reachbox.network.pytorch.translation import PROBE_BATCH, Handler, Result, Translation

HANDLERS: dict[str, Handler] = {**arithmetic.HANDLERS, **arrangement.HANDLERS, **layers.HANDLERS}
SUPPORTED = (
    "supported: linear, convolution and its transpose, batch norm, average and max pooling, upsampling, ReLU, "
    "LeakyReLU, PReLU, hardtanh, clamp, abs, sigmoid, tanh, dropout, arithmetic with constants, maxima, sums, means, "
    "concatenation, reshaping, slicing, padding"
)
HINTS = {
    "softmax": " (remove the final softmax: bounds are about logits)",
    "log_softmax": " (remove the final log-softmax: bounds are about logits)",
}


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
        with _quiet_torch():
            program = torch.export.export(module, (batch,), strict=False)
            return program.run_decompositions({}) if _mutates(program) else program
    except ReachboxError:
        raise
    except Exception as error:
        _check_runs(module, batch)
        reason = _first_line(error)
        raise UnsupportedError(f"{type(module).__name__}: torch.export cannot capture it: {reason}") from error
    finally:
        for part, training in modes.items():
            part.training = training


@contextmanager
def _quiet_torch() -> Iterator[None]:
    """Without torch's warnings about its own internals, and without its log of an error that is raised anyway."""
    log = logging.getLogger("torch._subclasses.fake_tensor")
    was_disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        log.disabled = was_disabled


def _check_runs(module: torch.nn.Module, batch: Tensor) -> None:
    """Raises `InputError` where the module itself fails on such inputs, whoever runs it."""
    shape = tuple(batch.shape[1:])
    try:
        with torch.no_grad():
            module(batch)
    except Exception as error:
        reason = _first_line(error)
        raise InputError(f"{type(module).__name__}: fails on a batch of inputs of shape {shape}: {reason}") from error


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _mutates(program: torch.export.ExportedProgram) -> bool:
    """Whether the graph works in place anywhere; such a graph is rewritten without that before it is read."""
    schemas = (getattr(node.target, "_schema", None) for node in program.graph.nodes)
    return any(schema is not None and schema.is_mutable for schema in schemas)


class Reader:
    """Walks the exported graph and translates it node by node."""

    def __init__(self, program: torch.export.ExportedProgram, module: torch.nn.Module, input_shape: tuple[int, ...]):
        self.program = program
        self.module = module
        self.t = Translation(input_shape)

    def read(self) -> Network:
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                self._placeholder(node)
            elif node.op == "call_function" and node.users:
                self._call(node)
        results = self.program.graph.output_node().args[0]
        alone = results[0] if isinstance(results, (tuple, list)) and len(results) == 1 else None
        output = self.t.values.get(alone) if isinstance(alone, fx.Node) else None
        if not isinstance(output, int):
            raise UnsupportedError(
                f"{type(self.module).__name__}: one output tensor that depends on the input is needed"
            )
        return self.t.builder.network(output, owner=self.module)

    def _placeholder(self, node: fx.Node) -> None:
        signature = self.program.graph_signature
        names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        if node.name in names:
            path, _, leaf = names[node.name].rpartition(".")
            self.t.constants[node] = Live(weakref.ref(self.module.get_submodule(path)), leaf)
        elif node.name in signature.inputs_to_lifted_tensor_constants:
            tensor = self.program.constants[signature.inputs_to_lifted_tensor_constants[node.name]]
            self.t.constants[node] = lambda: tensor
        else:
            self.t.values[node] = 0

    def _call(self, node: fx.Node) -> None:
        if not any(source in self.t.values for source in node.all_input_nodes):
            self.t.constants[node] = self._constant(node)
            return
        if node.target is python_operator.getitem:
            parts, number = self.t.values[node.args[0]], node.args[1]  # type: ignore[index]
            if not isinstance(parts, tuple) and number != 0:
                raise UnsupportedError(f"{self.t.name(node)!r}: only the first result of {node.args[0]} is supported")
            self.t.values[node] = parts[number] if isinstance(parts, tuple) else parts  # type: ignore[index]
            return
        kind = str(node.target).removeprefix("aten.")
        handler = HANDLERS.get(kind.split(".")[0])
        if handler is None:
            raise UnsupportedError(
                f"operator {kind.split('.')[0]!r} at {self.t.name(node)!r} cannot be bounded"
                f"{HINTS.get(kind.split('.')[0], '')}; {SUPPORTED}"
            )
        schema = node.target._schema.arguments  # type: ignore[union-attr]
        given = dict(zip((argument.name for argument in schema), node.args, strict=False)) | node.kwargs
        arguments = tuple(given.get(argument.name, argument.default_value) for argument in schema)
        result = handler(self.t, node, arguments)
        self._check(node, result)
        self.t.values[node] = result

    def _check(self, node: fx.Node, result: Result) -> None:
        """Our shapes must be those that torch recorded, one sample at a time."""
        recorded = node.meta.get("val")
        if isinstance(result, int) and isinstance(recorded, Tensor):
            ours = (PROBE_BATCH, *self.t.builder.shape_of(result))
            if ours != tuple(recorded.shape):
                raise UnsupportedError(
                    f"{self.t.name(node)!r} ({node.target}): it gives {tuple(recorded.shape)} for {PROBE_BATCH} "
                    f"samples where {ours} is expected; the first dimension must stay the batch"
                )

    def _constant(self, node: fx.Node) -> Callable[[], Any]:
        target = node.target
        assert callable(target)
        constants = self.t.constants

        def evaluate() -> Any:
            arguments = fx.map_arg(node.args, lambda n: constants[n]())
            options = fx.map_arg(node.kwargs, lambda n: constants[n]())
            return target(*arguments, **options)

        return evaluate

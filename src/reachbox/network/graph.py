"""A network: a graph of few operators, in the order in which they are evaluated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reachbox.checks import all_finite, demand, is_seen_finite
from reachbox.errors import InputError
from reachbox.network.operators import Operator, Shape, Source, resolve

if TYPE_CHECKING:
    from reachbox.box import ArrayLike


@dataclass(frozen=True)
class Node:
    """One operator at work: where its inputs come from and what shape it gives.

    Value 0 is the network's input; value `i + 1` is the result of node `i`.
    """

    name: str
    operator: Operator
    inputs: tuple[int, ...]
    shape: Shape


@dataclass(frozen=True)
class Network:
    """A function from inputs `(batch, *input_shape)` to outputs `(batch, *output_shape)`.

    Made by `Network.from_module` or `reachbox.load`. Calling it evaluates it. Weights read from a torch module stay
    that module's own: training the module changes the network, and gradients of bounds reach its parameters.
    `output` is the value that the network returns. `plans` holds what methods worked out about the graph's structure,
    which no change of weights alters; casts of a network share it.
    """

    input_shape: Shape
    nodes: tuple[Node, ...]
    output: int
    owner: object = field(default=None, repr=False)
    plans: dict[str, object] = field(default_factory=dict, repr=False, compare=False)

    @staticmethod
    def from_module(module: torch.nn.Module, example: ArrayLike) -> Network:
        """The eval-mode graph of a torch module, captured once with `torch.export`.

        `example` is a batch of inputs, `(batch, *features)`; only its shape and dtype matter. The module's mode is
        restored. Weights and running statistics are shared with the module, not copied.
        Raises `UnsupportedError` with the operator and its node for what cannot be bounded.
        """
        from reachbox.network.pytorch import read_module

        return read_module(module, example)

    @property
    def output_shape(self) -> Shape:
        """Shape of one sample's output."""
        return self.shape_of(self.output)

    @property
    def device(self) -> torch.device:
        """Where the weights are; the CPU where there are none."""
        sources = (source for node in self.nodes for source in node.operator.sources().values())
        return next((resolve(source).device for source in sources), torch.device("cpu"))

    def shape_of(self, value: int) -> Shape:
        """Shape of a value for one sample."""
        return self.input_shape if value == 0 else self.nodes[value - 1].shape

    def __call__(self, x: Tensor) -> Tensor:
        """The outputs for a batch of inputs, evaluated in the dtype and on the device of `x`."""
        return self._cast(x.dtype, x.device).values(x)[self.output]

    def values(self, x: Tensor) -> list[Tensor]:
        """Every value of the graph, the input first, then each node's result; weights must be of the dtype of `x`."""
        self.check_input(tuple(x.shape))
        values = [x]
        for node in self.nodes:
            values.append(node.operator.forward(*(values[i] for i in node.inputs)))
        return values

    def check_input(self, shape: Shape) -> None:
        """Raises `InputError` unless `shape` is `(batch, *input_shape)`."""
        if shape[1:] != self.input_shape or not shape or shape[0] < 1:
            wanted = ", ".join(str(size) for size in self.input_shape)
            raise InputError(f"input: the network takes (batch, {wanted}), found shape {shape}")

    def to(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> Network:
        """The same network with its present weights in another dtype or on another device; gradients still flow.

        Raises `InputError` for a weight that is NaN or infinite.
        """
        network = self._cast(dtype, device)
        network.check_weights()
        return network

    def _cast(self, dtype: torch.dtype | None, device: torch.device | str | None) -> Network:
        def cast(source: Source) -> Tensor:
            tensor = resolve(source)
            return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)

        return self.map_sources(cast)

    def map_sources(self, change: Callable[[Source], Source]) -> Network:
        """The same graph with every weight replaced by `change(weight)`."""
        nodes = tuple(
            Node(node.name, node.operator.map_sources(change), node.inputs, node.shape) for node in self.nodes
        )
        return Network(self.input_shape, nodes, self.output, self.owner, self.plans)

    def preceded_by(self, name: str, operator: Operator) -> Network:
        """The network after one more operator on its input, which must keep the input's shape."""
        first = Node(name, operator, (0,), operator.output_shape(self.input_shape))
        rest = (Node(node.name, node.operator, tuple(i + 1 for i in node.inputs), node.shape) for node in self.nodes)
        return Network(self.input_shape, (first, *rest), self.output + 1, self.owner)

    def check_weights(self) -> None:
        """Raises `InputError` for a weight that is NaN or infinite."""
        weights = [(node, name, source) for node in self.nodes for name, source in node.operator.sources().items()]
        if is_seen_finite(*(resolve(source) for _, _, source in weights)):
            return
        finite = [all_finite(resolve(source)) for _, _, source in weights]

        def not_finite() -> InputError:
            node, name, _ = next(weight for weight, ok in zip(weights, finite, strict=True) if not ok)
            where = f"node {node.name!r} ({node.operator.name}): {name}"
            return InputError(f"{where} holds NaN or infinity; every weight must be finite")

        demand(torch.stack(finite).all(), not_finite)


class Builder:
    """Collects nodes for a network; used by the readers of torch and ONNX."""

    def __init__(self, input_shape: Shape) -> None:
        self.input_shape = input_shape
        self.nodes: list[Node] = []

    def shape_of(self, value: int) -> Shape:
        """Shape of a value for one sample."""
        return self.input_shape if value == 0 else self.nodes[value - 1].shape

    def add(self, name: str, operator: Operator, *inputs: int) -> int:
        """Appends a node and gives its value; a shape that does not fit is an `InputError` that names the node."""
        try:
            shape = operator.output_shape(*(self.shape_of(i) for i in inputs))
        except InputError as error:
            raise InputError(f"node {name!r}: {error}") from None
        self.nodes.append(Node(name, operator, inputs, shape))
        return len(self.nodes)

    def network(self, output: int, owner: object = None) -> Network:
        """The finished network, without nodes that its output does not need."""
        needed = {output}
        for value in range(output, 0, -1):
            if value in needed:
                needed.update(self.nodes[value - 1].inputs)
        number = {value: i for i, value in enumerate(sorted(needed | {0}))}
        nodes = tuple(
            Node(node.name, node.operator, tuple(number[i] for i in node.inputs), node.shape)
            for value, node in enumerate(self.nodes, start=1)
            if value in needed
        )
        return Network(self.input_shape, nodes, number[output], owner)

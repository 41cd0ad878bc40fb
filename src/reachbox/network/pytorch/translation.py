"""What the handlers of ATen operators share: the graph so far, and what an argument stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import fx

from reachbox.errors import UnsupportedError
from reachbox.network.graph import Builder
from reachbox.network.operators import Source

PROBE_BATCH = 2  # torch.export specialises a batch of one

Result: TypeAlias = "int | tuple[int, ...]"
Handler: TypeAlias = "Callable[[Translation, fx.Node, tuple[Any, ...]], Result]"


class Translation:
    """The graph while it is built: `values` are what depends on the input, `constants` what does not."""

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        self.builder = Builder(input_shape)
        self.values: dict[fx.Node, Result] = {}
        self.constants: dict[fx.Node, Callable[[], Any]] = {}

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

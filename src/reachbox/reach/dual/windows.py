"""Which part of each value the rows of a layer see: a window for each place of their grid, planned once a network."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TypeAlias

from reachbox.network import Network, Node
from reachbox.network.operators import (
    Activation,
    Add,
    Affine,
    Concatenate,
    Convolution,
    MaxPool,
    Reshape,
    Scale,
    Shape,
    resolve,
)


@dataclass(frozen=True)
class Window:
    """Along one spatial dimension, a row at place `p` sees the `size` elements from `start + step * p` on.

    With step 0 all places see the same. What lies outside the value counts as zero.
    """

    start: int
    step: int
    size: int

    def through(self, sliding: Sliding) -> Window:
        """What the windows of a sliding operator whose results lie in this one see together."""
        span = (self.size - 1) * sliding.stride + sliding.dilation * (sliding.kernel - 1) + 1
        return Window(self.start * sliding.stride - sliding.padding, self.step * sliding.stride, span)

    def end(self, places: int) -> int:
        """Where the last place's window ends."""
        return self.start + self.step * (places - 1) + self.size

    def joined(self, other: Window) -> Window | None:
        """The smallest window that covers both at every place, None where they drift apart."""
        if self.step != other.step:
            return None
        start = min(self.start, other.start)
        return Window(start, self.step, max(self.start + self.size, other.start + other.size) - start)


Windows: TypeAlias = tuple[Window, ...]
"""One for each spatial dimension of a value; the first dimension, its channels, is always seen whole."""


@dataclass(frozen=True)
class Sliding:
    """How a convolution or a pool slides along one spatial dimension; `padding` is that before the first element."""

    kernel: int
    stride: int
    padding: int
    dilation: int


def slidings(operator: Convolution | MaxPool) -> tuple[Sliding, ...]:
    """How an operator slides along each spatial dimension."""
    kernel = operator.kernel if isinstance(operator, MaxPool) else tuple(resolve(operator.weight).shape[2:])
    before = (low for low, _ in operator.padding)
    return tuple(map(Sliding, kernel, operator.stride, before, operator.dilation))


def whole(shape: Shape) -> Windows:
    """Windows that see all of a value of that shape."""
    return tuple(Window(0, 0, size) for size in shape[1:])


def each_unit(shape: Shape) -> Windows:
    """Windows of the units of a value themselves, when its places are the grid."""
    return tuple(Window(0, 1, 1) for _ in shape[1:])


@dataclass(frozen=True)
class Plan:
    """The windows in which rows over one value see every value below it.

    `elements` is the size of the largest tensor on the way for one row.
    """

    windows: dict[int, Windows]
    elements: int


def planned(network: Network, value: int, *, units: bool) -> Plan:
    """The plan of the units of a value, or of any rows over the whole of it; worked out once a network."""
    key = f"windows of {'units' if units else 'rows'} {value}"
    found = network.plans.get(key)
    if not isinstance(found, Plan):
        found = network.plans[key] = _plan(network, value, units)
    return found


def largest(network: Network) -> int:
    """The size of the largest tensor that the rows of one sample take, all at once; worked out once a network."""
    found = network.plans.get("largest rows")
    if not isinstance(found, int):
        sizes = [planned(network, network.output, units=False).elements * prod(network.output_shape)]
        for node in network.nodes:
            if not isinstance(node.operator, Affine) and not is_first(network, node.inputs[0]):
                units = prod(network.shape_of(node.inputs[0]))
                sizes.append(planned(network, node.inputs[0], units=True).elements * units)
        found = network.plans["largest rows"] = max(sizes)
    return found


def _plan(network: Network, value: int, units: bool) -> Plan:
    shape = network.shape_of(value)
    windows = {value: each_unit(shape) if units else whole(shape)}
    alike = {value} if units else set()  # values over which the rows of all samples and places are the same
    elements = 0
    for current in range(value, 0, -1):
        if current not in windows:
            continue
        node = network.nodes[current - 1]
        for source in node.inputs:
            before = network.shape_of(source)
            seen = _before(node.operator, windows[current], before)
            known = windows.get(source)
            windows[source] = _kept(seen if known is None else _joined(known, seen), before)
            if current in alike and isinstance(node.operator, Affine):
                alike.add(source)
                continue
            alike.discard(source)
            columns = _columns(node, windows[current], before)
            elements = max(elements, _size(network, source, windows), columns)
    return Plan(windows, elements)


def _size(network: Network, value: int, windows: dict[int, Windows]) -> int:
    return network.shape_of(value)[0] * prod(window.size for window in windows[value])


def _columns(node: Node, seen: Windows, before: Shape) -> int:
    """The size of a row's products with each tap of a sliding operator, before they are added up."""
    if not isinstance(node.operator, Convolution | MaxPool):
        return 0
    taps = prod(sliding.kernel for sliding in slidings(node.operator))
    return before[0] * taps * prod(window.size for window in seen)


def _before(operator: object, windows: Windows, before: Shape) -> Windows | None:
    """What is seen of an operator's input; None for all of it."""
    if isinstance(operator, Convolution | MaxPool):
        return tuple(window.through(sliding) for window, sliding in zip(windows, slidings(operator), strict=True))
    if keeps_places(operator):
        return windows
    assert isinstance(operator, Affine)
    return None


def keeps_places(operator: object) -> bool:
    """Whether each element of the result is made of those at its own spatial place."""
    if isinstance(operator, Concatenate):
        return operator.axis == 0
    return isinstance(operator, Activation | Add | Scale)


def _joined(one: Windows, other: Windows | None) -> Windows | None:
    if other is None:
        return None
    pairs = [a.joined(b) for a, b in zip(one, other, strict=True)]
    return tuple(pair for pair in pairs if pair is not None) if None not in pairs else None


def _kept(windows: Windows | None, shape: Shape) -> Windows:
    """Windows as they are kept: the whole dimension where that is no larger, and where all places see the same."""
    if windows is None:
        return whole(shape)
    return tuple(
        Window(0, 0, size) if window.step == 0 or window.size >= size else window
        for window, size in zip(windows, shape[1:], strict=True)
    )


def is_first(network: Network, value: int) -> bool:
    """Whether the plain absolute radius of a value is exact: at most one operator mixes elements on the way to it."""
    found = network.plans.get("mixed")
    if not isinstance(found, tuple):
        found = network.plans["mixed"] = _mixed(network)
    return bool(found[value] <= 1)


def _mixed(network: Network) -> tuple[int, ...]:
    """How many operators that mix elements lie before each value; one that is not affine counts as many."""
    mixed = [0]
    for node in network.nodes:
        keeps = isinstance(node.operator, Reshape | Scale)
        own = 0 if keeps else 1 if isinstance(node.operator, Affine) else len(network.nodes) + 2
        mixed.append(own + max(mixed[source] for source in node.inputs))
    return tuple(mixed)

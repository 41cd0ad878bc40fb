"""A network as a chain of convolutions with ReLU between: the form that the compiled rows run on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from reachbox.network import Network
from reachbox.network.operators import Convolution, Linear, Relu, Reshape, Scale, resolve
from reachbox.reach.dual import layout

LANE_SUMS_LIMIT = 1 << 15  # weights of a layer up to which their gradient is summed lane by lane


@dataclass(frozen=True)
class Layer:
    """A convolution on a grid; a linear layer has a grid of one position. `nodes` are the ones that it stands for."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    gap: tuple[int, int]
    kernel: tuple[int, int]
    outputs: int
    inputs: int  # of one group
    groups: int
    before: tuple[int, int, int]  # channels, height, width
    after: tuple[int, int, int]
    nodes: tuple[int, ...]
    activation: int | None  # the value that follows, None after the last layer


@dataclass(frozen=True, eq=False)
class Chain:
    """The layers of a network, first to last."""

    layers: tuple[Layer, ...]

    def padded_inputs(self, number: int, lanes: int) -> int:
        """Inputs of a layer as stored: rounded up to whole vectors where the weights' gradient needs that."""
        inputs = self.layers[number].inputs
        return inputs if self.sums_lanes(number, lanes) else -(-inputs // lanes) * lanes

    def sums_lanes(self, number: int, lanes: int) -> bool:
        """Whether a layer's weight gradient is kept lane by lane: where vectors along few inputs would be waste."""
        layer = self.layers[number]
        weights = prod(layer.kernel) * layer.outputs * layer.inputs
        return layer.groups > 1 or layer.inputs < lanes or (weights <= LANE_SUMS_LIMIT and layer.inputs % lanes > 0)

    def grid(self, level: int) -> tuple[int, int, int]:
        """Height, width and channels of a level."""
        channels, height, width = self.layers[0].before if level == 0 else self.layers[level - 1].after
        return height, width, channels


@lru_cache(maxsize=64)
def geometry_of(chain: Chain, lanes: int) -> npt.NDArray[np.int64]:
    """The table that the compiled rows read: one row a level, and one that closes it; `layout` names its columns."""
    count = len(chain.layers) + 1
    table = np.zeros((count + 1, layout.COLUMNS), np.int64)
    for number, layer in enumerate(chain.layers):
        inputs = chain.padded_inputs(number, lanes)
        shape = (*layer.stride, *layer.padding, *layer.gap, *layer.kernel, layer.outputs, inputs, layer.groups)
        table[number + 1, : len(shape)] = shape
    table[:count, layout.HEIGHT : layout.CHANNELS + 1] = [chain.grid(level) for level in range(count)]
    weights = table[:, [layout.KERNEL_Y, layout.KERNEL_X, layout.OUT, layout.IN]].prod(1)
    positions = table[:, layout.HEIGHT] * table[:, layout.WIDTH]
    units = positions * table[:, layout.CHANNELS]
    lane_by_lane = np.array([0, *(chain.sums_lanes(number, lanes) for number in range(count - 1)), 1])
    sizes = {
        layout.WEIGHTS: weights, layout.POSITIONS: positions, layout.UNITS: units, layout.VALUES: units * lanes,
        layout.LANE_SUMS: weights * lane_by_lane,
    }  # fmt: skip
    for column, size in sizes.items():
        table[:, column] = np.cumsum(size) - size
    table[lane_by_lane == 0, layout.LANE_SUMS] = -1
    return table


def weights_of(chain: Chain, network: Network, lanes: int) -> Tensor:
    """All weights in the kernels' order, `(out, ky, kx, in)` layer by layer, one vector; gradients flow."""
    parts = []
    for number, layer in enumerate(chain.layers):
        weight = _weight(network, layer)
        missing = chain.padded_inputs(number, lanes) - layer.inputs
        turned = weight.permute(0, 2, 3, 1)
        parts.append((torch.nn.functional.pad(turned, (0, missing)) if missing else turned).reshape(-1))
    return torch.cat(parts)


def _weight(network: Network, layer: Layer) -> Tensor:
    """A layer's weight `(out, in, ky, kx)` with the scales before and after it multiplied in."""
    weight: Tensor | None = None
    before: list[Tensor] = []
    after: list[Tensor] = []
    for index in layer.nodes:
        operator = network.nodes[index].operator
        if isinstance(operator, Scale) and operator.scale is not None:
            (before if weight is None else after).append(resolve(operator.scale))
        elif isinstance(operator, (Linear, Convolution)):
            weight = resolve(operator.weight).reshape(layer.outputs, layer.inputs, *layer.kernel)
    assert weight is not None
    for scale in before:
        weight = weight * _per_channel(scale, layer.before[0]).reshape(layer.groups, 1, layer.inputs, 1, 1).expand(
            -1, layer.outputs // layer.groups, -1, -1, -1
        ).reshape(layer.outputs, layer.inputs, 1, 1)
    for scale in after:
        weight = weight * _per_channel(scale, layer.outputs).reshape(-1, 1, 1, 1)
    return weight


def _per_channel(scale: Tensor, channels: int) -> Tensor:
    return scale.reshape(-1).expand(channels)


def planned_chain(network: Network) -> Chain | None:
    """`chain_of`, worked out once for a network and all its casts."""
    if "chain" not in network.plans:
        network.plans["chain"] = chain_of(network)
    found = network.plans["chain"]
    return found if isinstance(found, Chain) else None


def chain_of(network: Network) -> Chain | None:
    """The network as a chain, or None where it branches or holds anything but the operators named in this file."""
    layers: list[Layer] = []
    pending: list[int] = []
    grid = _as_grid(network.input_shape)
    for index, node in enumerate(network.nodes):
        if node.inputs != (index,) or grid is None or index + 1 > network.output:
            return None
        operator = node.operator
        if isinstance(operator, Relu):
            if not 0 <= operator.negative_slope <= 1 or not layers or pending or layers[-1].activation is not None:
                return None
            layers[-1] = _with_activation(layers[-1], index + 1)
        elif isinstance(operator, (Linear, Convolution)):
            if isinstance(operator, Linear) and not layers and not pending:
                grid = (prod(grid), 1, 1)  # nothing looks at the input's positions
            layer = _layer(operator, node.shape, grid, (*pending, index))
            if layer is None:
                return None
            layers.append(layer)
            pending, grid = [], layer.after
        elif isinstance(operator, Scale):
            if not _is_per_channel(operator, node.shape, grid):
                return None
            if layers and layers[-1].activation is None:
                layers[-1] = _with_node(layers[-1], index)
            else:
                pending.append(index)
        elif not isinstance(operator, Reshape) or _keeps_order(node.shape, grid) is None:
            return None
    complete = bool(layers) and not pending and layers[-1].activation is None
    return Chain(tuple(layers)) if complete else None


def _as_grid(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """A shape as channels, height and width; None for three and more spatial dimensions."""
    if len(shape) > 3 or not shape:
        return None
    return (shape[0], 1, 1) if len(shape) == 1 else (shape[0], 1, shape[1]) if len(shape) == 2 else shape  # type: ignore[return-value]


def _keeps_order(shape: tuple[int, ...], grid: tuple[int, int, int]) -> bool | None:
    """Whether a reshape is a plain flattening, which a linear layer on the whole grid undoes."""
    return True if len(shape) == 1 or _as_grid(shape) == grid else None


def _is_per_channel(operator: Scale, shape: tuple[int, ...], grid: tuple[int, int, int]) -> bool:
    if operator.scale is None:
        return True
    sizes = resolve(operator.scale).shape
    one_each = len(sizes) == len(shape) and shape[0] == grid[0] == sizes[0] == prod(sizes)
    return prod(sizes) == 1 or one_each


def _layer(
    operator: Linear | Convolution, shape: tuple[int, ...], grid: tuple[int, int, int], nodes: tuple[int, ...]
) -> Layer | None:
    if isinstance(operator, Linear):
        outputs, inputs = resolve(operator.weight).shape
        if len(shape) != 1 or inputs != prod(grid):
            return None
        return Layer((1, 1), (0, 0), (1, 1), grid[1:], outputs, grid[0], 1, grid, (outputs, 1, 1), nodes, None)
    if len(operator.stride) > 2 or len(shape) not in (2, 3):
        return None
    outputs, inputs, *kernel = resolve(operator.weight).shape
    flat = len(operator.stride) == 1

    def both(values: tuple[int, ...], missing: int) -> tuple[int, int]:
        return (missing, values[0]) if flat else (values[0], values[1])

    after = (shape[0], 1, shape[1]) if flat else (shape[0], shape[1], shape[2])
    low = tuple(before for before, _ in operator.padding)
    return Layer(
        both(operator.stride, 1), both(low, 0), both(operator.dilation, 1), both(tuple(kernel), 1),
        outputs, inputs, operator.groups, grid, after, nodes, None,
    )  # fmt: skip


def _with_activation(layer: Layer, value: int) -> Layer:
    return replace(layer, activation=value)


def _with_node(layer: Layer, index: int) -> Layer:
    return replace(layer, nodes=(*layer.nodes, index))

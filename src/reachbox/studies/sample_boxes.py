"""One sample under every method: the boxes nested as in the paper's Fig. 2, and outputs that lie in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.errors import UnsupportedError
from reachbox.network.capture import as_network
from reachbox.reach import METHODS, Kind, Reach, reach
from reachbox.sensitivity import data_sensitivity
from reachbox.training.objectives import Model

ROUNDING = 1e-12


@dataclass(frozen=True)
class SampleBoxes:
    """The sample's number, its class, the box of every method, and outputs seen, `(points, outputs)`.

    `refused` has the reason of each method that cannot bound this network, by name. `horizontal` and `vertical` are
    the two outputs that compete at the sample: the largest, and the one after it.
    """

    index: int
    label: int
    reaches: tuple[Reach, ...]
    refused: dict[str, str]
    outputs: Tensor
    horizontal: int
    vertical: int

    @property
    def escaped(self) -> int:
        """How many of the outputs seen lie outside a proven box, by more than rounding: none, if all is well."""
        proven = [found for found in self.reaches if found.kind is not Kind.ESTIMATE]
        beyond = [torch.maximum(found.lower - self.outputs, self.outputs - found.upper) for found in proven]
        outside = [(by > ROUNDING * (1 + self.outputs.abs())).any(1) for by in beyond]
        return int(torch.stack(outside).any(0).sum())


def boxes_of_sample(
    model: Model,
    box: Box,
    labels: Tensor,
    *,
    methods: Sequence[str] = tuple(METHODS),
    points: int = 1500,
    seed: int = 0,
) -> SampleBoxes:
    """Every one of the methods on the sample of `box` whose sensitivity is the median one (by `dual`), in float64."""
    order = data_sensitivity(model, box).argsort(stable=True)
    index = int(order[len(order) // 2])
    own = Box(box.lower[index : index + 1], box.upper[index : index + 1])
    reaches, refused = _reaches(model, own, methods)
    first, second = _outputs(model, own.centre)[0].topk(2).indices.tolist()
    seen = _outputs(model, _inputs(own, points, seed))
    return SampleBoxes(index, int(labels[index]), reaches, refused, seen, first, second)


def _reaches(model: Model, box: Box, methods: Sequence[str]) -> tuple[tuple[Reach, ...], dict[str, str]]:
    found, refused = [], {}
    for name in methods:
        try:
            found.append(reach(model, box, name))
        except UnsupportedError as error:
            refused[name] = str(error)
    return tuple(found), refused


def _inputs(box: Box, points: int, seed: int) -> Tensor:
    """Random inputs of one box: a uniform draw twice as wide, pushed back onto faces, edges and corners."""
    generator = torch.Generator().manual_seed(seed)
    draw = torch.rand(points, *box.shape[1:], generator=generator, dtype=torch.float64)
    position = (2 * draw - 0.5).clamp(0, 1)
    return (box.lower + position * box.width).clamp(box.lower, box.upper)


def _outputs(model: Model, x: Tensor) -> Tensor:
    with torch.no_grad():
        return as_network(model, x).to(torch.float64)(x).flatten(1)

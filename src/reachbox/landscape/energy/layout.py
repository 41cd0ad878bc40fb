"""How the weights of a network lie in one flat vector."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reachbox.errors import InputError
from reachbox.landscape.energy.energy import Array

NARROWEST_SPREAD, WIDEST_SPREAD = 0.5, 3.0


@dataclass(frozen=True)
class Layout:
    """The shapes of the weight arrays, in the order in which they are flattened and joined (that of torch)."""

    shapes: tuple[tuple[int, ...], ...]

    @property
    def size(self) -> int:
        """The number of weights."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def slices(self) -> list[slice]:
        """Where each array lies in the flat vector."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes]).tolist()
        return [slice(begin, end) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]

    def split(self, points: Array) -> list[Array]:
        """Views of each array, `(replicas, *shape)`; writing to one writes to `points`."""
        rows = len(points)
        return [points[:, part].reshape(rows, *shape) for part, shape in zip(self.slices, self.shapes, strict=True)]

    def starting_scale(self) -> Array:
        """One over the root of the fan-in for each weight, `(size,)`; a bias takes that of the array before it."""
        scale, root = np.empty(self.size), 1.0
        for part, shape in zip(self.slices, self.shapes, strict=True):
            if len(shape) > 1:
                root = math.sqrt(math.prod(shape[1:]))
            scale[part] = 1 / root
        return scale

    def scales(self, points: Array) -> Array:
        """Root mean square weight of each array, at least its starting scale; spread over `(replicas, size)`."""
        scales = np.empty_like(points)
        for part in self.slices:
            scales[:, part] = np.sqrt(np.square(points[:, part]).mean(axis=1, keepdims=True))
        return np.maximum(scales, self.starting_scale())

    def random_points(self, count: int, generator: np.random.Generator) -> Array:
        """Gaussian weights `(count, size)`, from half to three times the starting scale, the same within a row.

        Wide starts find minima that starts of one width never reach.
        """
        spread = generator.uniform(NARROWEST_SPREAD, WIDEST_SPREAD, (count, 1))
        return np.asarray(spread * self.starting_scale() * generator.standard_normal((count, self.size)))

    def penalised(self, biases_count: bool) -> Array:
        """One for each weight that the l2 term counts, zero for the others, `(size,)`."""
        counted = np.ones(self.size)
        for part, shape in zip(self.slices, self.shapes, strict=True):
            counted[part] = biases_count or len(shape) > 1
        return counted


def check_l2(l2: float) -> None:
    """Raises `InputError` for a weight of the l2 term below 0: such an energy has no lower end."""
    if not l2 >= 0:
        raise InputError(f"l2: must not be negative, found {l2:g}")


def layered(widths: Sequence[int]) -> Layout:
    """The layout of a perceptron: matrix `(out, in)` and bias of each layer, from inputs to outputs."""
    shapes: list[tuple[int, ...]] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        shapes += [(fan_out, fan_in), (fan_out,)]
    return Layout(tuple(shapes))

"""The loss of a multilayer perceptron in closed form: energy, gradient and exact Hessian-vector product."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, final

import numpy as np
import numpy.typing as npt

from reachbox.errors import InputError
from reachbox.landscape.energy import perceptron_kernel, unit_symmetry
from reachbox.landscape.energy.activation import Activation, ReLU, SmoothedReLU
from reachbox.landscape.energy.energy import Array, Energy
from reachbox.landscape.energy.layout import Layout, check_l2, layered

ON_KINK = 1e-6
MOST_REVIVED = 5
MIDWAY = (0.3, 0.7)


@final  # descents evaluate it in machine code, past any override
@dataclass(frozen=True, eq=False)
class PerceptronEnergy(Energy):
    """Mean cross-entropy of `W_k f(... f(W_1 x + b_1) ...) + b_k` over a data set, plus `l2` times the squared weights.

    `widths` runs from inputs to outputs. With one output the loss is the binary cross-entropy of its logit. `inputs` is
    `(samples, widths[0])`, `labels` `(samples,)` counts classes from 0. The l2 term counts biases unless told not to.
    A point lists the weights in torch's order. Several times faster than `ModuleEnergy`, which takes any module.

    With `multiplicities`, one for each hidden unit, a unit stands for so many equal ones of a wider network. Its
    weights are then coordinates of that network's weights along orthonormal directions, so that gradient, Hessian and
    l2 term are those of the wider network within the space where these units are equal.
    """

    widths: tuple[int, ...]
    activation: Activation
    inputs: Array
    labels: npt.NDArray[np.integer[Any]]
    l2: float = 0.001
    biases_count: bool = True
    multiplicities: tuple[tuple[int, ...], ...] | None = None
    layout: Layout = field(init=False)
    _problem: perceptron_kernel.Problem = field(init=False, repr=False)
    _penalty: Array = field(init=False, repr=False)
    _scale: Array | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        inputs = np.asarray(self.inputs, dtype=np.float64)
        labels = np.asarray(self.labels)
        if len(self.widths) < 2 or inputs.ndim != 2 or inputs.shape[1] != self.widths[0]:
            raise InputError(f"perceptron: inputs of shape {inputs.shape} do not fit the widths {self.widths}")
        classes = max(self.widths[-1], 2)
        if labels.shape != inputs.shape[:1] or not np.isin(labels, np.arange(classes)).all():
            raise InputError(f"perceptron: {len(inputs)} labels from 0 to {classes - 1} are needed, one a sample")
        if not isinstance(self.activation, Activation):
            raise InputError(f"perceptron: an activation such as Tanh() is needed, found {self.activation!r}")
        check_l2(self.l2)
        layout = layered(self.widths)
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "layout", layout)
        columns, widths = np.array(inputs.T, order="C"), np.array(self.widths, dtype=np.int64)
        bend = (self.activation.kind, self.activation.bend_width)
        problem = perceptron_kernel.Problem(widths, columns, labels.astype(np.int64), *bend)
        object.__setattr__(self, "_problem", problem)
        object.__setattr__(self, "_penalty", self.l2 * layout.penalised(self.biases_count))
        object.__setattr__(
            self, "_scale", None if self.multiplicities is None else _shares(self.widths, self.multiplicities)
        )

    @property
    def dimension(self) -> int:
        return self.layout.size

    @property
    def compiled(self) -> tuple[perceptron_kernel.Problem, Array, Array]:
        """For machine code: the problem, what each coordinate is multiplied by, and the weight of its square."""
        return self._problem, np.ones(self.dimension) if self._scale is None else self._scale, self._penalty

    def value_and_gradient(self, points: Array) -> tuple[Array, Array]:
        weights = self._weights(points)
        values, gradients = np.empty(len(points)), np.empty_like(weights)
        perceptron_kernel.value_and_gradient(self._problem, weights, values, gradients)
        values += np.square(points) @ self._penalty
        return values, self._weights(gradients) + 2 * self._penalty * points

    def hessian_vector(self, points: Array, vectors: Array) -> Array:
        weights, rates = self._weights(points), self._weights(vectors)
        products = np.empty_like(rates)
        perceptron_kernel.hessian_vectors(self._problem, weights, rates, products)
        return np.asarray(self._weights(products) + 2 * self._penalty * vectors)

    def hessian(self, point: Array) -> Array:
        """The full Hessian; the weights of an idle ReLU unit couple to nothing, which spares their products."""
        moving = np.flatnonzero(self.scales(point[None])[0])
        units, products = np.zeros((len(moving), self.dimension)), np.empty((len(moving), self.dimension))
        units[np.arange(len(moving)), moving] = 1.0
        perceptron_kernel.hessian_vectors(self._problem, self._weights(point[None]), self._weights(units), products)
        matrix = np.zeros((self.dimension, self.dimension))
        matrix[moving] = self._weights(products)
        return np.asarray((matrix + matrix.T) / 2 + np.diag(2 * self._penalty))

    def logits(self, points: Array, inputs: Array | None = None) -> Array:
        """The network's outputs on `inputs`, by default the data set, `(replicas, outputs, samples)`."""
        return self.pre_activations(points, inputs)[-1]

    def pre_activations(self, points: Array, inputs: Array | None = None) -> list[Array]:
        """What enters the activations of each hidden layer, and the outputs; each `(replicas, units, samples)`."""
        arrays = self.layout.split(self._weights(points))
        a, entering = self._problem.columns if inputs is None else np.ascontiguousarray(inputs.T), []
        for weight, bias in zip(arrays[::2], arrays[1::2], strict=True):
            entering.append(weight @ a + bias[:, :, None])
            a, _, _ = self.activation.derivatives(entering[-1])
        return entering

    def random_points(self, count: int, generator: np.random.Generator) -> Array:
        return self.layout.random_points(count, generator)

    def symmetric_points(self, count: int, generator: np.random.Generator) -> Array:
        """Random weights with hidden units of a layer equal in groups, up to signs where those are a symmetry."""
        points = self.random_points(count, generator)
        for point in points:
            arrays = self.layout.split(point[None])
            for layer in range(len(self.widths) - 2):
                units = unit_symmetry.unit_rows(arrays, layer)
                alike = unit_symmetry.in_equal_groups(units, self.activation.is_odd, generator)
                unit_symmetry.set_unit_rows(arrays, layer, alike)
        return points

    def scales(self, points: Array) -> Array:
        """Those of the layers; 0 for the weights of hidden ReLU units that have none but zeros: they stay idle."""
        scales = self.layout.scales(points)
        for idle, arrays in zip(self._idle(points), self._around(scales), strict=True):
            for array, axis in arrays:
                np.moveaxis(array, axis, 1)[idle] = 0.0
        return scales

    def kinks(self, points: Array) -> npt.NDArray[np.int64]:
        """Pairs of a sample and a hidden ReLU unit that is not idle, where the sample lies on the kink or its bend."""
        counts = np.zeros(len(points), dtype=np.int64)
        if not self._has_kinks:
            return counts
        for z, idle in zip(self.pre_activations(points), self._idle(points), strict=False):
            width = self.activation.bend_width
            within = (z > 0) & (z < width) if width > 0 else np.abs(z) < ON_KINK
            counts += (within & ~idle[:, :, None]).sum(axis=(1, 2))
        return counts

    def revived(self, points: Array, generator: np.random.Generator) -> Array:
        """Up to `MOST_REVIVED` idle units of each layer get random weights."""
        points, fresh = points.copy(), self.layout.random_points(len(points), generator)
        pairs = zip(self._around(points), self._around(fresh), self._idle(points), strict=True)
        for own, other, idle in pairs:
            chances = np.where(idle, generator.random(idle.shape), np.inf)
            most = generator.integers(0, MOST_REVIVED + 1, (len(points), 1))
            chosen = (chances.argsort(axis=1).argsort(axis=1) < most) & idle
            for (array, axis), (drawn, _) in zip(own, other, strict=True):
                np.moveaxis(array, axis, 1)[chosen] = np.moveaxis(drawn, axis, 1)[chosen]
        return points

    def moves(self, points: Array, generator: np.random.Generator) -> tuple[Array, Array]:
        """A hidden unit midway between its own weights and those of another unit of its layer that is not the same."""
        starts, directions = points.copy(), np.zeros_like(points)
        for start, direction in zip(starts, directions, strict=True):
            layer = int(generator.integers(len(self.widths) - 2))
            units, moved = (unit_symmetry.unit_rows(self.layout.split(row[None]), layer) for row in (start, direction))
            unit, step = unit_symmetry.step_to_another(units, self.activation.is_odd, generator)
            moved[unit] = step
            unit_symmetry.set_unit_rows(self.layout.split(direction[None]), layer, moved)
            start += generator.uniform(*MIDWAY) * direction
        return starts, directions

    def _around(self, points: Array) -> list[list[tuple[Array, int]]]:
        """For each hidden layer the arrays that enter and leave its units, with the axis that counts the units."""
        arrays = self.layout.split(points)
        layers = range(len(self.widths) - 2)
        return [[(arrays[2 * k], 1), (arrays[2 * k + 1], 1), (arrays[2 * k + 2], 2)] for k in layers]

    def _idle(self, points: Array) -> list[npt.NDArray[np.bool_]]:
        """Which ReLU units of each hidden layer have no weights but zeros, `(replicas, units)`; of others none."""
        if not self._has_kinks:
            return [np.zeros((len(points), units), dtype=np.bool_) for units in self.widths[1:-1]]
        return [~np.any([_any_but(array, axis) for array, axis in part], axis=0) for part in self._around(points)]

    def align(self, point: Array, reference: Array) -> Array:
        return unit_symmetry.nearest_copy(point, reference, self.layout, self.activation.is_odd)

    def describe(self) -> dict[str, object]:
        data = hashlib.sha256(self._problem.columns.tobytes() + self._problem.labels.tobytes()).hexdigest()
        return {
            "surface": "PerceptronEnergy",
            "widths": list(self.widths),
            "activation": repr(self.activation),
            "l2": self.l2,
            "biases_count": self.biases_count,
            "data": data,
        }

    def _weights(self, coordinates: Array) -> Array:
        """The weights that units of the multiplicities have, as the machine code was compiled for."""
        scaled = coordinates if self._scale is None else coordinates * self._scale
        return np.require(scaled, np.float64, ["C", "W"])

    @property
    def _has_kinks(self) -> bool:
        return isinstance(self.activation, ReLU | SmoothedReLU)


def _any_but(array: Array, axis: int) -> npt.NDArray[np.bool_]:
    """Whether anything but zeros stands there, for each replica and each place along `axis`."""
    others = tuple(other for other in range(1, array.ndim) if other != axis)
    return np.asarray((array != 0).any(axis=others))


def _shares(widths: tuple[int, ...], multiplicities: tuple[tuple[int, ...], ...]) -> Array:
    """Weights over coordinates: the root of the units that a weight comes from over those it goes to, `(dimension,)`.

    With copies `m` going to copies `n`, each weight `w` occurs `m n` times, so that its coordinate is `sqrt(m n) w`;
    and what enters a unit is `m w` times an activation. A bias occurs `n` times.
    """
    counts = [np.ones(widths[0]), *(np.array(layer, dtype=np.float64) for layer in multiplicities), np.ones(widths[-1])]
    parts = []
    for before, after in pairwise(counts):
        parts += [np.sqrt(before[None, :] / after[:, None]).ravel(), 1 / np.sqrt(after)]
    return np.concatenate(parts)

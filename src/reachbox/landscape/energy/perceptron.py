"""The loss of a multilayer perceptron in closed form: energy, gradient and exact Hessian-vector product."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from scipy.special import log_expit, log_softmax, softmax

from reachbox.errors import InputError
from reachbox.landscape.energy.activation import Activation
from reachbox.landscape.energy.energy import Array, Energy
from reachbox.landscape.energy.layout import Layout, layered
from reachbox.landscape.energy.unit_symmetry import nearest_copy

REPLICAS_IN_CACHE = 8


@dataclass(frozen=True, eq=False)
class PerceptronEnergy(Energy):
    """Mean cross-entropy of `W_k f(... f(W_1 x + b_1) ...) + b_k` over a data set, plus `l2` times the squared weights.

    `widths` runs from inputs to outputs. With one output the loss is the binary cross-entropy of its logit. `inputs` is
    `(samples, widths[0])`, `labels` `(samples,)` counts classes from 0. The l2 term counts biases unless told not to.
    A point lists the weights in torch's order. Several times faster than `ModuleEnergy`, which takes any module.
    """

    widths: tuple[int, ...]
    activation: Activation
    inputs: Array
    labels: Array
    l2: float = 0.001
    biases_count: bool = True
    layout: Layout = field(init=False)
    _columns: Array = field(init=False, repr=False)
    _targets: Array = field(init=False, repr=False)
    _penalty: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        inputs = np.asarray(self.inputs, dtype=np.float64)
        labels = np.asarray(self.labels)
        if len(self.widths) < 2 or inputs.ndim != 2 or inputs.shape[1] != self.widths[0]:
            raise InputError(f"perceptron: inputs of shape {inputs.shape} do not fit the widths {self.widths}")
        classes = max(self.widths[-1], 2)
        if labels.shape != inputs.shape[:1] or not np.isin(labels, np.arange(classes)).all():
            raise InputError(f"perceptron: {len(inputs)} labels from 0 to {classes - 1} are needed, one a sample")
        targets = np.eye(classes)[labels.astype(int)].T
        layout = layered(self.widths)
        object.__setattr__(self, "layout", layout)
        object.__setattr__(self, "_columns", np.ascontiguousarray(inputs.T))
        object.__setattr__(self, "_targets", targets if self.widths[-1] > 1 else targets[1:])
        object.__setattr__(self, "_penalty", self.l2 * layout.penalised(self.biases_count))

    @property
    def dimension(self) -> int:
        return self.layout.size

    def value_and_gradient(self, points: Array) -> tuple[Array, Array]:
        values, gradients = np.empty(len(points)), np.empty_like(points)
        for rows in _portions(len(points)):
            values[rows] = self._backward(points[rows], gradients[rows])
        values += np.square(points) @ self._penalty
        gradients += 2 * self._penalty * points
        return values, gradients

    def hessian_vector(self, points: Array, vectors: Array) -> Array:
        products = np.empty_like(points)
        for rows in _portions(len(points)):
            self._forward_over_backward(points[rows], vectors[rows], products[rows])
        return np.asarray(products + 2 * self._penalty * vectors)

    def logits(self, points: Array, inputs: Array | None = None) -> Array:
        """The network's outputs on `inputs`, by default the data set, `(replicas, outputs, samples)`."""
        a = self._columns if inputs is None else np.ascontiguousarray(inputs.T)
        layers = self._layers(points)
        for weight, bias in layers[:-1]:
            a, _ = self.activation.value_and_slope(weight @ a + bias[:, :, None])
        weight, bias = layers[-1]
        return np.asarray(weight @ a + bias[:, :, None])

    def _layers(self, flat: Array) -> list[tuple[Array, Array]]:
        arrays = self.layout.split(flat)
        return list(zip(arrays[::2], arrays[1::2], strict=True))

    def _loss(self, logits: Array) -> tuple[Array, Array]:
        """The mean cross-entropy `(replicas,)`, and the probabilities `(replicas, outputs, samples)`."""
        targets = self._targets
        if self.widths[-1] > 1:
            log_likelihood = (targets * log_softmax(logits, axis=1)).sum(axis=(1, 2))
            return -log_likelihood / targets.shape[1], softmax(logits, axis=1)
        signs = 2 * targets - 1
        return -log_expit(signs * logits).mean(axis=(1, 2)), np.exp(log_expit(logits))

    def _backward(self, points: Array, gradients: Array) -> Array:
        """Fill `gradients` with those of the cross-entropy, and return its values."""
        layers, outs = self._layers(points), self._layers(gradients)
        a, inputs, slopes = self._columns[None], [], []
        for index, (weight, bias) in enumerate(layers):
            inputs.append(a)
            z = weight @ a + bias[:, :, None]
            if index < len(layers) - 1:
                a, slope = self.activation.value_and_slope(z)
                slopes.append(slope)
        values, probabilities = self._loss(z)
        delta = (probabilities - self._targets) / self._targets.shape[1]
        for index in reversed(range(len(layers))):
            weight_gradient, bias_gradient = outs[index]
            np.matmul(delta, inputs[index].swapaxes(1, 2), out=weight_gradient)
            delta.sum(axis=2, out=bias_gradient)
            if index:
                delta = (layers[index][0].swapaxes(1, 2) @ delta) * slopes[index - 1]
        return values

    def _forward_over_backward(self, points: Array, vectors: Array, products: Array) -> None:
        """Fill `products` with the loss's Hessian times `vectors`; `*_dot` is a rate along them (Pearlmutter 1994)."""
        layers, moves, outs = self._layers(points), self._layers(vectors), self._layers(products)
        a, a_dot = self._columns[None], np.zeros_like(self._columns[None])
        inputs, inputs_dot, slopes, slopes_dot = [], [], [], []
        for index, ((weight, bias), (weight_dot, bias_dot)) in enumerate(zip(layers, moves, strict=True)):
            inputs.append(a)
            inputs_dot.append(a_dot)
            z = weight @ a + bias[:, :, None]
            z_dot = weight_dot @ a + bias_dot[:, :, None] + weight @ a_dot
            if index < len(layers) - 1:
                a, slope = self.activation.value_and_slope(z)
                a_dot = slope * z_dot
                slopes.append(slope)
                slopes_dot.append(self.activation.curvature(z, a, slope) * z_dot)
        delta, delta_dot = self._residual_and_change(z, z_dot)
        for index in reversed(range(len(layers))):
            weight_product, bias_product = outs[index]
            np.matmul(delta_dot, inputs[index].swapaxes(1, 2), out=weight_product)
            weight_product += delta @ inputs_dot[index].swapaxes(1, 2)
            delta_dot.sum(axis=2, out=bias_product)
            if index:
                weight, weight_dot = layers[index][0], moves[index][0]
                back = weight.swapaxes(1, 2) @ delta
                back_dot = weight.swapaxes(1, 2) @ delta_dot + weight_dot.swapaxes(1, 2) @ delta
                delta, delta_dot = back * slopes[index - 1], back_dot * slopes[index - 1] + back * slopes_dot[index - 1]

    def _residual_and_change(self, logits: Array, logits_dot: Array) -> tuple[Array, Array]:
        """The derivative of the loss to the logits, and how it changes when they move along `logits_dot`."""
        samples = self._targets.shape[1]
        _, probabilities = self._loss(logits)
        if self.widths[-1] > 1:
            mean = (probabilities * logits_dot).sum(axis=1, keepdims=True)
            change = probabilities * (logits_dot - mean)
        else:
            change = probabilities * (1 - probabilities) * logits_dot
        return (probabilities - self._targets) / samples, change / samples

    def random_points(self, count: int, generator: np.random.Generator) -> Array:
        return self.layout.random_points(count, generator)

    def scales(self, points: Array) -> Array:
        return self.layout.scales(points)

    def align(self, point: Array, reference: Array) -> Array:
        return nearest_copy(point, reference, self.layout, self.activation.is_odd)

    def describe(self) -> dict[str, object]:
        data = hashlib.sha256(self._columns.tobytes() + self._targets.tobytes()).hexdigest()
        return {
            "surface": "PerceptronEnergy",
            "widths": list(self.widths),
            "activation": repr(self.activation),
            "l2": self.l2,
            "biases_count": self.biases_count,
            "data": data,
        }


def _portions(replicas: int) -> list[slice]:
    """So few replicas at a time that their layers stay in the processor's cache."""
    return [slice(begin, begin + REPLICAS_IN_CACHE) for begin in range(0, replicas, REPLICAS_IN_CACHE)]

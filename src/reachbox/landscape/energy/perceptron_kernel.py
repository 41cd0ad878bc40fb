"""Machine code of a perceptron's loss: value, gradient and Hessian-vector products, a replica at a time.

A layer's matrix carries its bias as a last column, and activations a last row of ones, so that a layer is one matrix
product. Rates along a vector stand above what they are the rate of, so that a product rule is one matrix product too:
`W' a + W a' = [W W'] [a'; a]`.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from reachbox.landscape.energy.bends import bend, exponential_less_one
from reachbox.landscape.energy.energy import Array
from reachbox.machine_code import compiled

Whole: TypeAlias = npt.NDArray[np.int64]


class Problem(NamedTuple):
    """What decides the loss besides the weights: `columns` holds a sample a column; `kind`, `bend_width` of `bends`."""

    widths: Whole
    columns: Array
    labels: Whole
    kind: int
    bend_width: float


class Pass(NamedTuple):
    """What all Hessian-vector products at a point share, each `(layers, units, samples)`.

    `inputs` of each layer, the rate along a vector above the activation; `slopes` and `curvatures` of the activation
    that gave them; `deltas` and `backs`, the derivatives of the loss to each layer's outputs and inputs; and the
    `shares` of the classes, probabilities over the number of samples, `(outputs, samples)`.
    """

    inputs: Array
    slopes: Array
    curvatures: Array
    deltas: Array
    backs: Array
    shares: Array


class Room(NamedTuple):
    """Room for one evaluation: a layer's matrix and its slope, and of each layer what stands there, by samples."""

    matrix: Array
    product: Array
    activations: Array
    slopes: Array
    z: Array
    delta: Array
    curvature: Array


@compiled
def room_for(problem: Problem) -> Room:
    """Room that the evaluations at many points can share."""
    widths, samples = problem.widths, problem.columns.shape[1]
    depth, tallest = len(widths) - 1, widths.max() + 1
    activations = np.ones((depth, tallest, samples))
    _copy(problem.columns, activations[0, : widths[0]])
    return Room(
        np.empty(tallest * tallest), np.empty(tallest * tallest), activations, np.empty((depth, tallest, samples)),
        np.empty((tallest, samples)), np.empty((tallest, samples)), np.empty((tallest, samples)),
    )  # fmt: skip


@compiled
def value_and_gradient(problem: Problem, points: Array, values: Array, gradients: Array) -> None:
    """Fill `values` and `gradients` with those of the mean cross-entropy at each of the `points`."""
    room = room_for(problem)
    for r in range(len(points)):
        values[r] = value_at(problem, room, points[r], gradients[r])


@compiled
def value_at(problem: Problem, room: Room, point: Array, gradient: Array) -> float:
    """The mean cross-entropy at a point; fills its `gradient`."""
    widths, activations, z, delta = problem.widths, room.activations, room.z, room.delta
    depth, begin = len(widths) - 1, 0
    for k in range(depth):
        fan_in, fan_out = widths[k], widths[k + 1]
        weight = room.matrix[: fan_out * (fan_in + 1)].reshape(fan_out, fan_in + 1)
        begin = _gather(point, begin, weight)
        np.dot(weight, activations[k, : fan_in + 1], z[:fan_out])
        if k < depth - 1:
            above, slope_above = activations[k + 1, :fan_out], room.slopes[k + 1, :fan_out]
            bend(problem.kind, problem.bend_width, z[:fan_out], above, slope_above, room.curvature)
            activations[k + 1, fan_out] = 1.0
    value = _residual(z[: widths[depth]], problem.labels, delta[: widths[depth]])
    for k in range(depth - 1, -1, -1):
        fan_in, fan_out = widths[k], widths[k + 1]
        begin -= fan_out * (fan_in + 1)
        slope = room.product[: fan_out * (fan_in + 1)].reshape(fan_out, fan_in + 1)
        np.dot(delta[:fan_out], activations[k, : fan_in + 1].T, slope)
        _scatter(slope, gradient, begin)
        if k > 0:
            weight = room.matrix[: fan_out * fan_in].reshape(fan_out, fan_in)
            _gather_matrix(point, begin, weight)
            np.dot(weight.T, delta[:fan_out], z[:fan_in])
            _multiply(z[:fan_in], room.slopes[k, :fan_in], delta[:fan_in])
    return value


@compiled
def hessian_vectors(problem: Problem, points: Array, vectors: Array, products: Array) -> None:
    """Fill `products` with the loss's Hessian at each point times that row's vector (Pearlmutter 1994).

    With one point and many vectors all products are with the Hessian at that point.
    """
    depth, tallest, samples = len(problem.widths) - 1, problem.widths.max() + 1, problem.columns.shape[1]
    size = (depth, tallest, samples)
    there = Pass(
        np.zeros((depth, 2 * tallest, samples)), np.empty(size), np.empty(size), np.empty(size), np.empty(size),
        np.empty((tallest, samples)),
    )  # fmt: skip
    matrices, fields = np.empty((2, 2 * tallest * tallest)), np.empty((3, 2 * tallest, samples))
    bent = np.empty(size)
    for r in range(len(vectors)):
        point = points[min(r, len(points) - 1)]
        if r < len(points):
            _forth_and_back(problem, point, matrices[0], fields[0], there)
        _rates_forth(problem.widths, point, vectors[r], matrices[0], fields[0], there, bent)
        _rates_back(problem.widths, point, vectors[r], matrices, fields, there, bent, products[r])


@compiled
def _forth_and_back(problem: Problem, point: Array, matrix: Array, z: Array, there: Pass) -> None:
    """Fill `there` for a point; the rates are left alone, but for those of the ones, which are 0."""
    widths, depth, begin = problem.widths, len(problem.widths) - 1, 0
    _copy(problem.columns, there.inputs[0, widths[0] + 1 : 2 * widths[0] + 1])
    there.inputs[0, 2 * widths[0] + 1] = 1.0
    for k in range(depth):
        fan_in, fan_out = widths[k], widths[k + 1]
        weight = matrix[: fan_out * (fan_in + 1)].reshape(fan_out, fan_in + 1)
        begin = _gather(point, begin, weight)
        np.dot(weight, there.inputs[k, fan_in + 1 : 2 * fan_in + 2], z[:fan_out])
        if k < depth - 1:
            above = there.inputs[k + 1, fan_out + 1 : 2 * fan_out + 1]
            slopes, curvatures = there.slopes[k + 1, :fan_out], there.curvatures[k + 1, :fan_out]
            bend(problem.kind, problem.bend_width, z[:fan_out], above, slopes, curvatures)
            there.inputs[k + 1, fan_out] = 0.0
            there.inputs[k + 1, 2 * fan_out + 1] = 1.0
    outputs = widths[depth]
    _residual(z[:outputs], problem.labels, there.deltas[depth - 1, :outputs])
    _shares(there.deltas[depth - 1, :outputs], problem.labels, there.shares[:outputs])
    for k in range(depth - 1, 0, -1):
        fan_in, fan_out = widths[k], widths[k + 1]
        begin -= fan_out * (fan_in + 1)
        weight = matrix[: fan_out * fan_in].reshape(fan_out, fan_in)
        _gather_matrix(point, begin, weight)
        np.dot(weight.T, there.deltas[k, :fan_out], there.backs[k, :fan_in])
        _multiply(there.backs[k, :fan_in], there.slopes[k, :fan_in], there.deltas[k - 1, :fan_in])


@compiled
def _rates_forth(
    widths: Whole, point: Array, vector: Array, matrix: Array, z_rate: Array, there: Pass, bent: Array
) -> None:
    """How activations move along `vector`; `bent` becomes how their slopes do, `z_rate` how the logits do."""
    begin, depth = 0, len(widths) - 1
    for k in range(depth):
        fan_in, fan_out = widths[k], widths[k + 1]
        both = matrix[: 2 * fan_out * (fan_in + 1)].reshape(fan_out, 2 * fan_in + 2)
        _gather(point, begin, both[:, : fan_in + 1])
        begin = _gather(vector, begin, both[:, fan_in + 1 :])
        np.dot(both, there.inputs[k, : 2 * fan_in + 2], z_rate[:fan_out])
        if k < depth - 1:
            _multiply(there.slopes[k + 1, :fan_out], z_rate[:fan_out], there.inputs[k + 1, :fan_out])
            _multiply(there.curvatures[k + 1, :fan_out], z_rate[:fan_out], bent[k + 1, :fan_out])


@compiled
def _rates_back(
    widths: Whole, point: Array, vector: Array, matrices: Array, fields: Array, there: Pass, bent: Array, product: Array
) -> None:
    """How the gradient moves along `vector`, whose rate of the logits stands in the first of the fields."""
    z_rate, stacked, back_rate = fields[0], fields[1], fields[2]
    depth, outputs, begin = len(widths) - 1, widths[-1], len(point)
    _residual_rate(there.shares[:outputs], z_rate[:outputs], stacked[:outputs])
    for k in range(depth - 1, -1, -1):
        fan_in, fan_out = widths[k], widths[k + 1]
        begin -= fan_out * (fan_in + 1)
        _copy(there.deltas[k, :fan_out], stacked[fan_out : 2 * fan_out])
        first = matrices[0, : fan_out * (fan_in + 1)].reshape(fan_out, fan_in + 1)
        second = matrices[1, : fan_out * (fan_in + 1)].reshape(fan_out, fan_in + 1)
        np.dot(stacked[:fan_out], there.inputs[k, fan_in + 1 : 2 * fan_in + 2].T, first)
        np.dot(stacked[fan_out : 2 * fan_out], there.inputs[k, : fan_in + 1].T, second)
        _add(second, first)
        _scatter(first, product, begin)
        if k > 0:
            above = matrices[0, : 2 * fan_out * fan_in].reshape(2 * fan_out, fan_in)
            _gather_matrix(point, begin, above[:fan_out])
            _gather_matrix(vector, begin, above[fan_out:])
            np.dot(above.T, stacked[: 2 * fan_out], back_rate[:fan_in])
            _multiply(back_rate[:fan_in], there.slopes[k, :fan_in], stacked[:fan_in])
            _multiply(there.backs[k, :fan_in], bent[k, :fan_in], back_rate[:fan_in])
            _add(back_rate[:fan_in], stacked[:fan_in])


# Loops instead of whole-array expressions, which compile in a second each.


@compiled
def _copy(source: Array, target: Array) -> None:
    for i in range(len(target)):
        for j in range(target.shape[1]):
            target[i, j] = source[i, j]


@compiled
def _add(source: Array, target: Array) -> None:
    for i in range(len(target)):
        for j in range(target.shape[1]):
            target[i, j] += source[i, j]


@compiled
def _multiply(one: Array, other: Array, product: Array) -> None:
    for i in range(len(product)):
        for j in range(product.shape[1]):
            product[i, j] = one[i, j] * other[i, j]


@compiled
def _gather_matrix(flat: Array, begin: int, matrix: Array) -> None:
    """A layer's matrix alone from the flat vector."""
    for i in range(len(matrix)):
        for j in range(matrix.shape[1]):
            matrix[i, j] = flat[begin + i * matrix.shape[1] + j]


@compiled
def _gather(flat: Array, begin: int, matrix: Array) -> int:
    """Matrix and bias of a layer from the flat vector, the bias as last column; returns where the next layer begins."""
    fan_out, fan_in = matrix.shape[0], matrix.shape[1] - 1
    for i in range(fan_out):
        for j in range(fan_in):
            matrix[i, j] = flat[begin + i * fan_in + j]
        matrix[i, fan_in] = flat[begin + fan_out * fan_in + i]
    after: int = begin + fan_out * (fan_in + 1)
    return after


@compiled
def _scatter(matrix: Array, flat: Array, begin: int) -> None:
    """The inverse of `_gather`."""
    fan_out, fan_in = matrix.shape[0], matrix.shape[1] - 1
    for i in range(fan_out):
        for j in range(fan_in):
            flat[begin + i * fan_in + j] = matrix[i, j]
        flat[begin + fan_out * fan_in + i] = matrix[i, fan_in]


@compiled
def _residual(logits: Array, labels: Whole, delta: Array) -> float:
    """The mean cross-entropy; `delta` becomes its derivative to the logits. One logit: that of class 1 against 0."""
    outputs, samples = logits.shape
    loss, share = 0.0, 1.0 / samples
    for s in range(samples):
        if outputs == 1:
            sign = 2.0 * labels[s] - 1.0
            margin = sign * logits[0, s]
            shrunk = exponential_less_one(-abs(margin)) + 1.0
            loss += np.log1p(shrunk) - min(margin, 0.0)
            delta[0, s] = -sign * share * (shrunk if margin >= 0.0 else 1.0) / (1.0 + shrunk)
            continue
        highest = logits[0, s]
        for j in range(1, outputs):
            highest = max(highest, logits[j, s])
        total = 0.0
        for j in range(outputs):
            delta[j, s] = exponential_less_one(logits[j, s] - highest) + 1.0
            total += delta[j, s]
        loss += np.log(total) + highest - logits[labels[s], s]
        for j in range(outputs):
            delta[j, s] *= share / total
        others = 0.0
        for j in range(outputs):
            if j != labels[s]:
                others += delta[j, s]
        delta[labels[s], s] = -others
    mean: float = loss * share
    return mean


@compiled
def _shares(delta: Array, labels: Whole, shares: Array) -> None:
    """The probabilities of the classes, each over the number of samples, from the residual."""
    outputs, samples = delta.shape
    for j in range(outputs):
        for s in range(samples):
            is_right = labels[s] == (1 if outputs == 1 else j)
            shares[j, s] = delta[j, s] + (1.0 / samples if is_right else 0.0)


@compiled
def _residual_rate(shares: Array, logits_rate: Array, delta_rate: Array) -> None:
    """How the residual moves with the logits."""
    outputs, samples = logits_rate.shape
    for s in range(samples):
        if outputs == 1:
            share = shares[0, s]
            delta_rate[0, s] = share * (1.0 - samples * share) * logits_rate[0, s]
            continue
        mean = 0.0
        for j in range(outputs):
            mean += shares[j, s] * logits_rate[j, s]
        for j in range(outputs):
            delta_rate[j, s] = shares[j, s] * (logits_rate[j, s] - samples * mean)

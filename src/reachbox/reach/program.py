"""A piecewise linear network as the compiled code runs it: blocks of units, each affine in earlier values, then ReLU.

Affine operators are multiplied together, so convolution, pooling by averages, batch norm, residual sums and
concatenations all become matrices. A maximum is affine plus a ReLU: `max(a, b) = a + relu(b - a)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

from reachbox.errors import UnsupportedError
from reachbox.network import Network, Node
from reachbox.network.operators import Affine, Linear, MaxPool, Relu, resolve

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Matrix = sparse.csr_array
CONSTANT = -1  # the group whose only value is 1
INPUTS = 0
ROWS_AT_ONCE = 512


class Program(NamedTuple):
    """Networks of one architecture. Values are numbered: the inputs first, then the units, block by block.

    Block `k` owns the values `begin[k]` to `begin[k + 1]` and reads the values `first[k]` to `begin[k]`. Its matrix
    starts at `offset[k]` of `weights`, one row for each value read, one column for each unit. Each value passes through
    `z -> z` above zero and `z -> slope z` below; inputs and the last block, the outputs, have slope 1. The true weights
    differ from `weights` by at most `roundings[k]` ulps (2^-52) of `gross`, the same matrices multiplied without signs.
    """

    weights: Floats  # (networks, entries)
    gross: Floats  # (networks, entries)
    biases: Floats  # (networks, values)
    gross_biases: Floats  # (networks, values)
    begin: Integers  # (blocks + 1,)
    first: Integers  # (blocks,)
    offset: Integers  # (blocks,)
    slope: Floats  # (values,)
    roundings: Integers  # (blocks,)

    def of_network(self, number: int) -> Program:
        """One of the networks alone."""
        one = slice(number, number + 1)
        return self._replace(
            weights=self.weights[one], gross=self.gross[one], biases=self.biases[one],
            gross_biases=self.gross_biases[one],
        )  # fmt: skip

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return int(self.begin[0])

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return int(self.begin[-1] - self.begin[-2])


@dataclass(frozen=True)
class AffineMap:
    """A value as a sum of matrices times groups: the constant, the inputs, or the units of a block.

    `gross` holds the matrices multiplied without signs; `roundings` counts how often an entry was rounded.
    """

    parts: dict[int, Matrix]
    gross: dict[int, Matrix]
    roundings: int = 0

    @classmethod
    def of_group(cls, group: int, size: int) -> AffineMap:
        """The values of a group themselves."""
        identity = Matrix(sparse.eye_array(size))
        return cls({group: identity}, {group: identity})

    def multiplied(self, matrix: Matrix) -> AffineMap:
        """`matrix` times the value."""
        rounded = max((_roundings(matrix, part) for part in self.parts.values()), default=0)
        parts = {group: Matrix(matrix @ part) for group, part in self.parts.items()}
        gross = {group: Matrix(abs(matrix) @ part) for group, part in self.gross.items()}
        return AffineMap(parts, gross, self.roundings + rounded)

    def plus(self, other: AffineMap) -> AffineMap:
        """The sum of two values."""
        rounded = max(self.roundings, other.roundings) + int(not self.parts.keys().isdisjoint(other.parts))
        return AffineMap(_sum(self.parts, other.parts), _sum(self.gross, other.gross), rounded)

    def rows(self, index: Integers) -> AffineMap:
        """Some of the value's elements."""
        parts, gross = (
            {group: Matrix(part[index]) for group, part in matrices.items()} for matrices in (self.parts, self.gross)
        )
        return AffineMap(parts, gross, self.roundings)


def _sum(one: dict[int, Matrix], other: dict[int, Matrix]) -> dict[int, Matrix]:
    total = dict(one)
    for group, part in other.items():
        total[group] = Matrix(total[group] + part) if group in total else part
    return total


def _roundings(left: Matrix, right: Matrix) -> int:
    """How many roundings one entry of the product sees at most: its products, and the sums between them."""
    counts = left.astype(bool).astype(np.float64) @ right.astype(bool).astype(np.float64)
    terms = int(counts.max()) if counts.nnz else 0
    exact_products = any(np.isin(factor.data, (-1.0, 0.0, 1.0)).all() for factor in (left, right))
    return max(0, terms - 1) + int(terms > 0 and not exact_products)


@dataclass(frozen=True)
class Block:
    """Units: their pre-activations and the slope below zero."""

    source: AffineMap
    slope: float
    size: int


def lower(network: Network) -> Program:
    """The program of a network, in float64 with its present weights.

    Raises `UnsupportedError` for an operator that is not piecewise linear.
    """
    blocks, outputs = lower_blocks(network)
    return assemble(prod(network.input_shape), [*blocks, Block(outputs, 1.0, prod(network.output_shape))])


def lower_blocks(network: Network) -> tuple[list[Block], AffineMap]:
    """The units of a network, and its outputs as a map of them, for a program with something after the outputs."""
    network = network.to(torch.float64, "cpu")
    blocks: list[Block] = []
    values = [AffineMap.of_group(INPUTS, prod(network.input_shape))]
    with torch.no_grad():
        for node in network.nodes:
            sources = [values[i] for i in node.inputs]
            values.append(_value(node, sources, blocks))
    return blocks, values[network.output]


def _value(node: Node, sources: list[AffineMap], blocks: list[Block]) -> AffineMap:
    """The value of a node; its ReLUs are appended to `blocks`."""
    operator = node.operator
    if isinstance(operator, Affine):
        return _affine(operator, node, sources)
    if isinstance(operator, Relu):
        return units(sources[0], operator.negative_slope, prod(node.shape), blocks)
    if isinstance(operator, MaxPool):
        return _maximum(operator, sources[0], blocks)
    raise UnsupportedError(
        f"node {node.name!r} ({operator.name}) is not piecewise linear; the exact box is for affine operators, "
        "ReLU, LeakyReLU and MaxPool; choose the method 'alpha' instead"
    )


def units(source: AffineMap, slope: float, size: int, blocks: list[Block]) -> AffineMap:
    """The values of new units; they are appended to `blocks`."""
    blocks.append(Block(source, slope, size))
    return AffineMap.of_group(len(blocks), size)


def _maximum(operator: MaxPool, source: AffineMap, blocks: list[Block]) -> AffineMap:
    """The largest element of each window, by one ReLU for each further element."""
    windows = operator.windows.flatten(0, -2).numpy()
    inside = windows >= 0
    some_element = windows[np.arange(len(windows)), inside.argmax(1)]
    windows = np.where(inside, windows, some_element[:, None])
    largest = source.rows(windows[:, 0])
    for column in windows.T[1:]:
        minus = Matrix(-sparse.eye_array(len(windows)))
        rise = source.rows(column).plus(largest.multiplied(minus))
        largest = largest.plus(units(rise, 0.0, len(windows), blocks))
    return largest


def _affine(operator: Affine, node: Node, sources: list[AffineMap]) -> AffineMap:
    if isinstance(operator, Linear) and len(node.shape) == 1:
        constant, *matrices = _of_linear(operator)
    else:
        constant, *matrices = _of_rows(operator, node, len(sources))
    total = AffineMap({CONSTANT: constant}, {CONSTANT: abs(constant)}) if constant.nnz else AffineMap({}, {})
    for matrix, source in zip(matrices, sources, strict=True):
        total = total.plus(source.multiplied(matrix))
    return total


def _of_linear(operator: Linear) -> list[Matrix]:
    """The constant and the matrix of a linear operator on a vector."""
    weight = resolve(operator.weight)
    bias = weight.new_zeros(len(weight)) if operator.bias is None else resolve(operator.bias)
    return [Matrix(bias.reshape(-1, 1).numpy()), Matrix(weight.numpy())]


def _of_rows(operator: Affine, node: Node, sources: int) -> list[Matrix]:
    """The constant and the matrix for each source of any affine operator, from its rows."""
    size = prod(node.shape)
    pieces: list[list[Matrix]] = [[] for _ in range(sources)]
    constants: list[Tensor] = []
    for start in range(0, size, ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, size - start)
        unit_rows = torch.zeros(count, size, dtype=torch.float64)
        unit_rows[:, start : start + count].fill_diagonal_(1.0)
        rows = unit_rows.reshape(count, *node.shape)
        constants.append(operator.constant(rows))
        for piece, matrix in zip(pieces, operator.transposed(rows), strict=True):
            piece.append(Matrix(matrix.reshape(count, -1).numpy()))
    constant = Matrix(torch.cat(constants).reshape(-1, 1).numpy())
    return [constant, *(Matrix(sparse.vstack(piece)) for piece in pieces)]


def assemble(inputs: int, blocks: list[Block]) -> Program:
    """Blocks, the outputs last, as one program for one network."""
    begin = np.cumsum([inputs, *(block.size for block in blocks)], dtype=np.int64)
    group_begin = {CONSTANT: 0, INPUTS: 0} | {number: int(begin[number - 1]) for number in range(1, len(blocks) + 1)}
    first: list[int] = []
    weights: list[Floats] = []
    gross: list[Floats] = []
    biases, gross_biases = np.zeros(begin[-1]), np.zeros(begin[-1])
    slope = np.ones(begin[-1])
    for number, block in enumerate(blocks):
        start, end = int(begin[number]), int(begin[number + 1])
        slope[start:end] = block.slope
        first.append(min((group_begin[group] for group in block.source.parts if group != CONSTANT), default=start))
        for matrices, target, constants in (
            (block.source.parts, weights, biases), (block.source.gross, gross, gross_biases),
        ):  # fmt: skip
            dense = np.zeros((start - first[-1], block.size))
            for group, part in matrices.items():
                if group == CONSTANT:
                    constants[start:end] = part.toarray()[:, 0]
                else:
                    row = group_begin[group] - first[-1]
                    dense[row : row + part.shape[1]] = part.toarray().T
            target.append(dense.ravel())
    offset = np.cumsum([0, *(len(part) for part in weights[:-1])], dtype=np.int64)
    return Program(
        np.concatenate(weights)[None], np.concatenate(gross)[None], biases[None], gross_biases[None], begin,
        np.array(first, dtype=np.int64), offset, slope,
        np.array([block.source.roundings for block in blocks], dtype=np.int64),
    )  # fmt: skip

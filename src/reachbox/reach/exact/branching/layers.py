"""A program as matrices for batches of nodes, in the precision of the search or that of the proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reachbox.reach.program import Floats, Integers, Program


class Layer(NamedTuple):
    """Units `begin` to `end`, numbered without the inputs; they read the inputs, the units from `first`, or both."""

    begin: int
    end: int
    first: int
    of_inputs: Tensor | None  # (units, inputs)
    of_units: Tensor | None  # (units, units from first to begin)
    biases: Floats  # (units,)


@dataclass(frozen=True)
class Layers:
    """One network of a program: hidden layers, and the outputs behind them."""

    hidden: tuple[Layer, ...]
    outputs: Layer
    inputs: int
    units: int
    slope: Floats  # (units,): below zero

    @classmethod
    def of(cls, program: Program, network: int) -> Layers:
        """The layers of one of a program's networks, in float64."""
        layers = [_layer(program, network, block) for block in range(len(program.first))]
        slope = program.slope[program.inputs : int(program.begin[-2])].copy()
        return cls(tuple(layers[:-1]), layers[-1], program.inputs, len(slope), slope)

    def to(self, dtype: torch.dtype) -> Layers:
        """The same in another precision."""
        hidden = tuple(_converted(layer, dtype) for layer in self.hidden)
        return Layers(hidden, _converted(self.outputs, dtype), self.inputs, self.units, _as(self.slope, dtype))

    @property
    def dtype(self) -> torch.dtype:
        """The precision."""
        return torch.float64 if self.slope.dtype == np.float64 else torch.float32

    def values(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs `(points, outputs)` and hidden units before their ReLU `(points, units)`."""
        before = torch.empty(len(points), self.units, dtype=self.dtype)
        after = torch.empty_like(before)
        slope = torch.from_numpy(self.slope)
        for layer in self.hidden:
            z = before[:, layer.begin : layer.end]
            z[:] = _affine(layer, points, after)
            after[:, layer.begin : layer.end] = torch.where(z > 0, z, slope[layer.begin : layer.end] * z)
        return _affine(self.outputs, points, after), before

    def gradients(self, before: Tensor, objective: Tensor) -> Tensor:
        """Of `objective` `(points, outputs)` at points with these units, `(points, inputs)`."""
        gains = torch.where(before > 0, 1.0, torch.from_numpy(self.slope))
        slopes = torch.zeros_like(before)
        gradients = read(self.outputs, objective, slopes, None)
        for layer in reversed(self.hidden):
            units = slice(layer.begin, layer.end)
            gradients = read(layer, slopes[:, units] * gains[:, units], slopes, gradients)
        return torch.zeros(len(before), self.inputs, dtype=self.dtype) if gradients is None else gradients


def _affine(layer: Layer, points: Tensor, after: Tensor) -> Tensor:
    """What a layer makes of the values it reads."""
    total = torch.from_numpy(layer.biases).expand(len(points), -1)
    if layer.of_inputs is not None:
        total = torch.addmm(total, points, layer.of_inputs.T)
    if layer.of_units is not None:
        total = torch.addmm(total, after[:, layer.first : layer.begin], layer.of_units.T)
    return total


def read(layer: Layer, coefficients: Tensor, of_units: Tensor, of_inputs: Tensor | None) -> Tensor | None:
    """Takes `coefficients` of a layer's units to the values that it reads: adds to `of_units`, gives `of_inputs`."""
    if layer.of_units is not None:
        of_units[:, layer.first : layer.begin].addmm_(coefficients, layer.of_units)
    if layer.of_inputs is None:
        return of_inputs
    if of_inputs is None:
        return coefficients @ layer.of_inputs
    return of_inputs.addmm(coefficients, layer.of_inputs)


def _as(values: Floats, dtype: torch.dtype) -> Floats:
    return torch.from_numpy(values).to(dtype).numpy()


def _converted(layer: Layer, dtype: torch.dtype) -> Layer:
    of_inputs, of_units = (None if part is None else part.to(dtype) for part in (layer.of_inputs, layer.of_units))
    return layer._replace(of_inputs=of_inputs, of_units=of_units, biases=_as(layer.biases, dtype))


def _layer(program: Program, network: int, block: int) -> Layer:
    inputs, first = program.inputs, int(program.first[block])
    begin, end = int(program.begin[block]), int(program.begin[block + 1])
    offset, size = int(program.offset[block]), (begin - first) * (end - begin)
    matrix = program.weights[network, offset : offset + size].reshape(begin - first, end - begin).T
    of_inputs = torch.from_numpy(matrix[:, : max(0, inputs - first)].copy())
    of_units = torch.from_numpy(matrix[:, max(0, inputs - first) :].copy())
    biases = program.biases[network, begin:end].copy()
    return Layer(
        begin - inputs, end - inputs, max(0, first - inputs),
        of_inputs if of_inputs.numel() else None, of_units if of_units.numel() else None, biases,
    )  # fmt: skip


@dataclass(frozen=True)
class Ranges:
    """The boxes, and proven ranges of their hidden units before ReLU; `size` is N of `docs/exact.md`."""

    lower: Floats  # (tasks, inputs)
    upper: Floats  # (tasks, inputs)
    low: Floats  # (tasks, units)
    high: Floats  # (tasks, units)
    size: Floats  # (tasks, units)

    def to(self, dtype: torch.dtype) -> Ranges:
        """The same in another precision."""
        return Ranges(*(_as(part, dtype) for part in (self.lower, self.upper, self.low, self.high, self.size)))

    def is_open(self, slope: Floats) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        """Which units may have both signs, and pass on something else below zero than above."""
        return np.asarray((self.low < 0) & (self.high > 0) & (slope != 1))


@dataclass(frozen=True)
class Rows:
    """Linear functions of a network's values before some layer, each over one box: what is minimised."""

    tasks: Integers  # (rows,)
    of_units: Tensor  # (rows, units)
    of_inputs: Tensor | None  # (rows, inputs)
    constants: Tensor  # (rows,)
    magnitudes: Tensor  # (rows,): what their errors are relative to
    layers: int  # how many hidden layers are before

    def __len__(self) -> int:
        return len(self.tasks)

    def part(self, index: Integers) -> Rows:
        """Some of the rows."""
        chosen = torch.from_numpy(index)
        of_inputs = None if self.of_inputs is None else self.of_inputs[chosen]
        return Rows(
            self.tasks[index], self.of_units[chosen], of_inputs, self.constants[chosen], self.magnitudes[chosen],
            self.layers,
        )  # fmt: skip

    def to(self, dtype: torch.dtype) -> Rows:
        """The same in another precision."""
        of_inputs = None if self.of_inputs is None else self.of_inputs.to(dtype)
        return Rows(
            self.tasks, self.of_units.to(dtype), of_inputs, self.constants.to(dtype), self.magnitudes.to(dtype),
            self.layers,
        )  # fmt: skip


def rows_of(layers: Layers, tasks: Integers, number: int, coefficients: Tensor, size: Floats) -> Rows:
    """`coefficients` `(rows, units)` times the units of hidden layer `number`; of the outputs, the layer after those.

    `size`, `(rows, units)`, is N of these units.
    """
    layer = [*layers.hidden, layers.outputs][number]
    of_units = torch.zeros(len(tasks), layers.units, dtype=layers.dtype)
    of_inputs = read(layer, coefficients, of_units, None)
    magnitudes = (coefficients.abs() * torch.from_numpy(size)).sum(1)
    return Rows(
        tasks, of_units, of_inputs, coefficients @ torch.from_numpy(layer.biases), magnitudes, number,
    )  # fmt: skip

"""Laws of splitting the input: no verdict of `verify` is contradicted by a point, evaluated in rational numbers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reachbox.network import Network
from reachbox.network.graph import Builder
from reachbox.network.operators import Add, Linear, Relu
from reachbox.reach.exact.batch import Limit, Tasks, solve
from reachbox.reach.exact.splitting import Problem, largest_rows
from reachbox.reach.program import Floats
from reachbox.verify import Disjunct, HalfSpaces, Specification, Verdict, verify

KINDS = ["random", "whole", "steep", "doubled", "bent"]
SLOPES = [0.25, -0.5, 1.0, 2.0]


@dataclass(frozen=True)
class Layers:
    """A chain of linear layers with one activation between them, and whether its hidden layers are added to their
    inputs: what rational arithmetic evaluates."""

    weights: list[Floats]
    biases: list[Floats]
    slope: float
    adds: bool

    def network(self) -> Network:
        builder, value = Builder((self.weights[0].shape[1],)), 0
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            before = value
            value = builder.add(f"linear {number}", Linear(torch.from_numpy(weight), torch.from_numpy(bias)), value)
            if number < len(self.weights) - 1:
                value = builder.add(f"relu {number}", Relu(self.slope), value)
                if self.adds and number:
                    value = builder.add(f"add {number}", Add(), value, before)
        return builder.network(value)

    def at(self, x: Floats) -> list[Fraction]:
        """The outputs, without any rounding."""
        values, slope = [Fraction(number) for number in x.tolist()], Fraction(self.slope)
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            before = values
            values = [
                sum((Fraction(w) * v for w, v in zip(row, before, strict=True) if w), Fraction(shift))
                for row, shift in zip(weight.tolist(), bias.tolist(), strict=True)
            ]
            if number < len(self.weights) - 1:
                values = [value if value > 0 else slope * value for value in values]
                if self.adds and number:
                    values = [value + other for value, other in zip(values, before, strict=True)]
        return values


def drawn_layers(generator: np.random.Generator, kind: str) -> Layers:
    """A small network; `whole` and `doubled` ones are degenerate, where hyperplanes meet more often than in general."""
    width, depth = int(generator.integers(2, 9)), int(generator.integers(1, 4))
    sizes = [int(generator.integers(1, 5)), *[width] * depth, int(generator.integers(1, 4))]
    shapes = list(pairwise(sizes))
    if kind == "whole":
        weights = [generator.integers(-2, 3, (after, before)).astype(np.float64) for before, after in shapes]
        biases = [generator.integers(-1, 2, after).astype(np.float64) for after in sizes[1:]]
    else:
        scale = generator.choice([1e-3, 1.0, 30.0]) if kind == "steep" else 1.0
        weights = [scale * generator.normal(size=(after, before)) for before, after in shapes]
        biases = [generator.normal(size=after) * generator.integers(0, 2) for after in sizes[1:]]
    if kind == "doubled":
        weights[0][1], biases[0][1] = -weights[0][0], -biases[0][0]
    slope = float(generator.choice(SLOPES)) if kind == "bent" else 0.0
    return Layers(weights, biases, slope, adds=bool(generator.integers(0, 2)))


def drawn_box(generator: np.random.Generator, inputs: int) -> tuple[Floats, Floats]:
    centre = generator.integers(-1, 2, inputs) if generator.integers(0, 2) else generator.normal(size=inputs)
    radius = generator.choice([0.0, 1e-9, 0.1, 1.0, 5.0], inputs, p=[0.2, 0.1, 0.2, 0.4, 0.1])
    return centre - radius, centre + radius


def points_of(generator: np.random.Generator, lower: Floats, upper: Floats, count: int) -> Floats:
    shares = np.clip(1.5 * generator.random((count, len(lower))) - 0.25, 0.0, 1.0)
    return np.asarray(np.clip(lower + shares * (upper - lower), lower, upper))


def drawn_specification(generator: np.random.Generator, layers: Layers, network: Network) -> Specification:
    """Alternatives whose bounds lie close to what samples attain, so that the questions are hard to answer."""
    inputs, outputs = layers.weights[0].shape[1], len(layers.biases[-1])
    disjuncts = []
    box = drawn_box(generator, inputs)
    for _ in range(generator.integers(1, 4)):
        box = box if generator.integers(0, 2) else drawn_box(generator, inputs)
        rows = generator.integers(-1, 2, (generator.integers(1, 4), outputs)).astype(np.float64)
        values = network(torch.from_numpy(points_of(generator, *box, 300))).numpy() @ rows.T
        attained = values[(values - values.mean(0)).max(1).argmin()]  # small in all rows together
        below = generator.choice([0.0, 1e-12, 1e-8, 1e-3, 0.1, -1e-8, -1e-3], p=[0.1, 0.1, 0.1, 0.2, 0.3, 0.1, 0.1])
        strict = generator.integers(0, 2, len(rows)).astype(bool)
        disjuncts.append(Disjunct(*box, HalfSpaces(rows, attained - below * (1 + np.abs(attained)), strict)))
    return Specification(inputs, outputs, tuple(disjuncts))


def least_point(problem: Problem, disjunct: Disjunct) -> tuple[float, Floats]:
    """Where enumeration finds the smallest value of the goal, and what it proves of it."""
    tasks = Tasks(np.zeros(1, dtype=np.int64), disjunct.lower[None], disjunct.upper[None], problem.leaf_rows[None])
    answer = solve(problem.leaf, tasks, Limit())
    return float(answer.outer[0, 0, 0] - problem.leaf_shifts[0]), answer.points[0, 0, 0]


def is_unsafe(layers: Layers, disjunct: Disjunct, x: Floats) -> bool:
    y = layers.at(x)
    for row, bound, strict in zip(disjunct.unsafe.rows, disjunct.unsafe.bounds, disjunct.unsafe.strict, strict=True):
        value = sum((Fraction(w) * part for w, part in zip(row.tolist(), y, strict=True)), Fraction())
        if value > Fraction(bound) or (strict and value == Fraction(bound)):
            return False
    return True


def suspicious(network: Network, disjunct: Disjunct, points: Floats) -> Floats:
    """The points whose outputs are unsafe up to the rounding of float64."""
    values = network(torch.from_numpy(points)).numpy() @ disjunct.unsafe.rows.T
    return points[(values <= disjunct.unsafe.bounds + 1e-9 * (1 + np.abs(values))).all(1)][:5]


def check(seed: int, kind: str) -> Verdict:
    generator = np.random.default_rng(seed)
    layers = drawn_layers(generator, kind)
    network = layers.network()
    specification = drawn_specification(generator, layers, network)
    torch.set_num_threads(1 + seed % 2)
    found = verify(network, specification, timeout=20.0, seed=seed)
    least = {}
    for number, disjunct in enumerate(specification.disjuncts):
        problem = largest_rows(network, [disjunct.unsafe.rows], [disjunct.unsafe.bounds])
        least[number], lowest = least_point(problem, disjunct)
        if found.verdict is Verdict.UNSAT:
            points = np.concatenate([points_of(generator, disjunct.lower, disjunct.upper, 300), lowest[None]])
            assert not any(is_unsafe(layers, disjunct, x) for x in suspicious(network, disjunct, points)), (seed, kind)
            assert not is_unsafe(layers, disjunct, lowest), (seed, kind)
    size = max(np.abs(disjunct.unsafe.bounds).max() for disjunct in specification.disjuncts)
    if found.counterexample is not None:
        x, y = found.counterexample.x, found.counterexample.y
        inside = [d for d in specification.disjuncts if (d.lower <= x).all() and (x <= d.upper).all()]
        assert any(disjunct.unsafe.contain(y) for disjunct in inside), (seed, kind)
        assert min(least.values()) <= 1e-3 * (1 + size), (seed, kind)
    if found.verdict is Verdict.UNKNOWN:
        assert abs(min(least.values())) <= 1e-3 * (1 + size), (seed, kind)
    return found.verdict


@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(KINDS))
def test_no_point_contradicts_a_verdict(seed: int, kind: str) -> None:
    check(seed, kind)


@pytest.mark.thorough
@settings(max_examples=5000)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(KINDS))
def test_no_point_contradicts_thousands_of_verdicts(seed: int, kind: str) -> None:
    check(seed, kind)

"""The exact box of degenerate networks: whole weights, equal units, no biases, kinks on the centre, zero widths."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

import reachbox as rb
from reachbox.network.graph import Builder
from reachbox.network.operators import Linear, Relu
from reachbox.reach.encoding import big_m
from reachbox.reach.encoding.linear import cost_of
from reachbox.reach.encoding.ranges import unit_ranges
from reachbox.reach.exact import exact_stack
from reachbox.reach.program import Floats
from reachbox.reach.program import lower as lower_network
from reachbox.solvers.highs import Highs

SIZES = [3, 6, 5, 2]


def degenerate(seed: int) -> tuple[list[Floats], list[Floats], Floats, Floats]:
    """Weights, biases and a box, `lower` and `upper`, where hyperplanes meet in every way that generic ones do not."""
    generator = np.random.default_rng(seed)
    weights = [whole_numbers(generator, 2, (after, before)) for before, after in pairwise(SIZES)]
    biases = [whole_numbers(generator, 1, (after,)) * (seed % 2) for after in SIZES[1:]]
    weights[0][1], biases[0][1] = weights[0][0], biases[0][0]  # equal units
    weights[0][3], biases[0][3] = -weights[0][2], -biases[0][2]  # opposite units
    weights[1][-1] = 0.0  # a unit that sees nothing
    centre = whole_numbers(generator, 1, (SIZES[0],))
    if seed % 3 == 0:
        biases[0] = -weights[0] @ centre  # all kinks of the first layer pass through the centre
    radius = generator.choice([0.0, 0.5, 1.0, 2.0], SIZES[0], p=[0.2, 0.2, 0.4, 0.2])
    return weights, biases, centre - radius, centre + radius


def whole_numbers(generator: np.random.Generator, most: int, shape: tuple[int, ...]) -> Floats:
    return generator.integers(-most, most + 1, shape).astype(np.float64)


def check(seed: int) -> None:
    """The box holds what is evaluated, is attained, and is that of a mixed-integer program."""
    weights, biases, lower, upper = degenerate(seed)
    stacked = [weight[None] for weight in weights], [bias[None] for bias in biases]
    out = exact_stack(*stacked, rb.Box(lower[None], upper[None]))
    assert out.kind == "exact", seed
    generator = np.random.default_rng(seed)
    shares = generator.choice([0.0, 0.25, 0.5, 1.0], (200, SIZES[0]))
    values = lower + shares * (upper - lower)
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        values = np.maximum(values @ weight.T + bias, 0.0)
    values = values @ weights[-1].T + biases[-1]
    assert (out.lower.numpy() <= values).all(), seed
    assert (values <= out.upper.numpy()).all(), seed
    for sign, ends in ((-1.0, -out.lower[0].numpy()), (1.0, out.upper[0].numpy())):
        assert solver_maxima(weights, biases, (lower, upper), sign) == pytest.approx(ends, abs=1e-6), seed


def solver_maxima(weights: list[Floats], biases: list[Floats], box: tuple[Floats, Floats], sign: float) -> list[float]:
    """The largest value of `sign` times each output by HiGHS."""
    builder, value = Builder((SIZES[0],)), 0
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        value = builder.add(f"relu {number}", Relu(), value) if number else value
        value = builder.add(f"linear {number}", Linear(torch.from_numpy(weight), torch.from_numpy(bias)), value)
    program = lower_network(builder.network(value))
    low, high = unit_ranges(program, box[0][None], box[1][None])
    problem = big_m(program, low[0], high[0])
    solver = Highs(problem)
    found = [solver.optimum(cost_of(-sign * row, problem), 100.0) for row in np.eye(SIZES[-1])]
    assert all(optimum.ended == "solved" for optimum in found)
    return [-optimum.bound for optimum in found]


def test_degenerate_networks() -> None:
    torch.set_num_threads(1)
    for seed in range(60):
        check(seed)


@pytest.mark.thorough
def test_a_thousand_degenerate_networks() -> None:
    for seed in range(1000):
        check(seed)

"""The exact box against rational arithmetic over all activation patterns, and against a mixed-integer solver."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise, product

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.optimize import Bounds, LinearConstraint, milp
from torch import Tensor

import reachbox as rb
from reachbox.reach.exact import exact_stack

Line = tuple[Fraction, Fraction, Fraction]  # a x + b y + c
Floats = npt.NDArray[np.float64]


def random_network(sizes: list[int], seed: int) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and biases in sixteenths, so that they are rational numbers with small denominators."""
    generator = torch.Generator().manual_seed(seed)

    def sixteenths(*size: int) -> Tensor:
        return torch.randint(-24, 25, size, generator=generator).double() / 16

    weights = [sixteenths(1, after, before) for before, after in pairwise(sizes)]
    return weights, [sixteenths(1, after) / 2 for after in sizes[1:]]


def lines_of(weight: Tensor, bias: Tensor, before: list[Line]) -> list[Line]:
    """Each unit's affine function of the plane from those of the units before it."""
    lines = []
    for row, shift in zip(weight[0].tolist(), bias[0].tolist(), strict=True):
        a, b, c = (
            sum((Fraction(w) * line[k] for w, line in zip(row, before, strict=True)), Fraction(0)) for k in range(3)
        )
        lines.append((a, b, c + Fraction(shift)))
    return lines


def rational_box(weights: list[Tensor], biases: list[Tensor]) -> list[tuple[Fraction, Fraction]]:
    """The range of each output over `[-1, 1]^2`: all vertices of all non-empty regions, without rounding."""
    one, zero = Fraction(1), Fraction(0)
    inputs: list[Line] = [(one, zero, zero), (zero, one, zero)]
    sides = [(one, zero, one), (-one, zero, one), (zero, one, one), (zero, -one, one)]
    seen: list[list[Fraction]] = []
    for pattern in product((0, 1), repeat=sum(len(bias[0]) for bias in biases[:-1])):
        signs, values, limits = iter(pattern), inputs, list(sides)
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            units = [(line, next(signs)) for line in lines_of(weight, bias, values)]
            limits += [line if on else (-line[0], -line[1], -line[2]) for line, on in units]
            values = [line if on else (zero, zero, zero) for line, on in units]
        outputs = lines_of(weights[-1], biases[-1], values)
        for x, y in corners(limits):
            seen.append([a * x + b * y + c for a, b, c in outputs])
    return [(min(column), max(column)) for column in zip(*seen, strict=True)]


def corners(limits: list[Line]) -> list[tuple[Fraction, Fraction]]:
    """The vertices of the polygon on which every line is at least zero."""
    found = []
    for (a, b, c), (d, e, f) in combinations(limits, 2):
        determinant = a * e - b * d
        if determinant == 0:
            continue
        x, y = (b * f - c * e) / determinant, (c * d - a * f) / determinant
        if all(p * x + q * y + r >= 0 for p, q, r in limits):
            found.append((x, y))
    return found


@pytest.mark.parametrize(
    "seed", [*range(10), *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(10, 100))]
)
def test_rational_arithmetic_over_all_patterns_agrees(seed: int) -> None:
    weights, biases = random_network([2, 3, 3, 2], seed)
    out = exact_stack(weights, biases, rb.Box([[-1.0, -1.0]], [[1.0, 1.0]]))
    for row, (least, most) in enumerate(rational_box(weights, biases)):
        lower, upper = Fraction(out.lower[0, row].item()), Fraction(out.upper[0, row].item())
        assert lower <= least <= most <= upper
        assert least - lower < 1e-9
        assert upper - most < 1e-9


def largest(weights: list[Floats], biases: list[Floats], low: Floats, high: Floats, row: Floats) -> float:
    """The maximum of `row @ outputs` by big-M: variables are the inputs, and `z`, `a`, `on` of every hidden unit."""
    hidden = [len(bias) for bias in biases[:-1]]
    count = len(low) + 3 * sum(hidden)
    at_least, at_most, whole = np.full(count, -np.inf), np.full(count, np.inf), np.zeros(count)
    at_least[: len(low)], at_most[: len(low)] = low, high
    constraints, source, place = [], np.arange(len(low)), len(low)
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        size = len(bias)
        z, a, on = (np.arange(place + k * size, place + (k + 1) * size) for k in range(3))
        centre, radius = weight @ ((low + high) / 2) + bias, np.abs(weight) @ ((high - low) / 2)
        below, above = np.minimum(centre - radius, 0), np.maximum(centre + radius, 0)
        at_least[a], at_least[on], at_most[on], whole[on] = 0, 0, 1, 1
        rows = np.zeros((4, size, count))
        unit = np.arange(size)
        rows[0][:, source], rows[0][unit, z] = -weight, 1
        rows[1][unit, a], rows[1][unit, z] = 1, -1
        rows[2][unit, a], rows[2][unit, z], rows[2][unit, on] = 1, -1, -below
        rows[3][unit, a], rows[3][unit, on] = 1, -above
        constraints += [
            LinearConstraint(rows[0], bias, bias),
            LinearConstraint(rows[1], 0, np.inf),
            LinearConstraint(rows[2], -np.inf, -below),
            LinearConstraint(rows[3], -np.inf, 0),
        ]
        low, high, source, place = np.maximum(below, 0), above, a, place + 3 * size
    cost = np.zeros(count)
    cost[source] = -(row @ weights[-1])
    solved = milp(
        cost, integrality=whole, bounds=Bounds(at_least, at_most), constraints=constraints, options={"mip_rel_gap": 0}
    )
    assert solved.status == 0, solved.message
    return float(-solved.fun + row @ biases[-1])


@pytest.mark.parametrize("seed", range(4))
def test_a_mixed_integer_solver_agrees(seed: int) -> None:
    weights, biases = random_network([4, 8, 8, 2], 100 + seed)
    low, high = np.full(4, -0.5), np.array([0.5, 0.25, 0.75, -0.5])
    out = exact_stack(weights, biases, rb.Box(low[None], high[None]))
    plain = [weight[0].numpy() for weight in weights], [bias[0].numpy() for bias in biases]
    for output in range(2):
        row = np.eye(2)[output]
        assert out.upper[0, output].item() == pytest.approx(largest(*plain, low, high, row), abs=1e-6)
        assert out.lower[0, output].item() == pytest.approx(-largest(*plain, low, high, -row), abs=1e-6)

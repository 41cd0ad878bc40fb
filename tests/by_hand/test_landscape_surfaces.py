"""Energies and curvatures of small cases that can be worked on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reachbox.errors import InputError
from reachbox.landscape import (
    Camelback,
    LennardJones,
    Minimiser,
    MuellerBrown,
    PerceptronEnergy,
    ReLU,
    SmoothedReLU,
    Status,
    Tanh,
    eigenvalues,
    inertia,
    minimise,
)

XOR_INPUTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR_LABELS = np.array([0, 1, 1, 0])


def test_three_atoms_at_the_pair_distance_have_energy_minus_three() -> None:
    side = 2 ** (1 / 6)
    triangle = np.array([[0, 0, 0, side, 0, 0, side / 2, side * math.sqrt(3) / 2, 0]])
    values, gradients = LennardJones(3).value_and_gradient(triangle)
    assert values == pytest.approx([-3.0])
    assert np.abs(gradients).max() < 1e-12


def test_a_triangle_of_atoms_has_three_modes_besides_the_rigid_motions() -> None:
    side = 2 ** (1 / 6)
    triangle = np.array([0, 0, 0, side, 0, 0, side / 2, side * math.sqrt(3) / 2, 0])
    stiffness = 72 / 2 ** (1 / 3)  # phi''(r) at the pair distance
    assert eigenvalues(LennardJones(3), triangle) == pytest.approx([1.5 * stiffness, 1.5 * stiffness, 3 * stiffness])


def test_camelback_at_the_origin() -> None:
    surface = Camelback()
    values, gradients = surface.value_and_gradient(np.zeros((1, 2)))
    assert (values[0], gradients.tolist()) == (0.0, [[0.0, 0.0]])
    assert eigenvalues(surface, np.zeros(2)) == pytest.approx([-math.sqrt(65), math.sqrt(65)])
    assert inertia(surface, np.zeros(2)).is_transition_state


def test_mueller_brown_has_its_three_published_minima() -> None:
    starts = np.array([[-0.6, 1.4], [0.6, 0.0], [-0.05, 0.5]])
    quench = minimise(MuellerBrown(), starts, Minimiser(rms=1e-9, max_step=0.1))
    assert quench.converged.all()
    assert quench.energies == pytest.approx([-146.6995, -108.1667, -80.7678], abs=1e-4)


def test_a_network_of_zeros_knows_nothing() -> None:
    xor = PerceptronEnergy((2, 2, 1), Tanh(), XOR_INPUTS, XOR_LABELS, l2=0.01)
    values, gradients = xor.value_and_gradient(np.zeros((1, xor.dimension)))
    assert values == pytest.approx([math.log(2)])
    assert np.abs(gradients).max() == 0.0


def test_one_relu_unit_on_one_sample() -> None:
    energy = PerceptronEnergy((1, 1, 1), ReLU(), np.array([[2.0]]), np.array([1]), l2=0.5)
    weights = np.array([[3.0, -1.0, 2.0, 0.5]])  # w, b, v, c: logit = v * (2 w + b) + c = 10.5
    probability = 1 / (1 + math.exp(-10.5))
    slope = probability - 1
    values, gradients = energy.value_and_gradient(weights)
    assert values == pytest.approx([-math.log(probability) + 0.5 * (9 + 1 + 4 + 0.25)])
    assert gradients[0] == pytest.approx([slope * 2 * 2 + 3, slope * 2 - 1, slope * 5 + 2, slope + 0.5])


def test_biases_need_not_count() -> None:
    weights = np.array([[1.0, 2.0]])
    both = PerceptronEnergy((1, 1), Tanh(), np.zeros((1, 1)), np.array([1]), l2=1.0)
    one = PerceptronEnergy((1, 1), Tanh(), np.zeros((1, 1)), np.array([1]), l2=1.0, biases_count=False)
    assert both.value_and_gradient(weights)[0] - one.value_and_gradient(weights)[0] == pytest.approx([4.0])


def test_the_bend_of_a_smoothed_relu() -> None:
    z = np.array([-1.0, 0.0, 0.25, 0.5, 2.0])
    bend = SmoothedReLU(0.5)
    value, slope, curvature = bend.derivatives(z)
    assert value == pytest.approx([0, 0, 0.5 * (0.125 - 0.03125), 0.25, 1.75])
    assert slope == pytest.approx([0, 0, 0.5, 1, 1])
    assert curvature == pytest.approx([0, 0, 3, 0, 0])


def test_a_descent_that_runs_out_of_steps_says_so() -> None:
    quench = minimise(
        LennardJones(5), LennardJones(5).random_points(3, np.random.default_rng(0)), Minimiser(max_steps=2)
    )
    assert quench.status.tolist() == [Status.OUT_OF_STEPS] * 3
    assert quench.evaluations.tolist() == [3] * 3


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: LennardJones(2), "at least 3 atoms are needed, found 2"),
        (lambda: SmoothedReLU(0.0), "the width must be positive, found 0.0"),
        (lambda: Minimiser(rms=0.0), "rms"),
        (lambda: minimise(Camelback(), np.zeros((1, 3))), r"\(replicas, 2\) are needed, found \(1, 3\)"),
        (lambda: PerceptronEnergy((3, 1), Tanh(), XOR_INPUTS, XOR_LABELS), r"do not fit the widths \(3, 1\)"),
        (lambda: PerceptronEnergy((2, 1), Tanh(), XOR_INPUTS, XOR_LABELS + 1), "labels from 0 to 1"),
        (lambda: PerceptronEnergy((2, 1), "tanh", XOR_INPUTS, XOR_LABELS), r"such as Tanh\(\) is needed, found 'tanh'"),
    ],
)
def test_misuse_is_refused_with_what_is_allowed(attempt, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        attempt()

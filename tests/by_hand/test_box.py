"""Boxes whose numbers stand on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import reachbox as rb


def test_a_box_knows_its_centre_radius_width_and_volume() -> None:
    box = rb.Box([[0.0, -1.0]], [[2.0, 3.0]])
    assert box.centre.tolist() == [[1.0, 1.0]]
    assert box.radius.tolist() == [[1.0, 2.0]]
    assert box.width.tolist() == [[2.0, 4.0]]
    assert box.log_volume.item() == pytest.approx(math.log(8))


def test_a_radius_may_be_a_number_one_per_feature_or_one_per_sample_and_feature() -> None:
    x = np.zeros((2, 2))
    assert rb.Box.around(x, 0.5).upper.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert rb.Box.around(x, [1.0, 2.0]).upper.tolist() == [[1.0, 2.0], [1.0, 2.0]]
    assert rb.Box.around(x, [[1.0, 2.0], [3.0, 4.0]]).upper.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_within_clips_to_the_valid_range() -> None:
    box = rb.Box.around([[0.05, 0.9]], 0.2, within=(0, 1))
    assert box.lower.tolist() == [[0.0, pytest.approx(0.7)]]
    assert box.upper.tolist() == [[0.25, 1.0]]


def test_a_zero_width_gives_minus_infinity_and_a_finite_gradient() -> None:
    radius = torch.tensor([0.0, 1.0], dtype=torch.float64, requires_grad=True)
    box = rb.Box.around([[0.0, 0.0]], radius)
    assert box.log_volume.item() == -math.inf
    box.log_volume.sum().backward()
    assert radius.grad is not None
    assert torch.isfinite(radius.grad).all()


def test_contains_is_decided_for_each_sample() -> None:
    box = rb.Box([[0.0], [0.0]], [[1.0], [1.0]])
    assert box.contains([[0.5], [1.5]]).tolist() == [True, False]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rb.Box([[1.0]], [[0.0]]), "lower > upper"),
        (lambda: rb.Box([[float("nan")]], [[0.0]]), "finite"),
        (lambda: rb.Box([[0.0]], [[float("inf")]]), "finite"),
        (lambda: rb.Box([[0.0]], [[0.0, 1.0]]), "agree"),
        (lambda: rb.Box(np.zeros((0, 2)), np.zeros((0, 2))), "at least one sample"),
        (lambda: rb.Box([0.0], [1.0]), "at least one sample"),
        (lambda: rb.Box([["a"]], [["b"]]), "numbers"),
        (lambda: rb.Box([[0.0, 1.0], [2.0]], [[0.0]]), "rectangular"),
        (lambda: rb.Box.around([[0.0]], -1.0), "negative"),
        (lambda: rb.Box.around([[0.0]], float("nan")), "finite"),
        (lambda: rb.Box.around([[0.0, 0.0]], [1.0, 1.0, 1.0]), "one per feature"),
        (lambda: rb.Box.around([[2.0]], 0.1, within=(0, 1)), "inside"),
        (lambda: rb.Box.around([[2.0]], 0.1, within=(1, 0)), "must not exceed"),
    ],
)
def test_misuse_is_one_line(make: object, message: str) -> None:
    with pytest.raises(rb.InputError, match=message) as caught:
        make()  # type: ignore[operator]
    assert "\n" not in str(caught.value)

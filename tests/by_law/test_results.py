"""Results as JSON: what is written reads back as the same numbers, in strict JSON, whatever the values are."""

from __future__ import annotations

import json
from dataclasses import fields
from math import exp, inf, nan
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reachbox.certify import Certificate
from reachbox.errors import InputError
from reachbox.formats.results import certificate_record, plain, reach_record, sensitivity_record, to_json
from reachbox.reach import Kind, Reach
from reachbox.sensitivity import summarise

Numbers = np.ndarray[Any, np.dtype[np.float64]]
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=4)


def strict(text: str) -> dict[str, Any]:
    """What a parser that knows no NaN and no Infinity reads."""

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is not JSON")

    read: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return read


@st.composite
def reaches(draw: st.DrawFn) -> Reach:
    """Boxes of any size, with or without what only some methods know."""
    shape = draw(SHAPES)
    first, second = (draw(hnp.arrays(np.float64, shape, elements=FINITE)) for _ in range(2))
    lower, upper = torch.from_numpy(np.minimum(first, second)), torch.from_numpy(np.maximum(first, second))
    status = np.full((*shape, 2), "timeout") if draw(st.booleans()) else None
    inner = lower if draw(st.booleans()) else None
    return Reach(lower, upper, "dual", Kind.SOUND, inner_lower=inner, status=status, seconds=0.1)


@given(hnp.arrays(np.float64, SHAPES, elements=st.floats(allow_nan=False)))
def test_every_number_round_trips(values: Numbers) -> None:
    read = strict(to_json({"values": torch.from_numpy(values)}))["values"]
    np.testing.assert_array_equal(np.array([[float(value) for value in row] for row in read]), values)


@given(hnp.arrays(np.float32, SHAPES, elements=st.floats(allow_nan=False, width=32)))
def test_every_float32_round_trips(values: np.ndarray[Any, np.dtype[np.float32]]) -> None:
    read = strict(to_json({"values": values}))["values"]
    np.testing.assert_array_equal(np.array([[float(value) for value in row] for row in read], np.float32), values)


@given(reaches())
def test_a_reach_is_mirrored(result: Reach) -> None:
    read = strict(to_json(reach_record(result)))
    for name in ("lower", "upper", "inner_lower"):
        tensor = getattr(result, name)
        assert (name in read) == (tensor is not None)
        if tensor is not None:
            assert read[name] == tensor.tolist()
    assert [float(value) for value in read["log_volume"]] == result.log_volume.tolist()
    assert [float(value) for value in read["volume"]] == result.log_volume.exp().tolist()
    assert read["status"] == (result.status.tolist() if result.status is not None else expected_solved(result))
    assert (read["method"], read["kind"], read["seconds"]) == ("dual", "sound", 0.1)


def expected_solved(result: Reach) -> list[list[list[str]]]:
    samples, outputs = result.lower.shape
    return [[["solved", "solved"]] * outputs] * samples


def test_every_field_of_a_reach_is_written() -> None:
    one = torch.ones(1, 1)
    tensors = dict.fromkeys(("inner_lower", "inner_upper", "attaining_lower", "attaining_upper"), one)
    full = Reach(one, one, "exact", Kind.EXACT, status=np.full((1, 1, 2), "solved"), **tensors)  # type: ignore[arg-type]
    assert {field.name for field in fields(Reach)} <= set(reach_record(full))


@given(st.lists(st.floats(-1e4, 1e4) | st.just(-inf), min_size=1, max_size=6))
def test_volumes_of_any_size_are_written(logs: list[float]) -> None:
    log_volume = torch.tensor(logs, dtype=torch.float64)
    width = log_volume.exp().nan_to_num(posinf=1.0).unsqueeze(1)
    result = Reach(torch.zeros_like(width), width, "dual", Kind.SOUND)
    summary = summarise(log_volume)
    read = strict(to_json(sensitivity_record(result, summary)))
    for name in ("log_mean", "log_median", "log_geometric_mean"):
        assert float(read[name]) == getattr(summary, name)
        assert float(read[name.removeprefix("log_")]) == pytest.approx(exponential(getattr(summary, name)))
    assert read["samples"] == len(logs)
    assert read["solved"] == [True] * len(logs)


def exponential(log: float) -> float:
    return exp(log) if log < 709.78 else inf


@given(hnp.arrays(np.float64, (4, 3), elements=st.floats(-1, 1)), st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_a_certificate_is_mirrored(margin: Numbers, labels: list[int]) -> None:
    margin[np.arange(4), labels] = 0
    correct = torch.tensor([True, False, True, True])
    solved = torch.tensor([True, True, False, False])
    certificate = Certificate(torch.from_numpy(margin), torch.tensor(labels), correct, solved)
    read = strict(to_json(certificate_record(certificate)))
    assert read["margin"] == margin.tolist()
    assert read["labels"] == labels
    assert read["correct"] == correct.tolist()
    assert read["solved"] == solved.tolist()
    assert read["certified"] == [
        all(row[j] > 0 for j in range(3) if j != k) for row, k in zip(margin, labels, strict=True)
    ]
    assert read["certified_samples"] == sum(read["certified"])
    assert read["robust_error"] == pytest.approx(1 - read["certified_samples"] / 4)
    assert read["error"] == 0.25


@pytest.mark.parametrize("value", [nan, torch.tensor([0.0, nan]), [{"deep": (nan,)}], np.array([nan])])
def test_nan_is_never_written(value: object) -> None:
    with pytest.raises(InputError, match="NaN"):
        to_json({"value": value})


def test_everything_else_has_one_plain_form() -> None:
    values = {"a": Path("x"), "b": Kind.EXACT, "c": None, "d": True, "e": (1, "ä"), "f": -inf, "g": np.float64(0.1)}
    text = to_json(values)
    assert strict(text) == {"a": "x", "b": "exact", "c": None, "d": True, "e": [1, "ä"], "f": "-inf", "g": 0.1}
    assert text.isascii()
    with pytest.raises(TypeError):
        plain(object())

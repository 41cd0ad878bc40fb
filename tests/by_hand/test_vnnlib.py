"""The reader of VNN-LIB, worked by hand: what texts mean, and where errors are said to be."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from reachbox.errors import FileError, InputError
from reachbox.formats.vnnlib import parse_vnnlib, read_vnnlib

HEAD = "(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n(declare-const Y_1 Real)\n"
BOX = "(assert (>= X_0 -1)) (assert (<= X_0 2)) (assert (>= X_1 0.5)) (assert (<= X_1 1e1))\n"


def test_a_box_and_one_row() -> None:
    found = parse_vnnlib("; a comment (with brackets\n" + HEAD + BOX + "(assert (<= Y_0 Y_1)) ; the end")
    assert (found.inputs, found.outputs, len(found.disjuncts)) == (2, 2, 1)
    disjunct = found.disjuncts[0]
    assert disjunct.lower.tolist() == [-1, 0.5]
    assert disjunct.upper.tolist() == [2, 10]
    assert disjunct.unsafe.rows.tolist() == [[1, -1]]
    assert disjunct.unsafe.bounds.tolist() == [0]
    assert disjunct.unsafe.strict.tolist() == [False]


@pytest.mark.parametrize(
    ("formula", "rows", "bounds", "strict"),
    [
        ("(>= Y_0 3.5)", [[-1, 0]], [-3.5], [False]),
        ("(< Y_0 3)", [[1, 0]], [3], [True]),
        ("(> Y_0 Y_1)", [[-1, 1]], [0], [True]),
        ("(<= 3 Y_1)", [[0, -1]], [-3], [False]),
        ("(= Y_0 2)", [[1, 0], [-1, 0]], [2, -2], [False, False]),
        ("(<= (+ Y_0 Y_1 1) 4)", [[1, 1]], [3], [False]),
        ("(<= (- Y_0 Y_1 1) (- 4))", [[1, -1]], [-3], [False]),
        ("(<= (* 2.0 Y_0) (* Y_1 -3 2))", [[2, 6]], [0], [False]),
        ("(<= (+ (* 2 (+ Y_0 1)) (- Y_1)) (- 1 Y_0))", [[3, -1]], [-1], [False]),
        ("(<= Y_0 Y_0)", [[0, 0]], [0], [False]),
        ("(and (<= Y_0 1) (and (<= Y_1 2)) (>= Y_0 0))", [[1, 0], [0, 1], [-1, 0]], [1, 2, 0], [False] * 3),
        ("(and)", [], [], []),
    ],
)  # fmt: skip
def test_rows(formula: str, rows: list[list[float]], bounds: list[float], strict: list[bool]) -> None:
    (disjunct,) = parse_vnnlib(HEAD + BOX + f"(assert {formula})").disjuncts
    assert disjunct.unsafe.rows.tolist() == rows
    assert disjunct.unsafe.bounds.tolist() == bounds
    assert disjunct.unsafe.strict.tolist() == strict


def test_alternatives_of_inputs_and_outputs_multiply() -> None:
    inputs = "(assert (or (and (<= X_0 1) (>= X_0 0)) (and (<= X_0 3) (>= X_0 2))))"
    outputs = "(assert (or (<= Y_0 0) (and (>= Y_1 1) (or (<= Y_0 5) (<= Y_1 6)))))"
    found = parse_vnnlib(HEAD + "(assert (>= X_1 0))(assert (<= X_1 1))" + inputs + outputs)
    assert [(d.lower[0], d.unsafe.bounds.tolist()) for d in found.disjuncts] == [
        (0, [0]), (0, [-1, 5]), (0, [-1, 6]), (2, [0]), (2, [-1, 5]), (2, [-1, 6]),
    ]  # fmt: skip
    assert [len(alternatives) for _, _, alternatives in found.by_box()] == [3, 3]


def test_the_tightest_bounds_of_an_input_count() -> None:
    (disjunct,) = parse_vnnlib(HEAD + BOX + "(assert (<= (* 2 X_0) 3))(assert (<= 1 (- 2 X_1)))").disjuncts
    assert disjunct.upper.tolist() == [1.5, 1]


def test_nothing_is_unsafe_without_an_alternative() -> None:
    assert parse_vnnlib(HEAD + BOX + "(assert (or))").disjuncts == ()


def test_outputs_without_a_condition_are_all_unsafe() -> None:
    (disjunct,) = parse_vnnlib(HEAD + BOX).disjuncts
    assert disjunct.unsafe.rows.shape == (0, 2)
    assert disjunct.unsafe.contain(np.zeros(2))


def test_half_spaces_are_decided_exactly() -> None:
    (disjunct,) = parse_vnnlib(HEAD + BOX + "(assert (<= (+ (* 3 Y_0) Y_1) 0.3))").disjuncts
    assert not disjunct.unsafe.contain(np.array([0.1, 0.0]))  # three times the float 0.1 is above the float 0.3
    assert disjunct.unsafe.contain(np.array([0.1, -1e-16]))
    assert not disjunct.unsafe.contain(np.array([np.nan, 0.0]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "(assert (<= X_0 1)", "5:1: '(' is never closed"),
        (HEAD + "(assert (<= X_0 1)))", "5:20: ')' closes nothing"),
        (HEAD + "\n  assert", "6:3: a command in brackets is needed, found 'assert'"),
        (HEAD + "(assert (<= X_2 1))", "5:13: 'X_2' is an undeclared variable"),
        (HEAD + "(assert (<= Y_7 1))", "5:13: 'Y_7' is an undeclared variable"),
        (HEAD + "(assert (<= Z 1))", "5:13: 'Z' is no number and no variable"),
        (HEAD + "(assert (<= X_0 1e999))", "5:17: '1e999' is no number and no variable"),
        (HEAD + "(assert (<= X_0 inf))", "5:17: 'inf' is no number and no variable"),
        (HEAD + "(assert (<= X_0))", "5:9: <= takes two terms"),
        (HEAD + "(assert (not (<= X_0 1)))", "5:9: and, or, <=, >=, <, > and = are allowed, found 'not'"),
        (HEAD + "(assert true)", "5:9: a formula in brackets is needed, found 'true'"),
        (HEAD + "(assert ())", "5:9: a formula is needed"),
        (HEAD + "(assert)", "5:1: (declare-const NAME Real) or (assert FORMULA) is needed"),
        (HEAD + "(declare-const Y_2 Int)", "5:1: (declare-const NAME Real) or (assert FORMULA) is needed"),
        (HEAD + "(check-sat)", "5:1: declare-const and assert are allowed, found 'check-sat'"),
        (HEAD + "()", "5:1: declare-const or assert is needed"),
        (HEAD + "(declare-const W Real)", "5:16: X_0, X_1, ... and Y_0, Y_1, ... are allowed as names, found 'W'"),
        (HEAD + "(declare-const X_00 Real)", "5:16: X_0, X_1, ... and Y_0, Y_1, ... are allowed as names, found"),
        (HEAD + "(declare-const Y_1 Real)", "5:16: Y_1 is declared twice"),
        (HEAD + "(assert (<= (* Y_0 Y_1) 1))", "5:13: a product of two variables is not linear"),
        (HEAD + "(assert (<= (/ Y_0 2) 1))", "5:13: a number, a variable, or +, - and * of terms is needed"),
        (HEAD + BOX + "(assert (<= (+ X_0 X_1) 1))", "6:9: an inequality is about outputs, or bounds one input"),
        (HEAD + BOX + "(assert (<= X_0 Y_1))", "6:9: an inequality is about outputs, or bounds one input"),
        (HEAD + BOX + "(assert (< X_0 1))", "6:9: the bounds of an input are <= or >=, found < or > for X_0"),
        (HEAD + "(assert " + "(and " * 300, "at most 200 brackets may be nested"),
    ],
)  # fmt: skip
def test_errors_of_syntax_have_line_and_column(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "spec.vnnlib"
    file.write_text(text)
    with pytest.raises(FileError, match=re.escape(message)) as caught:
        read_vnnlib(file)
    assert str(caught.value).startswith(f"{file}:")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + BOX + "(assert (<= X_1 0.25))", "input box: X_1 is contradictory: at least 0.5 and at most 0.25"),
        (HEAD + "(assert (<= X_0 1)) (assert (>= X_0 0))", "input box: X_1 is unbounded; two numbers are needed"),
        (HEAD.replace("X_1", "X_2") + BOX.replace("X_1", "X_2"), "X_1 is not declared"),
        ("(declare-const X_0 Real)", "Y_0 is not declared"),
        ("", "X_0 is not declared"),
        (HEAD + BOX + "(assert (or (<= X_0 0) (and (<= X_0 -2) (<= Y_0 1))))", "disjunct 1: X_0 is contradictory"),
    ],
)
def test_boxes_and_counts_that_make_no_sense(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "spec.vnnlib"
    file.write_text(text)
    with pytest.raises(InputError, match=re.escape(message)):
        read_vnnlib(file)


def test_packed_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "spec.vnnlib.gz"
    file.write_bytes(gzip.compress((HEAD + BOX).encode()))
    assert read_vnnlib(file).inputs == 2
    file.write_bytes(gzip.compress((HEAD + BOX).encode())[:-9])
    with pytest.raises(FileError, match="damaged"):
        read_vnnlib(file)
    file.write_bytes(b"(declare-const X_0 Real)")
    with pytest.raises(FileError, match="no gzip file"):
        read_vnnlib(file)
    with pytest.raises(FileError, match="no such file"):
        read_vnnlib(tmp_path / "none.vnnlib")
    (tmp_path / "binary.vnnlib").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match="not a text file"):
        read_vnnlib(tmp_path / "binary.vnnlib")

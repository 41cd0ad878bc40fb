"""`verify` on paper: specifications read, refused with line and column, and decided on `y = relu(x) - relu(-x) = x`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import reachbox as rb
from reachbox.cli import main
from reachbox.errors import ReachboxError
from reachbox.formats.vnnlib import parse_vnnlib, read_vnnlib

DECLARED = "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n"
UNIT = DECLARED + "(assert (>= X_0 -1)) ; a comment\n(assert (<= X_0 1))\n"


def test_a_specification_is_alternatives_of_boxes_and_rows() -> None:
    found = parse_vnnlib(UNIT + "(assert (or (and (>= Y_0 0.5)) (and (<= X_0 0) (< (* 2 Y_0) -3))))")
    assert (found.inputs, found.outputs, len(found.disjuncts)) == (1, 1, 2)
    first, second = found.disjuncts
    assert (first.lower[0], first.upper[0], second.upper[0]) == (-1.0, 1.0, 0.0)
    assert first.unsafe.contain(torch.tensor([0.5]).double().numpy())
    assert not second.unsafe.contain(torch.tensor([-1.5]).double().numpy())  # strict
    assert second.unsafe.contain(torch.tensor([-1.6]).double().numpy())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(declare-const X_0 Real", "1:1"),
        (UNIT + "(assert (>= Y_0 0.5)))", "5:"),
        (UNIT + "(assert (>= Y_1 0.5))", "Y_1"),
        (UNIT + "(assert (>= Y_0 half))", "half"),
        (UNIT + "(assert (>= X_0 2))\n(assert (>= Y_0 0))", "X_0"),
        (DECLARED + "(assert (<= X_0 1))\n(assert (>= Y_0 0))", "X_0"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.vnnlib"
    path.write_text(text)
    with pytest.raises(ReachboxError) as caught:
        read_vnnlib(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    """`y = relu(x) - relu(-x)` as a file."""
    module = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    first, last = module.parameters()
    first.data, last.data = torch.tensor([[1.0], [-1.0]]), torch.tensor([[1.0, -1.0]])
    path = tmp_path / "identity.onnx"
    rb.save(rb.Network.from_module(module, torch.zeros(1, 1)), path)
    return path


@pytest.mark.parametrize(
    ("unsafe", "word", "code"),
    [("(assert (>= Y_0 1.001))", "unsat", 0), ("(assert (>= Y_0 0.999))", "sat", 1)],
)
def test_the_word_the_file_and_the_exit_code(
    identity: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], unsafe: str, word: str, code: int
) -> None:
    (tmp_path / "property.vnnlib").write_text(UNIT + unsafe)
    results = tmp_path / "results.txt"
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(identity), str(tmp_path / "property.vnnlib"), "--results-file", str(results)])
    assert ended.value.code == code
    assert capsys.readouterr().out.split()[0] == word
    lines = results.read_text().split("\n")
    assert lines[0] == word
    if word == "sat":
        x, y = (float(line.strip("()").split()[1]) for line in lines[1:3])
        assert -1 <= x <= 1
        assert y >= 0.999
        assert y == x

"""Verification, worked by hand: a network whose range is known, through every verdict, and the command line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
import torch
from torch import nn

import reachbox as rb
from reachbox.cli import main
from reachbox.formats.vnnlib import parse_vnnlib
from reachbox.network import Network
from reachbox.network.files import save
from reachbox.verify import Verdict, verify
from reachbox.verify.judge import float32_inside, network_judge

HEAD = (
    "".join(f"(declare-const X_{i} Real)\n" for i in range(2)) + "(declare-const Y_0 Real)\n(declare-const Y_1 Real)\n"
)
BOX = "(assert (>= X_0 -1)) (assert (<= X_0 1)) (assert (>= X_1 -1)) (assert (<= X_1 1))\n"


def ramps() -> Network:
    """`Y_0 = |a| + |b|`, `Y_1 = |a| - |b|`: over the square the ranges are [0, 2] and [-1, 1]."""
    first, last = nn.Linear(2, 4, bias=False), nn.Linear(4, 2, bias=False)
    first.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    last.weight.data = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, -1.0, -1.0]])
    return Network.from_module(nn.Sequential(first, nn.ReLU(), last), torch.zeros(1, 2))


def wide(inputs: int, seed: int = 0, width: int = 40) -> Network:
    torch.manual_seed(seed)
    sizes = [inputs, width, width, 2]
    layers = [part for pair in pairwise(sizes) for part in (nn.Linear(*pair), nn.ReLU())]
    return Network.from_module(nn.Sequential(*layers[:-1]), torch.zeros(1, inputs))


@pytest.mark.parametrize(
    ("asserted", "verdict"),
    [
        ("(<= Y_0 -0.001)", "unsat"),
        ("(<= Y_0 0.001)", "sat"),
        ("(>= Y_0 1.999)", "sat"),
        ("(>= Y_0 2.001)", "unsat"),
        ("(>= Y_0 2)", "sat"),  # a corner, which float32 holds exactly
        ("(> Y_0 2)", "unknown"),  # the bound is attained and nothing lies beyond: rounding cannot tell
        ("(and (>= Y_0 1.5) (>= Y_1 0.6))", "unsat"),  # |a| >= 1.05 would be needed
        ("(and (>= Y_0 1.5) (>= Y_1 0.4))", "sat"),
        ("(or (<= Y_0 -1) (and (>= Y_0 1.5) (>= Y_1 0.6)) (>= Y_1 1.1))", "unsat"),
        ("(or (<= Y_0 -1) (and (>= Y_0 1.5) (>= Y_1 0.4)))", "sat"),
        ("(or)", "unsat"),
        ("(and)", "sat"),
    ],
)
def test_verdicts_of_a_known_range(asserted: str, verdict: str) -> None:
    specification = parse_vnnlib(HEAD + BOX + f"(assert {asserted})")
    found = verify(ramps(), specification)
    assert found.verdict == verdict
    assert (found.counterexample is not None) == (verdict == "sat")
    if found.counterexample is not None:
        x, y = found.counterexample.x, found.counterexample.y
        assert (np.abs(x) <= 1).all()
        assert any(disjunct.unsafe.contain(y) for disjunct in specification.disjuncts)
        assert (x == x.astype(np.float32)).all()


def test_disjuncts_with_boxes_of_their_own() -> None:
    box = "(assert (or (and (>= X_0 -1) (<= X_0 -0.5)) (and (>= X_0 0.25) (<= X_0 0.5)))) (assert (= X_1 0))"
    assert verify(ramps(), parse_vnnlib(HEAD + box + "(assert (<= Y_0 0.24))")).verdict is Verdict.UNSAT
    found = verify(ramps(), parse_vnnlib(HEAD + box + "(assert (<= Y_0 0.26))"))
    assert found.counterexample is not None
    assert 0.25 <= found.counterexample.x[0] <= 0.26
    assert found.counterexample.x[1] == 0


def test_a_counterexample_must_convince_the_judge() -> None:
    """The judge sees other outputs than the network has: what it does not confirm is not claimed."""
    specification = parse_vnnlib(HEAD + BOX + "(assert (>= Y_0 1.5))")
    refused = verify(ramps(), specification, judge=lambda x: np.zeros(2), timeout=1.0)
    assert refused.verdict in ("unknown", "timeout")
    assert refused.counterexample is None


def test_inputs_are_float32_where_their_interval_holds_one() -> None:
    lower, upper = np.array([0.1, 0.1, 1.0]), np.array([0.1, 0.2, 1.0])
    found = float32_inside(np.array([0.1, 0.1, 1.0]), lower, upper)
    assert found[0] == 0.1  # no float32 is 0.1
    assert found[1] == np.nextafter(np.float32(0.1), np.float32(1)) or found[1] == np.float32(0.1)
    assert ((found >= lower) & (found <= upper)).all()


def test_many_inputs_are_decided_by_bounds_and_attack() -> None:
    network = wide(30)
    head = (
        "".join(f"(declare-const X_{i} Real)" for i in range(30)) + "(declare-const Y_0 Real)(declare-const Y_1 Real)"
    )
    box = "".join(f"(assert (>= X_{i} -0.01))(assert (<= X_{i} 0.01))" for i in range(30))
    y = network_judge(network)(np.zeros(30))
    bounds = {"unsat": y[0] + 1, "sat": y[0] - 1e-3}
    for verdict, bound in bounds.items():
        found = verify(network, parse_vnnlib(f"{head}{box}(assert (>= Y_0 {bound}))"))
        assert found.verdict == verdict
    assert found.nodes == 0


def test_what_bounds_and_attack_leave_open_is_branched() -> None:
    network = wide(30, seed=1)
    head = (
        "".join(f"(declare-const X_{i} Real)" for i in range(30)) + "(declare-const Y_0 Real)(declare-const Y_1 Real)"
    )
    box = "".join(f"(assert (>= X_{i} -1))(assert (<= X_{i} 1))" for i in range(30))
    boxes = rb.Box(-torch.ones(1, 30), torch.ones(1, 30))
    least = rb.reach(network, boxes, "sampled").upper[0, 0].item()
    most = rb.reach(network, boxes, "alpha").upper[0, 0].item()
    found = verify(network, parse_vnnlib(f"{head}{box}(assert (>= Y_0 {0.2 * least + 0.8 * most}))"))
    assert found.verdict is Verdict.UNSAT
    assert found.nodes > 1


def test_operators_that_are_not_piecewise_linear() -> None:
    """They have bounds and an attack; what those leave open is unknown."""
    torch.manual_seed(0)
    layers = nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2)
    deep, boxes = Network.from_module(nn.Sequential(*layers), torch.zeros(1, 2)), rb.Box([[-1.0, -1.0]], [[1.0, 1.0]])
    least, most = (rb.reach(deep, boxes, method).upper[0, 0].item() for method in ("sampled", "alpha"))
    assert most - least > 1e-3
    between = parse_vnnlib(HEAD + BOX + f"(assert (>= Y_0 {(least + most) / 2}))")
    assert verify(deep, between).verdict is Verdict.UNKNOWN
    network = Network.from_module(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), torch.zeros(1, 2))
    assert verify(network, parse_vnnlib(HEAD + BOX + "(assert (>= Y_0 1.5))")).verdict is Verdict.UNSAT


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: verify(wide(3), parse_vnnlib(HEAD + BOX)), "it declares 2 inputs X_i, the network has 3"),
        (lambda: verify(ramps(), parse_vnnlib(HEAD + BOX + "(declare-const Y_2 Real)")), "3 outputs Y_i, the network"),
        (lambda: verify(ramps(), parse_vnnlib(HEAD + BOX), timeout=-1), "seconds from 0 on is needed, found -1"),
        (lambda: verify(ramps(), parse_vnnlib(HEAD + BOX), timeout=float("nan")), "found nan"),
    ],
)  # fmt: skip
def test_what_does_not_fit_says_so(call: Callable[[], object], message: str) -> None:
    with pytest.raises(rb.InputError, match=re.escape(message)):
        call()


@pytest.fixture
def instance(tmp_path: Path) -> Callable[[str], list[str]]:
    """Writes the known network and a specification; gives the arguments of the command line."""

    def written(asserted: str) -> list[str]:
        save(ramps(), tmp_path / "net.onnx")
        (tmp_path / "spec.vnnlib").write_text(HEAD + BOX + f"(assert {asserted})")
        return ["verify", str(tmp_path / "net.onnx"), str(tmp_path / "spec.vnnlib")]

    return written


def left(arguments: list[str]) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code


def test_the_words_of_the_competitions(
    instance: Callable[[str], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "out.txt"
    assert left([*instance("(<= Y_0 -1)"), "--results-file", str(results)]) == 0
    assert capsys.readouterr().out == results.read_text() == "unsat\n"
    assert left([*instance("(>= Y_0 1.9)"), "--results-file", str(results), "--timeout", "60"]) == 1
    text = results.read_text()
    assert capsys.readouterr().out == text
    number = r"-?[0-9.e-]+"
    assert re.fullmatch(rf"sat\n\(\(X_0 {number}\)\n\(X_1 {number}\)\n\(Y_0 {number}\)\n\(Y_1 {number}\)\)\n", text)
    assert left([*instance("(> Y_0 2)")]) == 3
    assert capsys.readouterr().out == "unknown\n"
    assert left([*instance("(<= Y_0 -1)"), "--timeout", "0"]) == 3
    assert capsys.readouterr().out == "timeout\n"


def test_json(instance: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert left([*instance("(>= Y_0 1.9)"), "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["verdict"] == "sat"
    assert sum(map(abs, record["counterexample"]["x"])) == pytest.approx(record["counterexample"]["y"][0], abs=1e-6)
    assert record["seconds"] > 0


def test_misuse_is_one_line(instance: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = instance("(<= Y_0 -1")
    assert left(arguments) == 2
    assert re.fullmatch(r"reachbox: .*spec\.vnnlib:6:1: '\(' is never closed\n", capsys.readouterr().err)
    assert left([*instance("(<= Y_0 -1)"), "--timeout", "-3"]) == 2
    assert "found -3" in capsys.readouterr().err
    assert left([*arguments[:2], arguments[2] + "x"]) == 2
    assert "no such file" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_ends_the_command_within_two_seconds(tmp_path: Path) -> None:
    """A search of hours: 11 inputs, a wide box, and a bound between what is attained and what is proven."""
    network = wide(11, width=80)
    save(network, tmp_path / "net.onnx")
    head = (
        "".join(f"(declare-const X_{i} Real)" for i in range(11)) + "(declare-const Y_0 Real)(declare-const Y_1 Real)"
    )
    box = "".join(f"(assert (>= X_{i} -3))(assert (<= X_{i} 3))" for i in range(11))
    boxes = rb.Box(torch.full((1, 11), -3.0), torch.full((1, 11), 3.0))
    bound = rb.reach(network, boxes, "sampled").upper[0, 0].item() * 1.15
    (tmp_path / "spec.vnnlib").write_text(f"{head}{box}(assert (>= Y_0 {bound}))")
    assert verify(network, rb.read_vnnlib(tmp_path / "spec.vnnlib"), timeout=1.0).verdict is Verdict.TIMEOUT
    command = [sys.executable, "-m", "reachbox", "verify", "net.onnx", "spec.vnnlib"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(12)
    started = perf_counter()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert perf_counter() - started < 2
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err

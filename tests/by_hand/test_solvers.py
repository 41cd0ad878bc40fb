"""`lp`, `milp` and `smt`: answers on paper, and solvers that are missing, slow, silent or wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import reachbox as rb
from reachbox.network.graph import Builder
from reachbox.network.operators import Linear, Relu
from reachbox.reach import Kind, Lp, Milp, Smt
from reachbox.reach.encoding import big_m, children
from reachbox.reach.encoding.linear import cost_of
from reachbox.reach.program import lower as lower_network
from reachbox.solvers import Child, Ended, Optimum, availability, child, highs
from reachbox.solvers.child import ChildEndedError
from reachbox.solvers.highs import Highs
from reachbox.solvers.problem import Floats, Gates, LinearProgram

UNIT_BOX = rb.Box([[-1.0]], [[1.0]])


def chain(*layers: tuple[list[list[float]], list[float]], slope: float = 0.0) -> rb.Network:
    """Linear layers with ReLU between them."""
    builder = Builder((len(layers[0][0][0]),))
    value = 0
    for number, (weight, bias) in enumerate(layers):
        layer = Linear(torch.tensor(weight, dtype=torch.float64), torch.tensor(bias, dtype=torch.float64))
        value = builder.add(f"linear{number}", layer, value)
        if number < len(layers) - 1:
            value = builder.add(f"relu{number}", Relu(slope), value)
    return builder.network(value)


# relu(x) - relu(x), its two units unknown to each other.
TWICE = chain(([[1.0], [1.0]], [0.0, 0.0]), ([[1.0, -1.0]], [0.0]))


def ends(out: rb.Reach) -> tuple[float, float]:
    return out.lower.item(), out.upper.item()


# Answers on paper


def test_the_triangle_is_exact_for_one_unit() -> None:
    network = chain(([[1.0]], [0.0]), ([[1.0]], [0.0]))
    assert ends(rb.reach(network, rb.Box([[-1.0]], [[3.0]]), "lp")) == pytest.approx((0.0, 3.0))


def test_the_triangle_does_not_see_that_two_units_are_the_same() -> None:
    # At x = 0 one unit may be at its chord, 1/2, and the other at 0.
    out = rb.reach(TWICE, UNIT_BOX, "lp")
    assert out.kind is Kind.SOUND
    assert ends(out) == pytest.approx((-0.5, 0.5))


def test_whole_switches_see_it() -> None:
    out = rb.reach(TWICE, UNIT_BOX, "milp")
    assert out.kind is Kind.EXACT
    assert ends(out) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert out.solved.all()


@pytest.mark.parametrize("method", ["lp", "milp"])
def test_the_minimum_between_two_units(method: str) -> None:
    # |x| = relu(x) + relu(-x) from 0 to 1: at x = 0 both lower pieces meet, and the chords add up to 1.
    network = chain(([[1.0], [-1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0]))
    assert ends(rb.reach(network, UNIT_BOX, method)) == pytest.approx((0.0, 1.0), abs=1e-6)


@pytest.mark.parametrize("method", ["lp", "milp"])
@pytest.mark.parametrize(("slope", "expected"), [(0.5, (-1.0, 2.0)), (-1.0, (0.0, 2.0)), (3.0, (-6.0, 2.0))])
def test_slopes_below_zero(method: str, slope: float, expected: tuple[float, float]) -> None:
    network = chain(([[1.0]], [0.0]), ([[1.0]], [0.0]), slope=slope)
    assert ends(rb.reach(network, rb.Box([[-2.0]], [[2.0]]), method)) == pytest.approx(expected, abs=1e-6)


def test_the_largest_of_two_inputs_has_its_attaining_points() -> None:
    class Largest(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.max_pool1d(x, 2) - x[..., :1]

    # max(a, b) - a over [0, 1] x [0, 2]: 0 where b <= a, 2 at (0, 2).
    out = rb.reach(Largest(), rb.Box([[[0.0, 0.0]]], [[[1.0, 2.0]]]), "milp")
    assert out.kind is Kind.EXACT
    assert ends(out) == pytest.approx((0.0, 2.0), abs=1e-6)
    assert out.attaining_upper is not None
    assert out.attaining_upper.flatten().tolist() == pytest.approx([0.0, 2.0], abs=1e-6)


def test_margins_are_objectives() -> None:
    network = chain(([[1.0]], [0.0]), ([[1.0], [1.0]], [0.0, 0.0]))
    out = rb.reach(network, UNIT_BOX, "milp", objective=[[1.0, -1.0], [1.0, 1.0]])
    assert out.lower[0].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    assert out.upper[0].tolist() == pytest.approx([0.0, 2.0], abs=1e-6)


# Limits


@pytest.mark.parametrize("method", [Lp(time_limit=0), Milp(time_limit=0)])
def test_without_time_the_other_methods_bounds_are_left(method: Lp | Milp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process is started"))
    out = rb.reach(TWICE, UNIT_BOX, method)
    assert (out.status == "timeout").all()  # type: ignore[union-attr]
    assert out.kind is Kind.SOUND
    assert ends(out) == pytest.approx((-0.5, 0.5))


@pytest.mark.parametrize("method", [Lp, Milp, Smt])
@pytest.mark.parametrize("limit", [-1.0, float("nan")])
def test_a_time_limit_is_no_negative_number(method: Callable[..., object], limit: float) -> None:
    with pytest.raises(rb.InputError, match="a time limit >= 0 seconds is needed"):
        method(time_limit=limit)


@pytest.mark.parametrize("method", [Milp, Smt])
def test_a_tolerance_is_no_negative_number(method: Callable[..., object]) -> None:
    with pytest.raises(rb.InputError, match="a tolerance >= 0 is needed"):
        method(tolerance=-1e-6)


def test_an_unknown_solver_is_refused() -> None:
    with pytest.raises(rb.InputError, match="highs or gurobi is allowed, found 'cplex'"):
        Milp(solver="cplex")  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "extra"), [(Smt(), "marabou"), (Milp(solver="gurobi"), "gurobi")])
def test_a_solver_that_is_missing_is_named_with_its_extra(
    method: Smt | Milp, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "find_spec", lambda _: None)
    with pytest.raises(rb.UnsupportedError, match=rf"not installed.*pip install 'reachbox\[{extra}\]'"):
        rb.reach(TWICE, UNIT_BOX, method)


@pytest.mark.parametrize("method", ["lp", "milp"])
def test_an_operator_that_bends_is_refused(method: str) -> None:
    with pytest.raises(rb.UnsupportedError, match="not piecewise linear"):
        rb.reach(nn.Sequential(nn.Linear(1, 1), nn.Tanh()), UNIT_BOX, method)


# Solvers that err


class Liar:
    """A solver in this process: HiGHS for linear programs and proofs, but claims `told` of whole switches."""

    told = Optimum(Ended.FAILED)

    def __init__(self, engine: str) -> None:
        self.engine: Highs | None = None

    def __enter__(self) -> Liar:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def load(self, problem: LinearProgram) -> None:
        self.engine = Highs(problem)

    def ask(self, question: str, *arguments: object, time_limit: float | None) -> object:
        limit = 100.0 if time_limit is None else time_limit
        return self.told if question == "optimum" else getattr(self.engine, question)(*arguments, limit)


@pytest.fixture
def lies(monkeypatch: pytest.MonkeyPatch) -> Callable[[Optimum], None]:
    """Makes the solver of `milp` say always the same."""

    def told(optimum: Optimum) -> None:
        monkeypatch.setattr(children, "Child", Liar)
        monkeypatch.setattr(Liar, "told", optimum)

    return told


@pytest.mark.parametrize("word", [Ended.INFEASIBLE, Ended.FAILED])
@pytest.mark.parametrize("verified", [True, False])
def test_infeasible_is_never_proved(lies: Callable[[Optimum], None], word: Ended, verified: bool) -> None:
    lies(Optimum(word))
    out = rb.reach(TWICE, UNIT_BOX, Milp(verified=verified))
    assert (out.status == str(word)).all()  # type: ignore[union-attr]
    assert out.kind is Kind.SOUND
    assert ends(out) == pytest.approx((-0.5, 0.5))
    assert not out.solved.any()


def test_a_bound_that_a_point_passes_is_not_reported(lies: Callable[[Optimum], None]) -> None:
    # The minimum of y and of -y is claimed to be 0.3, though x = 0 gives y = 0.
    lies(Optimum(Ended.SOLVED, 0.3, np.zeros(10)))
    out = rb.reach(TWICE, UNIT_BOX, Milp(verified=False))
    assert (out.status == "contradiction").all()  # type: ignore[union-attr]
    assert out.kind is Kind.SOUND
    assert ends(out) == pytest.approx((-0.5, 0.5))


@pytest.mark.parametrize("claim", [-0.3, 0.3])
def test_a_wrong_claim_does_not_survive_the_proof(lies: Callable[[Optimum], None], claim: float) -> None:
    network = chain(([[1.0], [-1.0]], [0.5, 0.25]), ([[1.0, 1.0]], [0.0]))
    truth = rb.reach(network, UNIT_BOX, "exact")
    lies(Optimum(Ended.SOLVED, claim, None))
    out = rb.reach(network, UNIT_BOX, Milp())
    assert truth.inner_lower is not None
    assert truth.inner_upper is not None
    assert (out.lower <= truth.inner_lower).all()
    assert (truth.inner_upper <= out.upper).all()
    solved = torch.from_numpy(out.solved)
    assert (~solved[..., 0] | (truth.lower - out.lower < 1e-6)).all()
    assert (~solved[..., 1] | (out.upper - truth.upper < 1e-6)).all()


def test_an_infeasible_claim_is_asked_again_without_presolving(monkeypatch: pytest.MonkeyPatch) -> None:
    solve, presolved = highs._run, []

    def claims_once(solver: Any, time_limit: float) -> Ended:
        presolved.append(solver.getOptionValue("presolve")[1])
        return Ended.INFEASIBLE if len(presolved) == 1 else solve(solver, time_limit)

    monkeypatch.setattr(highs, "_run", claims_once)
    program = lower_network(TWICE)
    problem = big_m(program, np.array([-1.0, -1.0, -1.0, -0.5]), np.array([1.0, 1.0, 1.0, 0.5]))
    found = Highs(problem).optimum(cost_of(np.array([-1.0]), problem), 100.0)
    assert found.ended == Ended.SOLVED
    assert found.bound == pytest.approx(0.0, abs=1e-9)
    assert presolved == ["choose", "off"]


# Processes

READY = "import pickle, sys, time; pickle.dump('ready', sys.stdout.buffer); sys.stdout.buffer.flush(); "


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def hanging(monkeypatch: pytest.MonkeyPatch, after: str) -> Child:
    """A child that does not answer."""
    monkeypatch.setattr(child, "START", READY + after)
    return Child("highs")


def test_a_solver_that_does_not_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    with hanging(monkeypatch, "time.sleep(100)") as asked:
        asked.load(None)
        start = time.monotonic()
        with pytest.raises(ChildEndedError) as ended:
            asked.ask("optimum", time_limit=0.2)
        assert ended.value.ended == Ended.TIMEOUT
        assert time.monotonic() - start < 5
        assert asked.process is None


def test_a_solver_that_falls_over_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with hanging(monkeypatch, "sys.exit(3)") as asked:
        asked.load(None)
        with pytest.raises(ChildEndedError) as ended:
            asked.ask("optimum", time_limit=60)
        assert ended.value.ended == Ended.FAILED


def test_a_solver_starts_again_after_it_was_ended() -> None:
    none = np.zeros(0, dtype=np.int64)
    problem = LinearProgram(
        np.array([0, 2], dtype=np.int32), np.array([0, 1], dtype=np.int32), np.ones(2), np.array([1.0]),
        np.array([np.inf]), np.zeros(2), np.ones(2), Gates(none, none, none, np.zeros(0)), 0,
    )  # fmt: skip
    cost: Floats = np.array([1.0, 2.0])
    with Child("highs") as asked:
        asked.load(problem)
        first = asked.ask("relaxation", cost, time_limit=None)
        asked.end()
        second = asked.ask("relaxation", cost, time_limit=None)
        process = asked.process
    assert first.bound == second.bound == pytest.approx(1.0)
    assert process is not None
    assert process.poll() is not None


HARD = """
import torch, reachbox as rb
torch.manual_seed(0)
sizes = [60, 60, 60, 2]
layers = [part for a, b in zip(sizes, sizes[1:]) for part in (torch.nn.Linear(a, b), torch.nn.ReLU())]
module = torch.nn.Sequential(*layers[:-1])
print("begun", flush=True)
try:
    rb.reach(module, rb.Box.around(torch.zeros(1, 60), 1.0), "milp")
except KeyboardInterrupt:
    print("ended", flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's list of children")
def test_ctrl_c_ends_the_solver_within_two_seconds() -> None:
    with subprocess.Popen([sys.executable, "-c", HARD], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        running = waited_for(process.pid)
        time.sleep(0.5)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"ended\n"
        assert time.monotonic() - start < 2
        assert running
        assert not any(is_alive(number) for number in running)


def waited_for(parent: int) -> list[int]:
    """The children of a process as soon as there are any."""
    for _ in range(600):
        threads = Path(f"/proc/{parent}/task").iterdir()
        found = [int(word) for thread in threads for word in (thread / "children").read_text().split()]
        if found:
            return found
        time.sleep(0.1)
    return []

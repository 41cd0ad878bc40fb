"""`reachbox landscape`: what each command prints and writes, what it refuses, and the exit code."""

from __future__ import annotations

import csv
import json
import pickle
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from reachbox import Box, Network, save, sensitivity
from reachbox.cli import main
from reachbox.data import load
from reachbox.landscape import loss_of_network
from reachbox.sensitivity import summarise

PLANE = "a,b,kind\n" + "".join(
    f"{x},{y},{'in' if x * x + y * y < 2 else 'out'}\n" for x in (-2, -1, 0, 1, 2) for y in (-2, -1, 0, 1, 2)
)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process, in a folder that holds `plane.csv`; gives exit code, output and error."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plane.csv").write_text(PLANE)

    def ran(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["landscape", *map(str, arguments)])
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    return ran


EXPLORE = ("explore", "--data", "plane.csv", "--label", "kind", "--network", "mlp:4", "--l2", "0.003")


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        (("--activation", "tanh"), "smooth"),
        (("--width", "0.1"), "smoothed"),
        (("--mode", "paper"), "paper"),
    ],
)
def test_an_exploration_stops_at_its_goal_and_goes_on(run: Run, options: tuple[str, ...], mode: str) -> None:
    code, out, err = run(*EXPLORE, *options, "--minima", 2, "--database", "plane.db", "--json")
    record: dict[str, Any] = json.loads(out)
    assert (code, err, record["about"]["mode"]) == (0, "", mode)
    assert len(record["minima"]) >= 2
    energies = [minimum["energy"] for minimum in record["minima"]]
    assert energies == sorted(energies)
    assert all(minimum["rms"] <= record["about"]["rms"] for minimum in record["minima"])
    assert ("negative" in record["minima"][0]) == (mode != "paper")
    jobs = sum(effort["jobs"] for effort in record["effort"])
    code, out, _ = run(*EXPLORE, *options, "--minima", 2, "--database", "plane.db", "--json")
    again = json.loads(out)
    assert (code, sum(effort["jobs"] for effort in again["effort"])) == (0, jobs)  # nothing was left to do
    code, out, _ = run(*EXPLORE, *options, "--minutes", 0.001, "--database", "plane.db", "--json")
    more = json.loads(out)
    assert (code, sum(effort["jobs"] for effort in more["effort"])) >= (0, jobs + 1)


def test_what_is_there_is_shown_drawn_and_exported(run: Run, tmp_path: Path) -> None:
    code, _, _ = run(*EXPLORE, "--activation", "tanh", "--minima", 3, "--states", 2, "--database", "plane.db")
    assert code == 0
    code, out, err = run("show", "plane.db", "--out", "pictures")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert "transition states" in out
    assert "climb_from_minima" in out
    page = (tmp_path / "pictures" / "index.html").read_text()
    assert page.count('role="img"') == 8  # four figures, wide and narrow
    names = {"minima", "network", "energies", "progress"}
    assert {path.stem for path in (tmp_path / "pictures").glob("*.svg")} == names
    code, _, err = run("export", "plane.db", "--format", "csv,graphml,pele", "--out", "files")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader((tmp_path / "files" / "minima.csv").read_text().splitlines()))
    with sqlite3.connect(tmp_path / "files" / "pele.sqlite") as connection:
        stored = connection.execute("SELECT energy, coords FROM tbl_minima ORDER BY energy").fetchall()
        states = connection.execute("SELECT COUNT(*) FROM tbl_transition_states").fetchone()[0]
    assert [float(row["energy"]) for row in rows] == [energy for energy, _ in stored]
    assert pickle.loads(stored[0][1]).shape == (22,)  # 4 (2 + 1) weights in, 2 (4 + 1) out
    assert states >= 2


def test_minutes_that_run_out_are_an_exit_code(run: Run) -> None:
    code, out, _ = run(*EXPLORE, "--minima", 10_000, "--minutes", 0.001, "--database", "plane.db")
    assert code == 3
    assert "minima" in out


def test_one_line_says_what_is_wrong(run: Run, tmp_path: Path) -> None:
    run(*EXPLORE, "--activation", "tanh", "--minima", 1, "--database", "plane.db")
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE something (x)")
    cases: list[tuple[tuple[object, ...], str]] = [
        ((*EXPLORE, "--minima", 1, "--database", "plane.db"), "its activation is"),
        ((*EXPLORE, "--database", "new.db"), "say when to stop"),
        ((*EXPLORE, "--minima", 1, "--mode", "rough", "--database", "new.db"), "smooth, smoothed, paper are allowed"),
        ((*EXPLORE, "--minima", 1, "--activation", "sine", "--database", "new.db"), "relu, tanh, softplus are allowed"),
        ((*EXPLORE, "--minima", 1, "--mode", "paper", "--width", 1, "--database", "new.db"), "smoothed mode"),
        ((*EXPLORE, "--minutes", -1, "--database", "new.db"), "minutes: must be positive"),
        ((*EXPLORE, "--minima", 1, "--l2", -1, "--database", "new.db"), "l2: must not be negative, found -1"),
        ((*EXPLORE, "--minima", 1, "--l2", 0, "--database", "new.db"), "l2: the smoothed mode needs one above 0"),
        ((*EXPLORE, "--minima", 1, "--free-biases", "--database", "new.db"), "that counts biases"),
        (("show", "none.db"), "none.db: no such file"),
        (("show", "plane.csv"), "not a landscape database"),
        (("show", "other.db"), "not a landscape database"),
        (("export", "plane.db", "--format", "xml", "--out", "files"), "csv, graphml, pele are allowed, found 'xml'"),
    ]
    for arguments, words in cases:
        code, out, err = run(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert words in err
    assert not (tmp_path / "new.db").exists()


@pytest.fixture
def studied(run: Run, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `reachbox study` beside `run`, on the same data."""

    def ran(file: object, *options: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["study", str(file), "--data", "plane.csv", "--label", "kind", *map(str, options)])
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    return ran


def test_a_study_sets_sensitivities_against_energies(run: Run, studied: Run, tmp_path: Path) -> None:
    run(*EXPLORE, "--width", 0.1, "--minima", 2, "--states", 1, "--minutes", 0.3, "--database", "plane.db")
    code, out, err = studied("plane.db", "--json", "--out", "study")
    record = json.loads(out)
    assert (code, err, record["boxes"]) == (0, "", "exact boxes")
    assert len(record["energy"]) == len(record["log10_geometric_mean"]) == len(record["id"]) >= 2
    assert record["energy"] == sorted(record["energy"])
    assert (tmp_path / "study" / "index.html").exists()
    code, out, err = studied("plane.db", "--standardise")
    assert (code, out) == (2, "")
    assert "was explored on other samples than plane" in err
    code, out, err = studied("plane.db", "--minima", 3)
    assert (code, out) == (2, "")
    assert "is explored already" in err


def test_networks_without_exact_boxes_are_studied_by_dual_bounds(
    run: Run, studied: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = "nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 2))"
    (tmp_path / "mine.py").write_text(f"from torch import nn\n\n\ndef made():\n    return {made}\n")
    monkeypatch.syspath_prepend(tmp_path)
    explored = {"tanh.db": ("--activation", "tanh"), "mine.db": ("--network", "mine:made")}
    for file, options in explored.items():
        run(*EXPLORE, *options, "--minima", 2, "--minutes", 0.3, "--database", file)
        code, out, err = studied(file, "--json")
        record = json.loads(out)
        assert (code, err, record["boxes"]) == (0, "", "boxes by dual bounds")
        assert all(volume > -20 for volume in record["log10_geometric_mean"])
    run(*EXPLORE, "--activation", "softplus", "--minima", 1, "--database", "softplus.db")
    code, out, err = studied("softplus.db")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "softplus" in err.lower()


@pytest.mark.parametrize("standardised", [False, True])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_a_network_is_set_beside_the_minima_of_its_own_loss(
    studied: Run, tmp_path: Path, standardised: bool, activation: type[nn.Module]
) -> None:
    torch.manual_seed(0)
    shift: list[nn.Module] = [nn.BatchNorm1d(2)] if standardised else []
    model = nn.Sequential(nn.Flatten(), *shift, nn.Linear(2, 4), activation(), nn.Linear(4, 2)).eval()
    for module in shift:
        module.running_mean.copy_(torch.tensor([0.5, -0.5]))
        module.running_var.fill_(4.0)
    save(Network.from_module(model, torch.zeros(1, 2)), tmp_path / "model.safetensors")
    options = ("--l2", 0.003, "--minima", 2, "--sigma", 0.05)
    code, out, err = studied("model.safetensors", *options, "--out", "study", "--json")
    assert (code, err) == (0, "")
    record = json.loads(out)
    plane = load("plane.csv", label="kind")
    x, y = plane.x_train.double(), plane.y_train
    linear = [module for module in model if isinstance(module, nn.Linear)]
    with torch.no_grad():
        weights = sum(parameter.square().sum() for module in linear for parameter in module.parameters())
        loss = float(nn.functional.cross_entropy(model.double()(x), y) + 0.003 * weights)
    assert record["model"]["energy"] == pytest.approx(loss, rel=1e-5)
    assert min(record["energy"]) < loss
    method = "exact" if activation is nn.ReLU else "dual"
    boxes = Box.around(x, plane.radius(sigma=0.05))
    expected = summarise(sensitivity(model, boxes, method)).log10_geometric_mean
    assert record["model"]["log10_geometric_mean"] == pytest.approx(expected, abs=1e-6)
    assert (tmp_path / "study" / "landscape.db").exists()
    code, out, _ = studied("model.safetensors", *options, "--database", "study/landscape.db", "--json")
    again = json.loads(out)
    assert (code, again["energy"]) == (0, record["energy"])  # it goes on with what is there


def test_batch_norm_is_multiplied_into_the_layer_before_it() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(2, 4, bias=False), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3)).double()
    model(torch.randn(50, 2, dtype=torch.float64))
    model.eval()
    x = torch.randn(10, 2, dtype=torch.float64)
    own = loss_of_network(Network.from_module(model, x), x, torch.arange(10) % 3)
    logits = own.energy.logits(own.point[None])[0].T
    assert logits == pytest.approx(model(x).detach().numpy(), abs=1e-12)


def test_what_cannot_be_studied_is_refused_in_one_line(studied: Run, tmp_path: Path) -> None:
    perceptron = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))
    save(Network.from_module(perceptron, torch.zeros(1, 2)), tmp_path / "model.onnx")
    sigmoid = nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 2))
    save(Network.from_module(sigmoid, torch.zeros(1, 2)), tmp_path / "sigmoid.onnx")
    wide = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    save(Network.from_module(wide, torch.zeros(1, 3)), tmp_path / "wide.onnx")
    cases = {
        ("model.onnx",): "needs a place",
        ("sigmoid.onnx", "--out", "study"): "found Linear, Sigmoid, Linear",
        ("wide.onnx", "--out", "study"): "the network takes (3,)",
        ("none.onnx", "--out", "study"): "none.onnx",
        ("plane.csv", "--out", "study"): "suffix '.csv' is unknown",
        ("model.onnx", "--l2", "-1", "--out", "study"): "l2: must not be negative, found -1",
        ("model.onnx", "--l2", "0", "--out", "study"): "l2: the smoothed mode needs one above 0",
        ("model.onnx", "--sigma", "-1", "--out", "study"): "sigma: must not be negative",
        ("model.onnx", "--minutes", "-1", "--out", "study"): "minutes: must be positive",
    }
    for arguments, words in cases.items():
        code, out, err = studied(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert words in err
    assert not (tmp_path / "study").exists()

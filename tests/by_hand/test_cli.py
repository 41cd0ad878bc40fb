"""The command line, worked by hand: what each command prints, and the exit code that a script reads."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from math import log
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn

import reachbox
from reachbox.cli import main
from reachbox.cli.tables import facts
from reachbox.network import Network
from reachbox.network.files import save
from reachbox.reach import METHODS
from reachbox.training import OBJECTIVES

# The networks of these tests. LINEAR sends (a, b) to (a - 2 b + 1, 3 b).
LINEAR = ([[1.0, -2.0], [0.0, 3.0]], [1.0, 0.0])
IDENTITY = ([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])

POINTS = "a,b,kind\n1,0,first\n0,1,second\n0.6,0.5,first\n"


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def record(self) -> dict[str, Any]:
        """The JSON object on standard output."""
        assert (self.err, self.code in (0, 1, 3)) == ("", True), self.err
        read: dict[str, Any] = json.loads(self.out)
        return read


Run: TypeAlias = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process, as the entry point does."""

    def ran(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return Ran(int(left.value.code or 0), told.out, told.err)

    return ran


def in_a_shell(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command in a process of its own."""
    command = [sys.executable, "-m", "reachbox", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, **options)


def affine(weights: tuple[list[list[float]], list[float]]) -> nn.Linear:
    matrix, shift = (torch.tensor(part, dtype=torch.float64) for part in weights)
    layer = nn.Linear(matrix.shape[1], matrix.shape[0]).double()
    layer.load_state_dict({"weight": matrix, "bias": shift})
    return layer


def written(module: nn.Module, features: int, path: Path) -> Path:
    save(Network.from_module(module, torch.zeros(1, features).double()), path)
    return path


@pytest.fixture(params=["net.onnx", "net.safetensors"])
def linear(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """LINEAR in each kind of file."""
    return written(affine(LINEAR), 2, tmp_path / request.param)


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    return written(affine(IDENTITY), 2, tmp_path / "identity.safetensors")


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """Three points; both features range over 1."""
    path = tmp_path / "points.csv"
    path.write_text(POINTS)
    return path


def arrays(path: Path, **values: object) -> Path:
    np.savez(path, **{name: np.asarray(value, dtype=np.float64) for name, value in values.items()})
    return path


# bound


def test_bound_of_a_linear_map(run: Run, linear: Path, tmp_path: Path) -> None:
    samples = arrays(tmp_path / "x.npz", x=[[1, 1], [0, 0]])
    found = run("bound", linear, "--input", samples, "--eps", 0.5, "--json").record
    assert found["lower"] == [[-1.5, 1.5], [-0.5, -1.5]]
    assert found["upper"] == [[1.5, 4.5], [2.5, 1.5]]
    assert found["volume"] == pytest.approx([9, 9])
    assert found["log_volume"] == pytest.approx([log(9)] * 2)
    assert found["status"] == [[["solved", "solved"]] * 2] * 2
    assert (found["method"], found["kind"], found["dtype"]) == ("dual", "sound", "float64")
    assert found["radius"] == "eps 0.5 for every feature"
    assert found["model"] == str(linear)
    assert found["versions"]["reachbox"] == reachbox.__version__


@pytest.mark.parametrize(
    ("method", "lower"), [("interval", 0.0), ("dual", -0.5), ("crown", 0.0), ("alpha", 0.0), ("sampled", 0.0)]
)
def test_bound_of_a_relu_by_every_method(run: Run, tmp_path: Path, method: str, lower: float) -> None:
    model = written(nn.Sequential(affine(([[1.0]], [0.0])), nn.ReLU()), 1, tmp_path / "relu.onnx")
    samples = arrays(tmp_path / "x.npz", x=[[0]], eps=1)
    found = run("bound", model, "--input", samples, "--method", method, "--json").record
    assert found["lower"] == [[pytest.approx(lower, abs=1e-12)]]
    assert found["upper"] == [[pytest.approx(1)]]
    assert found["kind"] == ("estimate" if method == "sampled" else "sound")
    assert ("attaining_upper" in found) == (method == "sampled")
    assert found["radius"] == "eps of the file"


def test_options_of_a_method_are_typed(run: Run, tmp_path: Path) -> None:
    """Cut with the interval bounds, the dual box of a ReLU is exact."""
    model = written(nn.Sequential(affine(([[1.0]], [0.0])), nn.ReLU()), 1, tmp_path / "relu.onnx")
    command = ("bound", model, "--input", arrays(tmp_path / "x.npz", x=[[0]], eps=1), "--json")
    assert run(*command, "--option", "intersect=true").record["lower"] == [[0]]
    assert run(*command, "--option", "intersect=false").record["lower"] == [[-0.5]]


def test_bound_takes_whole_boxes(run: Run, identity: Path, tmp_path: Path) -> None:
    boxes = arrays(tmp_path / "boxes.npz", lower=[[0, 1]], upper=[[2, 1]])
    found = run("bound", identity, "--input", boxes, "--json").record
    assert (found["lower"], found["upper"]) == ([[0, 1]], [[2, 1]])
    assert found["log_volume"] == ["-inf"]
    assert found["volume"] == [0]


def test_one_radius_for_each_feature_and_clipping(run: Run, identity: Path, tmp_path: Path) -> None:
    samples = arrays(tmp_path / "x.npz", x=[[0.5, 1]])
    found = run("bound", identity, "--input", samples, "--eps", "0.25,0.5", "--within", "0,1", "--json").record
    assert (found["lower"], found["upper"]) == ([[0.25, 0.5]], [[0.75, 1]])
    assert found["radius"] == "eps 0.25 to 0.5, one per feature, within 0 to 1"


def test_sigma_is_a_share_of_each_features_range(run: Run, linear: Path, points: Path) -> None:
    data = ("--data", points, "--label", "kind", "--split", 0)
    found = run("bound", linear, *data, "--sigma", 0.5, "--samples", 2, "--json").record
    assert found["lower"] == [[0.5, -1.5], [-2.5, 1.5]]
    assert found["radius"] == "sigma 0.5 of each feature's range"
    assert found["class_names"] == ["first", "second"]
    assert found["data"] == "points.csv, the first 2 of 3 test samples"


def test_the_input_gives_the_samples_and_the_data_the_ranges(
    run: Run, identity: Path, points: Path, tmp_path: Path
) -> None:
    samples = arrays(tmp_path / "x.npz", x=[[7, 7]])
    data = ("--data", points, "--label", "kind", "--split", 0)
    found = run("bound", identity, "--input", samples, *data, "--sigma", 0.5, "--json").record
    assert (found["lower"], found["upper"]) == ([[6.5, 6.5]], [[7.5, 7.5]])


def test_a_csv_of_samples_has_its_columns_in_the_order_of_the_data(
    run: Run, identity: Path, points: Path, tmp_path: Path
) -> None:
    names = reachbox.data.load(points, label="kind").feature_names  # type: ignore[attr-defined]
    samples = tmp_path / "x.csv"
    data = ("--data", points, "--label", "kind", "--split", 0, "--sigma", 0.5)
    samples.write_text(",".join(names) + "\n7,8\n")
    assert run("bound", identity, "--input", samples, "--eps", 1, "--json").record["lower"] == [[6, 7]]
    assert run("bound", identity, "--input", samples, *data, "--json").record["lower"] == [[6.5, 7.5]]
    samples.write_text(",".join(reversed(names)) + "\n7,8\n")
    ran = run("bound", identity, "--input", samples, *data)
    assert ran.code == 2
    assert f"column 1 is {names[1]!r}, but {names[0]!r} in points.csv" in ran.err


def test_bound_of_a_data_set_takes_the_first_sample_alone(run: Run, identity: Path, points: Path) -> None:
    data = ("--data", points, "--label", "kind", "--split", 0, "--eps", 0.1)
    assert run("bound", identity, *data, "--json").record["lower"] == [pytest.approx([0.9, -0.1])]


def test_flat_networks_take_images_row_by_row(run: Run, tmp_path: Path) -> None:
    model = written(nn.Flatten(), 64, tmp_path / "flat.onnx")
    found = run("bound", model, "--data", "digits", "--eps", 0, "--json").record
    first = reachbox.data.load("digits").x_test[0]  # type: ignore[attr-defined]
    assert found["lower"] == [first.flatten().tolist()]


def test_bounds_as_a_person_reads_them(run: Run, linear: Path, points: Path) -> None:
    ran = run("bound", linear, "--data", points, "--label", "kind", "--split", 0, "--sigma", 0.5)
    lines = [line.rstrip() for line in ran.out.splitlines()]
    assert lines[-4:] == [
        "sample   output      lower     upper       width",
        "0        first     0.50000   3.50000     3.00000",
        "         second   -1.50000   1.50000     3.00000",
        "         volume                        9.000e+00",
    ]
    assert "the first of 3 test samples" in ran.out
    assert max(len(line) for line in lines if str(linear) not in line) <= 80


def test_proven_bounds_are_rounded_outward_where_they_are_shown(run: Run, identity: Path, tmp_path: Path) -> None:
    boxes = arrays(tmp_path / "boxes.npz", lower=[[1 / 3, 2 / 3]], upper=[[2 / 3, 2 / 3]])
    out = run("bound", identity, "--input", boxes).out
    assert re.search(r"0\.333333 +0\.666667 +0\.333334", out)
    assert re.search(r"0\.666666 +0\.666667 +0\.000000", out)


# sensitivity


def test_sensitivity_of_a_linear_map_is_the_same_everywhere(run: Run, linear: Path, points: Path) -> None:
    data = ("--data", points, "--label", "kind", "--split", 0)
    found = run("sensitivity", linear, *data, "--sigma", 0.5, "--json").record
    assert found["samples"] == 3
    assert found["volume"] == pytest.approx([9, 9, 9])
    assert [found[name] for name in ("mean", "median", "geometric_mean")] == pytest.approx([9, 9, 9])
    assert found["log_mean"] == pytest.approx(log(9))
    assert found["solved"] == [True] * 3
    shown = run("sensitivity", linear, *data, "--sigma", 0.5).out
    assert re.search(r"mean \(SENSE\) +9\.000e\+00", shown)


def test_a_mean_is_owned_by_the_largest(run: Run, identity: Path, tmp_path: Path) -> None:
    boxes = arrays(tmp_path / "boxes.npz", lower=[[0, 0]] * 4, upper=[[1, 1], [1, 0], [1, 100], [2, 2]])
    found = run("sensitivity", identity, "--input", boxes, "--json").record
    assert found["volume"] == pytest.approx([1, 0, 100, 4])
    assert found["mean"] == pytest.approx(105 / 4)
    assert found["median"] == pytest.approx(2.5)
    assert found["geometric_mean"] == pytest.approx(400 ** (1 / 3))
    assert found["positive_share"] == 0.75
    shown = run("sensitivity", identity, "--input", boxes).out
    assert "of the 75.0 % of samples with positive volume" in shown
    assert re.search(r"largest +1\.000e\+02  sample 2", shown)


# certify


CERTIFY = ("--label", "kind", "--split", 0)


def test_certify_counts_what_is_proven(run: Run, identity: Path, points: Path) -> None:
    # The margins of the three points are 1, 1 and 0.1; a radius of 0.2 takes 0.4 of each.
    ran = run("certify", identity, "--data", points, *CERTIFY, "--eps", 0.2, "--json")
    found = ran.record
    assert ran.code == 1
    assert found["certified"] == [True, True, False]
    assert (found["certified_samples"], found["samples"]) == (2, 3)
    assert found["robust_error"] == pytest.approx(1 / 3)
    assert found["error"] == 0
    assert found["predicted"] == found["labels"] == [0, 1, 0]
    assert found["margin"][2] == pytest.approx([0, -0.3])


def test_certify_leaves_with_zero_where_all_is_proven(run: Run, identity: Path, points: Path) -> None:
    ran = run("certify", identity, "--data", points, *CERTIFY, "--eps", 0.04, "--json")
    assert (ran.code, ran.record["robust_error"]) == (0, 0)


def test_an_attack_tells_what_is_broken(run: Run, identity: Path, points: Path) -> None:
    ran = run("certify", identity, "--data", points, *CERTIFY, "--eps", 0.2, "--attack", "--json")
    assert ran.record["attacked"] == [False, False, True]
    shown = run("certify", identity, "--data", points, *CERTIFY, "--eps", 0.2, "--attack").out
    assert re.search(r"a counterexample is known +1 +33\.3 %", shown)
    assert re.search(r"open: neither proven nor broken +0 +0\.0 %", shown)
    assert re.search(r"2 +first +second +-0\.30000", shown)


def test_clipping_does_not_move_the_sample(run: Run, tmp_path: Path) -> None:
    """At (0.5, 0.4) the identity is right; the centre of its clipped box, (0.25, 0.4), would be wrong."""
    path = tmp_path / "one.csv"
    path.write_text("a,b,kind\n0.5,0.4,first\n0,0.5,second\n")
    model = written(affine(IDENTITY), 2, tmp_path / "net.onnx")
    ran = run("certify", model, "--data", path, *CERTIFY, "--eps", "1,0", "--within", "0,0.5", "--json")
    assert ran.record["correct"] == [True, True]


# train, evaluate, reproduce


def test_train_then_evaluate(run: Run, points: Path, tmp_path: Path) -> None:
    rows = "".join(f"{i / 10},{1 - i / 10},{'low' if i < 5 else 'high'}\n" for i in range(10))
    points.write_text(f"a,b,kind\n{rows}")
    data = ("--data", points, "--label", "kind", "--split", 0)
    command = ("train", *data, "--network", "mlp:4", "--objective", "sensitivity", "--weight", 0.01, "--sigma", 0.05)
    folder = tmp_path / "run"
    trained = run(*command, "--epochs", 2, "--batch-size", 5, "--out", folder, "--json").record
    assert [row["epoch"] for row in trained["history"]] == [0, 1, 2]
    assert trained["radius"] == "sigma 0.05 of each feature's range"
    last = trained["history"][-1]
    found = run("evaluate", folder / "network.safetensors", *data, "--sigma", 0.05, "--json").record["metrics"]
    for name in ("CE", "ERR", "SENSE", "ADV_ERR"):
        assert found[name] == pytest.approx(last[f"test_{name}"], rel=1e-12)
    assert found["ERR"] <= found["PGD_ERR"] <= found["ADV_ERR"]
    shown = run(*command, "--epochs", 3, "--batch-size", 5, "--out", folder).out
    assert re.search(r"^ +3 ", shown, flags=re.MULTILINE), "the run goes on to a third epoch"
    assert max(len(line) for line in shown.splitlines() if str(folder) not in line) <= 80


def test_a_run_of_another_objective_is_not_continued(run: Run, points: Path, tmp_path: Path) -> None:
    command = ("train", "--data", points, "--label", "kind", "--split", 0, "--network", "mlp:4", "--epochs", 1)
    assert run(*command, "--out", tmp_path / "run").code == 0
    ran = run(*command, "--l2", 0.5, "--out", tmp_path / "run")
    assert (ran.code, ran.out) == (2, "")
    assert "the folder holds another run: objective.l2" in ran.err


def test_reproduce_writes_the_report(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is made elsewhere; here is what the command hands over and gives back."""
    given: dict[str, object] = {}

    def reproduce(
        names: list[str],
        folder: Path,
        *,
        quick: bool,
        seed: int,
        seeds: int | None,
        data_dir: Path | None,
        device: str,
        as_is: bool,
        workers: int,
        progress: Callable[[str, float], None],
    ) -> Path:
        progress("training", 0.5)
        given.update(names=names, folder=folder, quick=quick, seed=seed, seeds=seeds, workers=workers)
        given.update(device=device, as_is=as_is)
        return folder / "index.html"

    monkeypatch.setattr("reachbox.studies.chapters.reproduce", reproduce)
    found = run(
        "reproduce", "boxes", "--quick", "--out", tmp_path, "--seed", 3, "--seeds", 5, "--workers", 2, "--json"
    ).record
    assert given == {
        "names": ["boxes"],
        "folder": tmp_path,
        "quick": True,
        "seed": 3,
        "seeds": 5,
        "workers": 2,
        "device": "cpu",
        "as_is": False,
    }
    assert found["report"] == str(tmp_path / "index.html")
    assert "index.html" in run("reproduce", "--quick", "--out", tmp_path).out


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_path_is_never_broken(tmp_path: Path, is_terminal: bool) -> None:
    """Words are, at 80 columns."""
    path, words = tmp_path / ("x" * 90) / "index.html", "word " * 30
    console = Console(file=StringIO(), force_terminal=is_terminal, width=80)
    console.print(facts({"report": path, "about": words, "files": [path, path]}), crop=False)
    assert isinstance(console.file, StringIO)
    lines = re.sub("\x1b.*?m", "", console.file.getvalue()).splitlines()
    assert sum(str(path) in line for line in lines) == 3
    assert len(lines) == 6
    assert max(len(line) for line in lines if "word" in line) <= 80


# What holds for every command


def test_out_writes_the_object_that_json_prints(run: Run, identity: Path, tmp_path: Path) -> None:
    samples, out = arrays(tmp_path / "x.npz", x=[[1, 1]]), tmp_path / "result.json"
    command = ("bound", identity, "--input", samples, "--eps", 0.1, "--out", out)
    printed = run(*command, "--json").out
    assert out.read_text() == printed
    assert "sample" in run(*command).out


def test_the_seed_decides_what_is_sampled(run: Run, tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)).double()
    model, samples = written(net, 2, tmp_path / "net.onnx"), arrays(tmp_path / "x.npz", x=[[0, 0]], eps=1)

    def attained(seed: int) -> object:
        command = ("bound", model, "--input", samples, "--method", "sampled", "--seed", seed, "--json")
        return run(*command).record["attaining_lower"]

    assert attained(1) == attained(1)


def test_float32_is_another_arithmetic(run: Run, identity: Path, tmp_path: Path) -> None:
    samples = arrays(tmp_path / "x.npz", x=[[0.1, 0.2]], eps=0)
    found = run("bound", identity, "--input", samples, "--dtype", "float32", "--json").record
    assert found["dtype"] == "float32"
    assert found["lower"] == [[float(np.float32(0.1)), float(np.float32(0.2))]]


def test_version_and_help(run: Run) -> None:
    assert run("--version").out == f"reachbox {reachbox.__version__}\n"
    overview = run()
    assert (overview.code, overview.err) == (0, "")
    for command in ("bound", "sensitivity", "certify", "train", "evaluate", "reproduce"):
        assert command in overview.out
        assert run(command, "--help").code == 0


def test_help_names_every_method_and_objective(run: Run) -> None:
    for command in ("bound", "sensitivity", "certify", "evaluate"):
        assert all(name in run(command, "--help").out for name in METHODS)
    assert all(name in run("train", "--help").out for name in OBJECTIVES)


def test_ctrl_c_is_quiet(run: Run, identity: Path, points: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("reachbox.network.files.load", interrupted)
    assert run("bound", identity, "--data", points, "--eps", 0.1) == Ran(130, "", "")


def test_a_fault_is_not_mistaken_for_an_answer(
    run: Run, identity: Path, points: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Path) -> None:
        raise ZeroDivisionError("somewhere")

    monkeypatch.setattr("reachbox.network.files.load", broken)
    ran = run("bound", identity, "--data", points, "--eps", 0.1)
    assert (ran.code, ran.out) == (70, "")
    assert "ZeroDivisionError: somewhere" in ran.err
    assert ran.err.splitlines()[-1].startswith("reachbox: this is a fault of reachbox")


def test_an_unsolved_side_leaves_with_three(
    run: Run, identity: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from reachbox.reach import Interval, Reach

    bound = Interval.bound

    def gives_up(self: Interval, *arguments: Any) -> Reach:
        return replace(bound(self, *arguments), status=np.full((1, 2, 2), "timeout"))

    monkeypatch.setattr(Interval, "bound", gives_up)
    samples = arrays(tmp_path / "x.npz", x=[[1, 1]], eps=1)
    ran = run("bound", identity, "--input", samples, "--method", "interval", "--json")
    assert ran.code == 3
    assert ran.record["status"] == [[["timeout"] * 2] * 2]
    assert ran.record["lower"] == [[0, 0]]


def same_twice() -> Network:
    """`relu(x) - relu(x) + 0.1` and 0: what only methods see that know both units to be the same."""
    first, last = nn.Linear(1, 2, bias=False), nn.Linear(2, 2)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0], [1.0]]))
        last.weight.copy_(torch.tensor([[1.0, -1.0], [0.0, 0.0]]))
        last.bias.copy_(torch.tensor([0.1, 0.0]))
    return Network.from_module(nn.Sequential(first, nn.ReLU(), last).double(), torch.zeros(1, 1).double())


def test_batches_are_exact_only_where_all_are(run: Run, tmp_path: Path) -> None:
    save(same_twice(), tmp_path / "twice.safetensors")
    wide_last = np.r_[np.zeros(100), 1.0][:, None]
    samples = arrays(tmp_path / "x.npz", x=np.zeros((101, 1)), eps=wide_last)
    bounds = ("bound", tmp_path / "twice.safetensors", "--input", samples, "--method", "exact", "--json")
    ran = run(*bounds, "--option", "engine=enumeration", "--option", "regions=1")
    assert (ran.code, ran.record["kind"], ran.record["status"][100][0]) == (3, "sound", ["overflow", "overflow"])
    ran = run(*bounds)
    assert (ran.code, ran.record["kind"], ran.record["engines"]) == (0, "exact", ["enumeration"])


def test_many_inputs_fall_to_branch_and_bound_and_the_result_says_so(run: Run, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(13, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    save(Network.from_module(module, torch.zeros(1, 13).double()), tmp_path / "many.safetensors")
    samples = arrays(tmp_path / "x.npz", x=np.zeros((1, 13)), eps=0.5)
    ran = run("bound", tmp_path / "many.safetensors", "--input", samples, "--method", "exact")
    assert ran.code == 0
    assert "exact by branching (exact)" in ran.out


@pytest.mark.parametrize("method", ["lp", "milp"])
def test_no_time_at_all_leaves_with_three_and_proven_bounds(run: Run, tmp_path: Path, method: str) -> None:
    save(same_twice(), tmp_path / "twice.safetensors")
    samples = arrays(tmp_path / "x.npz", x=[[0]], eps=1)
    bounds = ("bound", tmp_path / "twice.safetensors", "--input", samples, "--method", method, "--json")
    ran = run(*bounds, "--timeout", 0)
    assert (ran.code, ran.err) == (3, "")
    assert ran.record["status"][0][0] == ["timeout", "timeout"]
    assert ran.record["lower"][0][0] == pytest.approx(-0.4)
    assert ran.record["upper"][0][0] == pytest.approx(0.6)
    ran = run(*bounds)
    assert ran.code == 0
    assert ran.record["upper"][0][0] == pytest.approx(0.6 if method == "lp" else 0.1, abs=1e-6)


def test_certify_tells_want_of_time_from_failure(run: Run, tmp_path: Path) -> None:
    save(same_twice(), tmp_path / "twice.safetensors")
    (tmp_path / "data.csv").write_text("a,kind\n0,first\n2,second\n")
    data = ("--data", tmp_path / "data.csv", *CERTIFY, "--eps", 1, "--method", "milp", "--json")
    certify = ("certify", tmp_path / "twice.safetensors", *data, "--samples", 1)
    ran = run(*certify)
    assert (ran.code, ran.record["certified"], ran.record["solved"]) == (0, [True], [True])
    ran = run(*certify, "--timeout", 0)
    assert (ran.code, ran.record["certified"], ran.record["solved"]) == (3, [False], [False])
    # The second sample is misclassified as it is, whatever time there is.
    assert run("certify", tmp_path / "twice.safetensors", *data, "--timeout", 0).code == 1


@pytest.mark.parametrize(
    ("method", "extra"), [(("smt",), "marabou"), (("milp", "--option", "solver=gurobi"), "gurobi")]
)
def test_a_missing_solver_is_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: tuple[str, ...], extra: str
) -> None:
    monkeypatch.setattr("reachbox.solvers.availability.find_spec", lambda _: None)
    save(same_twice(), tmp_path / "twice.safetensors")
    samples = arrays(tmp_path / "x.npz", x=[[0]], eps=1)
    ran = run("bound", tmp_path / "twice.safetensors", "--input", samples, "--method", *method)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert f"pip install 'reachbox[{extra}]'" in ran.err


def test_a_reader_that_leaves_is_no_error(identity: Path, tmp_path: Path) -> None:
    samples = arrays(tmp_path / "x.npz", x=np.zeros((2000, 2)), eps=1)
    command = [sys.executable, "-m", "reachbox", "bound", str(identity), "--input", str(samples), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_progress_goes_to_a_terminal_and_never_into_the_result(identity: Path, tmp_path: Path) -> None:
    samples = arrays(tmp_path / "x.npz", x=[[1, 1]], eps=1)
    command = [sys.executable, "-m", "reachbox", "bound", str(identity), "--input", str(samples), "--json"]
    terminal, other_end = os.openpty()
    environment = os.environ | {"TERM": "xterm"}
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=other_end, env=environment, check=True, timeout=100)
    os.close(other_end)
    assert b"dual bounds" in os.read(terminal, 100_000)
    os.close(terminal)
    assert json.loads(ran.stdout)["method"] == "dual"


def test_help_and_version_do_not_wait_for_torch() -> None:
    code = "import sys, reachbox.cli; print([m for m in ('torch', 'numpy', 'sklearn', 'onnx') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"

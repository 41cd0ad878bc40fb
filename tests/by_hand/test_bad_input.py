"""Bad input at the command line: one line that names it and exit code 2, or a right answer; never a traceback."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from math import log
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from reachbox.cli import main
from reachbox.network import Network
from reachbox.network.files import save
from reachbox.reach import METHODS

Tell: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Runs a command: its exit code and what stands on both outputs."""

    def told(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(left.value.code or 0), captured.out, captured.err

    return told


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of good and bad files, and the process stands in it."""
    monkeypatch.chdir(tmp_path)
    layer("net.onnx", [[1, 0], [0, 1]])
    Path("data.csv").write_text("a,b,kind\n1,0,first\n0,1,second\n")
    Path("folder").mkdir()
    np.savez("x.npz", x=np.zeros((1, 2)))
    return tmp_path


def layer(name: str, weight: object) -> None:
    """`y = W x` as an ONNX file, whatever the weights are."""
    matrix = np.asarray(weight, dtype=np.float64)
    outputs, inputs = matrix.shape
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"], name="gemm", transB=1)],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["batch", inputs])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["batch", outputs])],
        [numpy_helper.from_array(matrix, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    Path(name).write_bytes(model.SerializeToString())


def refuse(told: tuple[int, str, str], *words: str) -> None:
    """Exit code 2, nothing on standard output, one line on standard error that says all of `words`."""
    code, out, err = told
    assert (code, out) == (2, ""), err
    assert err.startswith("reachbox: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1, err
    for word in words:
        assert word in err


def of(told: tuple[int, str, str]) -> dict[str, object]:
    """The JSON object of a command that ran; strict, so that NaN is an error."""
    code, out, err = told
    assert (code, err) == (0, "")

    def no_constant(word: str) -> float:
        raise AssertionError(word)

    read: dict[str, object] = json.loads(out, parse_constant=no_constant)
    return read


INPUT = ("--input", "x.npz", "--eps", "0.1")
DATA = ("--data", "data.csv", "--label", "kind", "--split", "0")


# Models


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite(place: Path, tell: Tell, value: float) -> None:
    layer("bad.onnx", [[1, 0], [value, 1]])
    refuse(tell("bound", "bad.onnx", *INPUT), "NaN or infinity", "gemm")


def test_weights_that_are_not_finite_in_safetensors(place: Path, tell: Tell) -> None:
    save(Network.from_module(torch.nn.Linear(2, 2), torch.zeros(1, 2)), "net.safetensors")
    content = bytearray(Path("net.safetensors").read_bytes())
    content[-4:] = np.float32("nan").tobytes()
    Path("net.safetensors").write_bytes(content)
    refuse(tell("bound", "net.safetensors", *INPUT), "NaN or infinity")


@pytest.mark.parametrize("kept", [0, 1, 0.5, 0.99])
def test_a_truncated_onnx_file(place: Path, tell: Tell, kept: float) -> None:
    content = Path("net.onnx").read_bytes()
    Path("cut.onnx").write_bytes(content[: int(kept) if kept == 1 else int(kept * len(content))])
    refuse(tell("bound", "cut.onnx", *INPUT), "cut.onnx")


@pytest.mark.parametrize("content", [b"not a network", b"\x00" * 100, b"{}", "é".encode() * 50])
@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
def test_a_file_of_another_kind(place: Path, tell: Tell, content: bytes, suffix: str) -> None:
    Path(f"other{suffix}").write_bytes(content)
    refuse(tell("bound", f"other{suffix}", *INPUT), f"other{suffix}")


def test_a_truncated_safetensors_file_and_one_without_a_network(place: Path, tell: Tell) -> None:
    save_file({"w": torch.zeros(2)}, "weights.safetensors")
    refuse(tell("bound", "weights.safetensors", *INPUT), "weights.safetensors", "without a network")
    Path("cut.safetensors").write_bytes(Path("weights.safetensors").read_bytes()[:-3])
    refuse(tell("bound", "cut.safetensors", *INPUT), "cut.safetensors")


def test_an_operator_that_cannot_be_bounded(place: Path, tell: Tell) -> None:
    model = onnx.load("net.onnx")
    model.graph.node[0].op_type = "Erf"
    del model.graph.node[0].input[1:]
    del model.graph.node[0].attribute[:]
    onnx.save(model, "erf.onnx")
    refuse(tell("bound", "erf.onnx", *INPUT), "Erf", "gemm")


class Hostile:
    """Creates the file `ran` when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("open('ran', 'w').close()",))


def archive(name: str, member: str, content: bytes) -> None:
    with zipfile.ZipFile(name, "w") as file:
        file.writestr(member, content)


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.pkl", "net.pickle", "net.bin", "n.onnx", "n.safetensors"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_does_not_run(place: Path, tell: Tell, name: str, protocol: int) -> None:
    Path(name).write_bytes(pickle.dumps(Hostile(), protocol=protocol))
    refuse(tell("bound", name, *INPUT), name)
    assert not Path("ran").exists()


@pytest.mark.parametrize("name", ["net.pt", "net.pt2", "n.onnx", "n.safetensors"])
def test_a_pickle_inside_an_archive_does_not_run(place: Path, tell: Tell, name: str) -> None:
    archive(name, "archive/data.pkl", pickle.dumps(Hostile()))
    refuse(tell("bound", name, *INPUT), name)
    assert not Path("ran").exists()


def test_a_pickle_that_torch_saved_does_not_run(place: Path, tell: Tell) -> None:
    torch.save(Hostile(), "net.pt")
    refuse(tell("certify", "net.pt", *DATA, "--eps", "0.1"), "net.pt")
    assert not Path("ran").exists()


def test_a_pickle_inside_an_input_does_not_run(place: Path, tell: Tell) -> None:
    np.savez("hostile.npz", x=np.array([Hostile()], dtype=object))
    refuse(tell("bound", "net.onnx", "--input", "hostile.npz", "--eps", "1"), "hostile.npz")
    np.savez("data.npz", x=np.zeros((2, 2)), y=np.array([Hostile()] * 2, dtype=object))
    refuse(tell("sensitivity", "net.onnx", "--data", "data.npz", "--eps", "1"), "data.npz")
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [("missing.onnx", "no such file"), ("folder", "found a folder"), ("data.csv", "suffix '.csv' is unknown")],
)
def test_a_model_that_is_no_file_of_a_network(place: Path, tell: Tell, name: str, words: str) -> None:
    for command in ("bound", "sensitivity", "certify", "evaluate"):
        refuse(tell(command, name, *DATA, "--eps", "0.1"), name, words)


# Inputs


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": [[0, NAN]]}, "'x' holds nan at index (0, 1)"),
        ({"x": [[INF, 0]]}, "'x' holds inf at index (0, 0)"),
        ({"x": [[0, 0, 0]]}, "'x' must have shape (samples, 2), found (1, 3)"),
        ({"x": [0, 0]}, "'x' must have shape (samples, 2)"),
        ({"x": np.zeros((0, 2))}, "'x' is empty"),
        ({"x": [[0, 0]], "eps": [[-0.1, 0]]}, "must not be negative"),
        ({"x": [[0, 0]], "eps": NAN}, "'eps' holds nan"),
        ({"x": [[0, 0]], "eps": [1, 2, 3]}, "radius"),
        ({"lower": [[0, 1]], "upper": [[1, 0]]}, "lower > upper at index (0, 1)"),
        ({"lower": [[0, 1]]}, "no array 'upper'"),
        ({"lower": [[0, NAN]], "upper": [[1, 1]]}, "'lower' holds nan"),
        ({"points": [[0, 0]]}, "'points'"),
    ],
)
def test_arrays_that_are_no_input(place: Path, tell: Tell, arrays: dict[str, object], words: str) -> None:
    np.savez("bad.npz", **{name: np.asarray(value, dtype=np.float64) for name, value in arrays.items()})
    with_radius = () if "eps" in arrays or "lower" in arrays else ("--eps", "0.1")
    refuse(tell("bound", "net.onnx", "--input", "bad.npz", *with_radius), "bad.npz", words)


def test_files_that_are_no_input(place: Path, tell: Tell) -> None:
    Path("cut.npz").write_bytes(Path("x.npz").read_bytes()[:-30])
    for name in ("cut.npz", "missing.npz", "folder", "data.csv"):
        refuse(tell("bound", "net.onnx", "--input", name, "--eps", "1"), name)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data", "irsi", "--eps", 1), "did you mean 'iris'"),
        (("--data", "iris", "--eps", 1), "samples have shape (4,), but the network takes (2,)"),
        (("--data", "data.csv", "--eps", 1), "--label"),
        (("--data", "data.csv", "--label", "sort", "--eps", 1), "no column 'sort'"),
        (("--data", "missing.csv", "--label", "kind", "--eps", 1), "missing.csv: no such file"),
        (("--data", "mnist", "--data-dir", "folder", "--eps", 1), "not found in folder"),
        ((*DATA, "--eps", 1, "--samples", 3), "data.csv has 2 test samples, fewer than 3"),
        ((*DATA, "--eps", 1, "--samples", 0), "--samples"),
        (("--input", "x.npz", "--eps", 1, "--samples", 2), "x.npz has 1 samples, fewer than 2"),
        (("--input", "x.npz", "--eps", 1, "--label", "kind"), "need --data"),
        (("--eps", 1), "--input FILE or --data NAME"),
    ],
)
def test_samples_that_do_not_exist(place: Path, tell: Tell, arguments: tuple[object, ...], words: str) -> None:
    refuse(tell("bound", "net.onnx", *arguments), words)


def test_a_folder_in_place_of_a_file_is_told_with_what_it_holds(place: Path, tell: Tell) -> None:
    refuse(tell("bound", "folder", *INPUT), "folder: a file is needed, found a folder\n")
    (place / "folder" / "network.safetensors").touch()
    (place / "folder" / "metrics.csv").touch()
    refuse(tell("bound", "folder", *INPUT), "found a folder with metrics.csv, network.safetensors")


# Radii


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*DATA,), "either eps or sigma"),
        ((*DATA, "--eps", 1, "--sigma", 1), "either eps or sigma"),
        ((*DATA, "--eps", -0.1), "must not be negative, found -0.1"),
        ((*DATA, "--sigma", -0.1), "must not be negative"),
        ((*DATA, "--eps", "nan"), "finite"),
        ((*DATA, "--sigma", "inf"), "finite"),
        ((*DATA, "--eps", "1e400"), "finite"),
        ((*DATA, "--eps", "wide"), "eps: a number"),
        ((*DATA, "--eps", "1,2,3"), "one for each of data.csv's 2 features"),
        ((*DATA, "--sigma", "wide"), "--sigma"),
        ((*DATA, "--eps", 1, "--within", "0"), "two numbers LOW,HIGH"),
        ((*DATA, "--eps", 1, "--within", "1,0"), "within"),
        ((*DATA, "--eps", 1, "--within", "0,0.5"), "x must lie inside"),
        ((*DATA, "--eps", 1, "--within", "0,nan"), "within"),
        ((*DATA, "--eps", 1, "--within", "0,1", "--standardise"), "original units"),
        (("--input", "x.npz"), "--eps"),
        (("--input", "x.npz", "--sigma", 1), "--data"),
        (("--input", "x.npz", "--eps", "1,2,3"), "one for each of 2 features"),
        (("--input", "x.npz", "--eps", -1), "must not be negative"),
        (("--input", "x.npz", "--eps", "nan"), "finite"),
    ],
)
def test_radii_that_are_none(place: Path, tell: Tell, arguments: tuple[object, ...], words: str) -> None:
    refuse(tell("bound", "net.onnx", *arguments), words)


def test_a_second_radius_beside_that_of_the_file(place: Path, tell: Tell) -> None:
    np.savez("own.npz", x=np.zeros((1, 2)), eps=0.5)
    refuse(tell("bound", "net.onnx", "--input", "own.npz", "--eps", 1), "has its own radius")


# Options


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--method", "daul"), "sampled, interval, dual, crown, alpha, lp, milp, smt, exact are allowed, found 'daul'"),
        (("--dtype", "float16"), "float64 or float32 is allowed, found 'float16'"),
        (("--device", "tpu"), "found 'tpu'"),
        (("--device", "meta"), "found 'meta'"),
        (("--device", "cuda:99"), "found 'cuda:99'"),
        (("--timeout", 10), "timeout: dual has no time limit"),
        (("--method", "milp", "--timeout", -1), "timeout: a number of seconds from 0 on is needed, found -1"),
        (("--method", "lp", "--timeout", "inf"), "timeout: a number of seconds from 0 on is needed, found inf"),
        (("--method", "milp", "--option", "solver=cplex"), "solver highs or gurobi is allowed, found 'cplex'"),
        (("--method", "milp", "--option", "tolerance=-1"), "tolerance >= 0"),
        (("--option", "steps=5"), "intersect"),
        (("--option", "intersect=maybe"), "intersect takes no 'maybe'"),
        (("--method", "alpha", "--option", "steps=-1"), "steps >= 0"),
        (("--seed", -1), "--seed"),
        (("--colour",), "--colour"),
        (("surplus",), "surplus"),
        (("--out", "nowhere/result.json"), "no such folder"),
        (("--out", "folder"), "found a folder"),
        (("--out", "data.csv/result.json"), "no such folder"),
    ],
)
def test_options_that_are_not_allowed(place: Path, tell: Tell, arguments: tuple[object, ...], words: str) -> None:
    refuse(tell("bound", "net.onnx", *INPUT, *arguments), words)


def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    place: Path, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)
    refuse(tell("bound", "missing.onnx", *INPUT, "--out", "result.json"), "result.json: cannot be written: permission")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("certify", "net.onnx", *DATA, "--eps", 1, "--method", "sampled"), "prove nothing"),
        (("certify", "net.onnx", "--eps", 1), "--data"),
        (("evaluate", "net.onnx", *DATA, "--eps", 1, "--metrics", "ERR,FUN"), "'FUN'"),
        (("bound",), "MODEL"),
        (("boud",), "bound"),
        (("train", *DATA), "--out"),
        (("train", *DATA, "--out", "run", "--network", "mlp:"), "network"),
        (("train", *DATA, "--out", "run", "--network", "conv:4"), "(channels, height, width)"),
        (("train", *DATA, "--out", "run", "--network", "no.such:thing"), "no.such:thing"),
        (("train", *DATA, "--out", "run", "--objective", "fun"), "objective"),
        (("train", *DATA, "--out", "run", "--objective", "sensitivity"), "--sigma"),
        (("train", *DATA, "--out", "run", "--weight", 1), "the objective plain has none"),
        (("train", *DATA, "--out", "run", "--option", "form=product"), "counts_biases"),
        (("train", *DATA, "--out", "run", "--objective", "sensitivity", "--eps", 1, "--weight", -1), "weight"),
        (("train", *DATA, "--out", "run", "--objective", "sensitivity", "--eps", 1, "--weight", "nan"), "weight"),
        (("train", *DATA, "--out", "run", "--learning-rate", 0), "learning_rate"),
        (("train", *DATA, "--out", "run", "--epochs", -1), "epochs"),
        (("train", *DATA, "--out", "run", "--optimiser", "adma"), "adam or sgd"),
        (("train", *DATA, "--out", "data.csv"), "data.csv"),
        (("reproduce", "fig99", "--out", "report"), "fig99"),
    ],
)
def test_commands_that_cannot_be_run(place: Path, tell: Tell, arguments: tuple[object, ...], words: str) -> None:
    refuse(tell(*arguments), words)
    assert not Path("run").exists()


def test_labels_that_the_network_does_not_have(place: Path, tell: Tell) -> None:
    layer("one.onnx", [[1, 1]])
    refuse(tell("certify", "one.onnx", *DATA, "--eps", 1), "labels: the network has 1 outputs")


# Right answers at the edges

INSTALLED = [name for name in METHODS if name != "smt" or find_spec("maraboupy")]


@pytest.mark.parametrize("method", INSTALLED)
def test_a_point_has_no_volume(place: Path, tell: Tell, method: str) -> None:
    found = of(tell("bound", "net.onnx", *DATA, "--sigma", 0, "--method", method, "--json"))
    # The exact method's bounds hold the rounding as well, which counts as no width.
    assert found["lower"] == [[pytest.approx(1, abs=1e-12), pytest.approx(0, abs=1e-12)]]
    assert found["upper"] == [[pytest.approx(1, abs=1e-12), pytest.approx(0, abs=1e-12)]]
    assert method == "exact" or found["lower"] == found["upper"]
    assert (found["log_volume"], found["volume"]) == (["-inf"], [0])
    summary = of(tell("sensitivity", "net.onnx", *DATA, "--eps", 0, "--method", method, "--json"))
    assert (summary["mean"], summary["log_mean"], summary["positive_share"]) == (0, "-inf", 0)


def test_huge_weights_have_huge_boxes(place: Path, tell: Tell) -> None:
    layer("huge.onnx", [[1e20, 0], [0, -1e20]])
    found = of(tell("bound", "huge.onnx", "--input", "x.npz", "--eps", 1, "--json"))
    assert found["lower"] == [[-1e20, -1e20]]
    assert found["upper"] == [[1e20, 1e20]]
    assert found["log_volume"] == [pytest.approx(2 * log(2e20))]


def test_boxes_too_large_for_a_number_are_infinite(place: Path, tell: Tell) -> None:
    layer("huge.onnx", [[1e300, 1e300], [-1e300, 1e300]])
    found = of(tell("bound", "huge.onnx", "--input", "x.npz", "--eps", 1e5, "--json"))
    assert found["volume"] == ["inf"]
    assert found["log_volume"] == [pytest.approx(2 * log(4e305))]
    found = of(tell("bound", "huge.onnx", "--input", "x.npz", "--eps", 1e10, "--json"))
    assert (found["lower"], found["upper"]) == ([["-inf", "-inf"]], [["inf", "inf"]])
    assert "inf" in tell("bound", "huge.onnx", "--input", "x.npz", "--eps", 1e10)[1]


@pytest.mark.parametrize("method", INSTALLED)
def test_bounds_that_are_no_number_are_refused(place: Path, tell: Tell, method: str) -> None:
    """Two hidden units overflow, and the output is their difference."""
    first, second = torch.nn.Linear(2, 2).double(), torch.nn.Linear(2, 1).double()
    with torch.no_grad():
        first.weight.fill_(1e200)
        second.weight.copy_(torch.tensor([[1e200, -1e200]], dtype=torch.float64))
    module = torch.nn.Sequential(first, torch.nn.ReLU(), second)
    save(Network.from_module(module, torch.zeros(1, 2).double()), "huge.safetensors")
    np.savez("ones.npz", x=np.ones((1, 2)))
    refuse(tell("bound", "huge.safetensors", "--input", "ones.npz", "--eps", 0.1, "--method", method), "overflow")


def test_denormal_weights_have_tiny_boxes(place: Path, tell: Tell) -> None:
    tiny = 5e-324
    layer("tiny.onnx", [[tiny, 0], [0, 1]])
    found = of(tell("bound", "tiny.onnx", "--input", "x.npz", "--eps", 2, "--json"))
    assert (found["lower"], found["upper"]) == ([[-2 * tiny, -2]], [[2 * tiny, 2]])
    assert found["log_volume"] == [pytest.approx(log(4 * tiny) + log(4))]


def test_the_entry_point_tells_a_shell_the_same(place: Path) -> None:
    command = [sys.executable, "-m", "reachbox", "bound", "missing.onnx", *INPUT]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", "reachbox: missing.onnx: no such file\n")

"""onnxruntime agrees with the reader on every operator and setting, and with what the writer writes."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from torch import nn

from reachbox.errors import UnsupportedError
from reachbox.network import Network, load, save
from reachbox.network.onnx import read_onnx, write_onnx
from tests.onnx_models import CASES, UNBATCHED, Step, floats, ints, make_model, weights

onnxruntime = pytest.importorskip("onnxruntime")
onnxruntime.set_default_logger_severity(4)
pytestmark = pytest.mark.oracle


def run(model: onnx.ModelProto | Path, x: np.ndarray) -> np.ndarray:
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def network_of(model: onnx.ModelProto, folder: Path) -> Network:
    onnx.save(model, folder / "net.onnx")
    return read_onnx(folder / "net.onnx")


def agrees(ours: np.ndarray, theirs: np.ndarray, tolerance: float = 1e-5) -> None:
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


RUNS = [
    (name, opset, batch) for name, (_, _, opsets) in CASES.items() for opset in opsets for batch in ("dynamic", "fixed")
]


@pytest.mark.parametrize(("name", "opset", "batch"), RUNS)
def test_every_operator(name: str, opset: int, batch: str, tmp_path: Path) -> None:
    features, steps, _ = CASES[name]
    dynamic = batch == "dynamic"
    model = make_model(["batch" if dynamic else 1, *features], steps, opset)
    network = network_of(model, tmp_path)
    assert network.input_shape == features
    x = weights(3 if dynamic else 1, *features, seed=5)
    theirs = run(model, x)
    agrees(network(torch.from_numpy(x)).numpy(), theirs)
    write_onnx(network, tmp_path / "again.onnx")
    agrees(run(tmp_path / "again.onnx", x), theirs)
    again = read_onnx(tmp_path / "again.onnx")
    assert again.output_shape == network.output_shape
    agrees(again(torch.from_numpy(x)).numpy(), theirs)


@pytest.mark.parametrize("name", UNBATCHED)
def test_shapes_without_a_batch(name: str, tmp_path: Path) -> None:
    shape, steps = UNBATCHED[name]
    model = make_model(shape, steps, 11)
    network = network_of(model, tmp_path)
    assert network.input_shape == (tuple(shape[1:]) if shape[0] == 1 and len(shape) > 1 else tuple(shape))
    x = weights(*shape, seed=5)
    batch = torch.from_numpy(x).reshape(1, *network.input_shape)
    agrees(network(batch).numpy().ravel(), run(model, x).ravel())
    twice = network(torch.cat([batch, 2 * batch])).numpy()
    agrees(twice[1].ravel(), run(model, 2 * x).ravel())


def test_one_row_in_a_file_with_a_dynamic_batch(tmp_path: Path) -> None:
    steps: list[Step] = [("Reshape", ["x", ints(1, -1)], {}), ("MatMul", ["v0", weights(6, 2)], {})]
    model = make_model(["batch", 2, 3], steps, 13)
    x = weights(2, 2, 3)
    one_by_one = np.concatenate([run(model, sample[None]) for sample in x])
    agrees(network_of(model, tmp_path)(torch.from_numpy(x)).numpy(), one_by_one)


@pytest.mark.parametrize(
    "steps",
    [
        [("Transpose", ["x"], {"perm": [1, 0]})],
        [("Reshape", ["x", ints(-1, 2)], {})],
        [("ReduceSum", ["x", ints(0)], {})],
        [("Concat", ["x", "x"], {"axis": 0})],
        [("Slice", ["x", ints(0), ints(1), ints(0)], {})],
        [("Unsqueeze", ["x", ints(0)], {})],
        [("MatMul", [weights(4, 1), "x"], {})],
        [("Flatten", ["x"], {"axis": 0})],
        [("ReduceSum", ["x", ints(1)], {}), ("Reshape", ["v0", ints(-1)], {}), ("Add", ["v0", "v1"], {})],
    ],
)
def test_what_mixes_samples_is_refused(steps: list[Step], tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="node"):
        network_of(make_model(["batch", 4], steps, 13), tmp_path)


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_other_precisions(dtype: Any, tmp_path: Path) -> None:
    steps: list[Step] = [
        ("Gemm", ["x", weights(4, 5), weights(5)], {}),
        ("Relu", ["v0"], {}),
        ("Mul", ["v1", weights(5)], {}),
        ("Sub", ["v2", weights(5)], {}),
        ("Tanh", ["v3"], {}),
        ("MatMul", ["v4", weights(5, 2)], {}),
    ]
    model = make_model(["batch", 4], steps, 17, dtype)
    network = network_of(model, tmp_path)
    exact = {initial.name: numpy_helper.to_array(initial) for initial in model.graph.initializer}
    kept = network.nodes[0].operator.sources()["weight"]
    assert isinstance(kept, torch.Tensor)
    np.testing.assert_array_equal(kept.numpy(), exact["c0_1"].T, strict=True)
    x = weights(3, 4).astype(dtype)
    ours = network(torch.from_numpy(x.astype(np.float64))).numpy()
    agrees(ours, run(model, x).astype(np.float64), 1e-12 if dtype == np.float64 else 1e-2)
    write_onnx(network, tmp_path / "again.onnx", dtype=torch.float64)
    agrees(run(tmp_path / "again.onnx", x.astype(np.float64)), ours, 1e-12)


PADS = st.tuples(st.integers(0, 1), st.integers(0, 1))


@given(
    operator=st.sampled_from(["AveragePool", "MaxPool", "Conv"]),
    opset=st.sampled_from([10, 11, 18, 19, 22]),
    size=st.integers(5, 8),
    width=st.integers(2, 3),
    stride=st.integers(1, 3),
    pads=PADS,
    rounds_up=st.booleans(),
    counts_padding=st.booleans(),
)
@settings(max_examples=100)
def test_windows(
    operator: str, opset: int, size: int, width: int, stride: int, pads: tuple[int, int], rounds_up: bool,
    counts_padding: bool,
) -> None:  # fmt: skip
    attributes: dict[str, Any] = {"kernel_shape": [width], "strides": [stride], "pads": list(pads)}
    if operator != "Conv":
        attributes["ceil_mode"] = int(rounds_up)
    if operator == "AveragePool":
        attributes["count_include_pad"] = int(counts_padding)
    kernel = [weights(2, 2, width)] if operator == "Conv" else []
    model = make_model(["batch", 2, size], [(operator, ["x", *kernel], attributes)], opset)
    x = weights(3, 2, size)
    with tempfile.TemporaryDirectory() as folder:
        agrees(network_of(model, Path(folder))(torch.from_numpy(x)).numpy(), run(model, x))


@given(
    opset=st.sampled_from([11, 13, 18, 19]),
    mode=st.sampled_from(["nearest", "linear"]),
    positions=st.sampled_from(["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"]),
    rounding=st.sampled_from(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]),
    size=st.integers(1, 9),
    wanted=st.one_of(
        st.integers(1, 20), st.sampled_from([0.3, 0.5, 1 / 3, 0.75, 1.0, 1.1, 1.3, 1.5, 1.75, 2.0, 7 / 3, 3.0])
    ),
)
@settings(max_examples=300)
def test_resizing(opset: int, mode: str, positions: str, rounding: str, size: int, wanted: int | float) -> None:
    assume(isinstance(wanted, int) or wanted == 1 or 1 <= int(size * wanted) != size)
    operand = (
        [floats() if opset < 13 else "", ints(1, 2, wanted)] if isinstance(wanted, int) else [floats(1, 1, wanted)]
    )
    attributes = {"mode": mode, "coordinate_transformation_mode": positions, "nearest_mode": rounding}
    model = make_model([1, 2, size], [("Resize", ["x", floats(), *operand], attributes)], opset)
    x = weights(1, 2, size)
    with tempfile.TemporaryDirectory() as folder:
        agrees(network_of(model, Path(folder))(torch.from_numpy(x)).numpy(), run(model, x))


@pytest.mark.parametrize(("operator", "opset"), [("Upsample", 7), ("Upsample", 9), ("Resize", 10)])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resizing_before_opset_11(operator: str, opset: int, mode: str, tmp_path: Path) -> None:
    for size, scale in product((1, 2, 3, 4, 5, 8), (0.5, 0.75, 1.0, 1.3, 1.5, 2.0, 2.5, 3.0)):
        if int(size * scale) < 1 or (scale < 1 and operator == "Upsample"):
            continue
        operands, attributes = (["x", floats(1, 1, scale)], {}) if opset > 7 else (["x"], {"scales": [1.0, 1.0, scale]})
        model = make_model(["batch", 2, size], [(operator, operands, {"mode": mode, **attributes})], opset)
        x = weights(3, 2, size)
        is_copy = int(size * scale) == size and scale != 1
        is_open = mode == "nearest" and any(i / scale % 1 for i in range(int(size * scale))) and scale < 1
        if is_copy or is_open:
            with pytest.raises(UnsupportedError, match="runtimes copy" if is_copy else "before opset 11"):
                network_of(model, tmp_path)
            continue
        agrees(network_of(model, tmp_path)(torch.from_numpy(x)).numpy(), run(model, x))


@given(
    size=st.integers(1, 6),
    width=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    pads=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    longer=st.integers(0, 2),
    groups=st.integers(1, 2),
)
@settings(max_examples=200)
def test_transposed_convolutions(
    size: int, width: int, stride: int, dilation: int, pads: tuple[int, int], longer: int, groups: int
) -> None:
    assume(longer < stride and (size - 1) * stride + dilation * (width - 1) + 1 + longer > sum(pads))
    attributes = {"strides": [stride], "dilations": [dilation], "pads": list(pads), "output_padding": [longer]}
    operands = ["x", weights(4, 3, width), weights(3 * groups)]
    model = make_model(["batch", 4, size], [("ConvTranspose", operands, {**attributes, "group": groups})], 11)
    x = weights(3, 4, size)
    with tempfile.TemporaryDirectory() as folder:
        agrees(network_of(model, Path(folder))(torch.from_numpy(x)).numpy(), run(model, x))


class Residual(nn.Module):
    """Batch norm, groups, a skip connection, pooling, slices, and normalisation by arithmetic."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.norm, self.pool, self.last = nn.BatchNorm2d(4), nn.AvgPool2d(2), nn.Linear(36, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.first((x - 0.3) / 1.7)).relu()
        y = self.pool(y + self.second(y))
        y = torch.cat([y, y * 2], 1)[:, 2:6]
        return self.last(torch.flatten(y, 1))


class Rearranged(nn.Module):
    """Chunks, transposition, views that ask for the batch, padding, clamps and sums."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = x.chunk(2, 1)
        z = torch.cat([first.unsqueeze(1), second.unsqueeze(1)], 1).transpose(1, 2).reshape(x.shape[0], -1)
        y = nn.functional.pad(self.layer(z).clamp(-0.5, 0.7), (1, 2)).abs()
        return y.mean(1, keepdim=True) + torch.sigmoid(x).view(x.size(0), 2, 3).sum(2)


class Extremes(nn.Module):
    """The larger and the smaller of values and constants, and the largest along a dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 5), nn.Linear(4, 5)
        self.register_buffer("floor", torch.randn(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        larger = torch.maximum(self.first(x), self.second(x))
        return torch.minimum(torch.maximum(larger, self.floor), self.first(x).abs()).amax(1)


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (
        lambda: nn.Sequential(
            nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 5), nn.LeakyReLU(0.1), nn.Dropout(), nn.Linear(5, 2)
        ),
        (4,),
    ),
    "residual": (Residual, (2, 6, 6)),
    "rearranged": (Rearranged, (6,)),
    "pools": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 2, 3, 2, 2, 2), nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        ),
        (1, 13, 13),
    ),
    "series": (
        lambda: nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Hardtanh(), nn.Flatten(), nn.Linear(24, 2)),
        (2, 10),
    ),
    "decoder": (
        lambda: nn.Sequential(
            nn.ConvTranspose2d(4, 4, 3, 2, 1, 1, groups=2),
            nn.PReLU(4),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(4, 2, 3),
            nn.Upsample(size=(5, 6), mode="bilinear"),
            nn.Hardsigmoid(),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
        ),
        (4, 3, 4),
    ),
    "extremes": (Extremes, (3, 4)),
    "volume": (lambda: nn.Sequential(nn.Conv3d(1, 2, 2), nn.ReLU6(), nn.AvgPool3d(2), nn.Flatten()), (1, 5, 5, 5)),
}


def module_of(name: str) -> nn.Module:
    """A module in eval mode with running statistics that matter."""
    torch.manual_seed(1)
    module = MODULES[name][0]().eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            assert part.running_mean is not None
            assert part.running_var is not None
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
    return module


def export(module: nn.Module, x: torch.Tensor, path: Path, opset: int, modern: bool, dynamic: bool) -> None:
    options: dict[str, Any] = {}
    if dynamic and modern:
        options["dynamic_shapes"] = ({0: torch.export.Dim("samples")},)
    elif dynamic:
        options["dynamic_axes"] = {"x": {0: "samples"}}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            torch.onnx.export(module, (x,), path, opset_version=opset, dynamo=modern, input_names=["x"], **options)
        finally:
            logging.disable(logging.NOTSET)


EXPORTS = [(name, opset, False, dynamic) for name in MODULES for opset in (11, 13, 17) for dynamic in (False, True)] + [
    ("residual", 18, True, True),
    ("rearranged", 18, True, True),
    ("rearranged", 20, True, False),
    ("pools", 18, True, True),
    ("decoder", 18, True, True),
    ("extremes", 18, True, True),
]


@pytest.mark.parametrize(("name", "opset", "modern", "dynamic"), EXPORTS)
def test_files_of_torch(name: str, opset: int, modern: bool, dynamic: bool, tmp_path: Path) -> None:
    if modern:
        pytest.importorskip("onnxscript")
    module, shape = module_of(name), MODULES[name][1]
    x = torch.randn(3 if dynamic else 1, *shape)
    path = tmp_path / "net.onnx"
    export(module, x, path, opset, modern, dynamic)
    network = load(path)
    assert network.input_shape == shape
    theirs = run(path, x.numpy())
    agrees(network(x).numpy(), theirs)
    agrees(Network.from_module(module, x)(x).detach().numpy(), theirs)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("opset", [13, 17, 22])
def test_networks_of_torch_written(name: str, opset: int, tmp_path: Path) -> None:
    module, shape = module_of(name), MODULES[name][1]
    network = Network.from_module(module, torch.randn(2, *shape))
    x = torch.randn(4, *shape)
    wanted = module(x).detach().numpy()
    write_onnx(network, tmp_path / "net.onnx", opset=opset)
    agrees(run(tmp_path / "net.onnx", x.numpy()), wanted)
    agrees(read_onnx(tmp_path / "net.onnx")(x).numpy(), wanted)
    save(network, tmp_path / "net.safetensors")
    agrees(load(tmp_path / "net.safetensors")(x).numpy(), wanted)


def test_max_pool_whose_last_window_reaches_far(tmp_path: Path) -> None:
    module = nn.Sequential(nn.MaxPool1d(2, stride=3, dilation=3, ceil_mode=True))
    network = Network.from_module(module, torch.randn(1, 1, 8))
    assert network.nodes[0].operator.padding == ((0, 2),)  # type: ignore[attr-defined]
    x = torch.randn(3, 1, 8)
    write_onnx(network, tmp_path / "net.onnx")
    agrees(run(tmp_path / "net.onnx", x.numpy()), module(x).numpy())

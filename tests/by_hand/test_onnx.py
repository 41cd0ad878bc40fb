"""Files of networks: worked examples, what is refused and in which words, and that nothing in a file ever runs."""

from __future__ import annotations

import json
import os
import pickle
import re
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file, save_file
from torch import nn

from reachbox.errors import FileError, InputError, ReachboxError, UnsupportedError
from reachbox.network import Network, load, save
from reachbox.network.onnx import read_onnx, write_onnx
from reachbox.network.onnx.reader import HANDLERS
from reachbox.network.operators import OPERATORS, Convolution, Linear, MaxPool, Rearrange, Relu, Scale, resolve
from tests.onnx_models import Step, ints, make_model, number, weights


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def read(steps: list[Step], folder: Path, shape: tuple[Any, ...] = ("batch", 2), opset: int = 13) -> Network:
    return load(saved(make_model(list(shape), steps, opset), folder))


def array(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def test_two_neurons(tmp_path: Path) -> None:
    network = read(
        [
            ("Gemm", ["x", array([1, 2], [-1, 1]), array([0, 1])[0]], {}),
            ("Relu", ["v0"], {}),
            ("MatMul", ["v1", array([1], [-2])], {}),
        ],
        tmp_path,
    )
    # x = (1, 3): z = (1 - 3, 2 + 3 + 1) = (-2, 6), relu (0, 6), output -12.
    assert network(torch.tensor([[1.0, 3.0], [3.0, 1.0]])).tolist() == [[-12.0], [2.0 - 16.0]]
    assert [type(node.operator) for node in network.nodes] == [Linear, Relu, Linear]
    assert (network.input_shape, network.output_shape) == ((2,), (1,))


def test_weights_keep_their_precision(tmp_path: Path) -> None:
    half = np.array([[0.1], [0.2]], dtype=np.float16)
    model = make_model(["batch", 2], [("MatMul", ["x", half], {})], 13, np.float16)
    network = read_onnx(saved(model, tmp_path))
    assert resolve(network.nodes[0].operator.sources()["weight"]).dtype == torch.float16
    exact = float(half[0, 0]) + float(half[1, 0])
    assert network(torch.ones(1, 2, dtype=torch.float64)).item() == exact


@pytest.mark.parametrize(
    ("shape", "features"),
    [
        ((1, 1, 1, 5), (1, 1, 5)),
        (("batch", 5), (5,)),
        ((1, 5), (5,)),
        ((5,), (5,)),
        ((1,), (1,)),
        ((3, 4, 5), (3, 4, 5)),
        ((5, 1), (5, 1)),
    ],
)
def test_which_dimension_is_the_batch(shape: tuple[Any, ...], features: tuple[int, ...], tmp_path: Path) -> None:
    network = read([("Relu", ["x"], {})], tmp_path, shape)
    assert network.input_shape == network.output_shape == features
    assert network(torch.ones(2, *features)).shape == (2, *features)


@pytest.mark.parametrize("shape", [("batch",), ("batch", "width"), (3, "width"), ()])
def test_other_dynamic_dimensions_are_refused(shape: tuple[Any, ...], tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="only the first of several dimensions may be dynamic"):
        read([("Relu", ["x"], {})], tmp_path, shape)


REFUSED: dict[str, tuple[list[Step], str]] = {
    "softmax": ([("Relu", ["x"], {}), ("Softmax", ["v0"], {})], r"node 'v1' \(Softmax\).*bounds are about logits"),
    "unknown": ([("Erf", ["x"], {})], r"node 'v0' \(Erf\).*cannot be bounded; supported: Abs, Add"),
    "product": ([("Relu", ["x"], {}), ("Mul", ["x", "v0"], {})], r"\(Mul\): a product of two values"),
    "square matrix": ([("Relu", ["x"], {}), ("MatMul", ["x", "v0"], {})], r"\(MatMul\): a product of two values"),
    "quotient": ([("Div", [number(1), "x"], {})], r"\(Div\): a division by what depends"),
    "to integers": ([("Cast", ["x"], {"to": TensorProto.INT64}), ("Cast", ["v0"], {"to": 1})], r"\(Cast\).*INT64"),
    "training": ([("Dropout", ["x", number(0.5), np.array(True)], {})], r"\(Dropout\).*training mode"),
    "slopes": ([("PRelu", ["x", weights(3, 1, 2)], {})], r"\(PRelu\): shapes .* mix samples"),
    "cubic": (
        [("Unsqueeze", ["x", ints(1)], {}), ("Resize", ["v0", "", number(2).repeat(3)], {"mode": "cubic"})],
        r"\(Resize\): modes nearest and linear, of half_pixel",
    ),
    "resized channels": (
        [("Unsqueeze", ["x", ints(1)], {}), ("Resize", ["v0", "", number(2).repeat(3)], {"mode": "linear"})],
        r"\(Resize\): batch and channels must keep their sizes",
    ),
    "resized to the same size": (
        [("Unsqueeze", ["x", ints(1)], {}), ("Resize", ["v0", "", array([1, 1, 1.2])[0]], {})],
        r"\(Resize\): scales .* keep every size",
    ),
    "limits": ([("Max", ["x", array([0, -1e30])[0]], {})], r"\(Max\): a limit at -1e\+30 is too far out"),
    "resized to nothing": (
        [("Unsqueeze", ["x", ints(1)], {}), ("Resize", ["v0", "", array([1, 1, 0.1])[0]], {})],
        r"\(Resize\): a size of at least 1 is needed",
    ),
    "scales": (
        [("Unsqueeze", ["x", ints(1)], {}), ("Resize", ["v0", "", number(2).repeat(2)], {})],
        r"\(Resize\): a scale or a size for each of 3 dimensions",
    ),
    "transposed groups": (
        [("Unsqueeze", ["x", ints(1)], {}), ("ConvTranspose", ["v0", weights(1, 1, 2)], {"group": 2})],
        r"\(ConvTranspose\): group: 2 does not divide the 1 channels of the kernel",
    ),
    "transposed kernel": (
        [("Unsqueeze", ["x", ints(1)], {}), ("ConvTranspose", ["v0", weights(3, 1, 2)], {})],
        r"\(ConvTranspose\): Convolution: 3 channels and 1 spatial dimensions are needed",
    ),
    "random": (
        [("RandomNormal", [], {"shape": [2]}), ("Add", ["x", "v0"], {})],
        r"\(RandomNormal\): it is not supported on constants",
    ),
    "constant": ([("Neg", [weights(2)], {})], "does not depend on the input"),
    "one set of rows": ([("Add", ["x", weights(5, 2)], {})], "do not broadcast"),
    "shape": ([("Reshape", ["x", ints(-1, 3)], {})], r"\(Reshape\): it does not fit a shape of \(batch, 2\)"),
    "no fit": ([("MatMul", ["x", weights(3, 2)], {})], r"\(MatMul\).*\(batch, 2\) and \(3, 2\) do not fit"),
    "zero": ([("Div", ["x", array([1, 0])[0]], {})], r"\(Div\): a division by zero"),
    "infinite": ([("Mul", ["x", array([1, np.inf])[0]], {})], r"node 'v0' \(Scale\): scale holds NaN or infinity"),
    "not a number": ([("MatMul", ["x", array([1], [np.nan])], {})], r"node 'v0' \(Linear\): weight holds NaN"),
    "empty": ([("Slice", ["x", ints(2), ints(2), ints(1)], {})], r"\(Slice\): its result is empty"),
    "huge": (
        [("Unsqueeze", ["x", ints(1)], {}), ("Conv", ["v0", weights(1, 1, 1)], {"pads": [2**40, 0]})],
        r"\(Conv\): a value has 1 to 67108864",
    ),
    "slope": ([("LeakyRelu", ["x"], {"alpha": float("nan")})], r"\(LeakyRelu\): the slope must be finite"),
    "limit": ([("Clip", ["x", number(np.nan)], {})], r"\(Clip\): a limit must be one number, found nan"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_bounded_is_refused_by_name(name: str, tmp_path: Path) -> None:
    steps, message = REFUSED[name]
    with pytest.raises(ReachboxError, match=message) as caught:
        read(steps, tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "net.onnx") in str(caught.value)


def test_resizing_with_antialias_is_refused(tmp_path: Path) -> None:
    steps = [("Unsqueeze", ["x", ints(1)], {}), ("Resize", ["v0", "", number(2).repeat(3)], {"antialias": 1})]
    with pytest.raises(UnsupportedError, match=r"\(Resize\): antialias"):
        read(steps, tmp_path, opset=18)


def test_a_limit_beyond_every_number_is_none(tmp_path: Path) -> None:
    largest = float(np.finfo(np.float32).max)
    network = read([("Clip", ["x", number(-largest), number(largest)], {}), ("Relu", ["v0"], {})], tmp_path)
    assert [type(node.operator) for node in network.nodes] == [Relu]


def test_the_documentation_names_every_operator() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "layers.md").read_text()
    named = set(re.findall(r"`(\w+)`", page))
    assert set(HANDLERS) - named == {"Shape", "Size"}
    assert {operator.__name__ for operator in OPERATORS} <= named


def test_several_inputs_and_outputs_are_refused(tmp_path: Path) -> None:
    model = make_model(["batch", 2], [("Relu", ["x"], {})], 13)
    extra = helper.make_tensor_value_info("other", TensorProto.FLOAT, ["batch", 2])
    model.graph.input.append(extra)
    with pytest.raises(UnsupportedError, match="one input is needed, found 'x', 'other'"):
        read_onnx(saved(model, tmp_path))
    model.graph.input.pop()
    model.graph.output.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2]))
    with pytest.raises(UnsupportedError, match="one output is needed, found 'v0', 'x'"):
        read_onnx(saved(model, tmp_path))


def test_initialisers_may_be_inputs_too(tmp_path: Path) -> None:
    model = make_model(["batch", 2], [("MatMul", ["x", weights(2, 3)], {})], 8)
    model.graph.input.append(helper.make_tensor_value_info("c0_1", TensorProto.FLOAT, [2, 3]))
    model.ir_version = 3
    assert read_onnx(saved(model, tmp_path)).output_shape == (3,)
    del model.graph.input[1]
    assert read_onnx(saved(model, tmp_path)).output_shape == (3,)


@pytest.mark.parametrize("opset", [6, 23])
def test_other_opsets_are_refused(opset: int, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=f"opset 7 to 22 is supported, found {opset}"):
        read([("Relu", ["x"], {})], tmp_path, opset=opset)


def test_operators_of_another_domain_are_refused(tmp_path: Path) -> None:
    model = make_model(["batch", 2], [("Relu", ["x"], {})], 13)
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    with pytest.raises(UnsupportedError, match=r"\(Relu\): this operator cannot be bounded"):
        read_onnx(saved(model, tmp_path))


def test_functions_of_the_model_are_inlined(tmp_path: Path) -> None:
    body = [helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Neg", ["b"], ["c"])]
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function("mine", "Fall", ["a"], ["c"], body, opsets)
    model = make_model(["batch", 2], [("Relu", ["x"], {})], 17)
    model.graph.node[0].op_type, model.graph.node[0].domain = "Fall", "mine"
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    assert read_onnx(saved(model, tmp_path))(torch.tensor([[2.0, -1.0]])).tolist() == [[-2.0, 0.0]]


def test_sparse_weights_are_refused(tmp_path: Path) -> None:
    model = make_model(["batch", 2], [("Relu", ["x"], {})], 13)
    values = numpy_helper.from_array(array([1])[0], "few")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, numpy_helper.from_array(ints(1)), [4]))
    with pytest.raises(UnsupportedError, match="initialiser 'few' is sparse"):
        read_onnx(saved(model, tmp_path))


def external(folder: Path, location: str, **entries: str) -> Path:
    """A model whose only weight, two float32, lies in another file."""
    model = make_model(["batch", 2], [("Mul", ["x", array([2, 3])[0]], {})], 13)
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return saved(model, folder)


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"\0" * 4 + array([2, 3]).tobytes())
    network = read_onnx(external(tmp_path, "weights.bin", offset="4", length="8"))
    assert network(torch.ones(1, 2)).tolist() == [[2.0, 3.0]]


@pytest.mark.parametrize("location", ["../secret.bin", "absolute", "linked.bin", "deep/../../secret.bin", "", "."])
def test_weights_outside_the_folder_are_refused(location: str, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(array([2, 3]).tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "linked.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(FileError, match="only a file inside the model's own folder is read"):
        read_onnx(external(folder, str(tmp_path / "secret.bin") if location == "absolute" else location))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"location": "none.bin"}, "is missing"),
        ({"location": "weights.bin", "length": "99"}, "ends before its 99 bytes"),
        ({"location": "weights.bin", "offset": "-4"}, "ends before"),
        ({"location": "weights.bin", "offset": "many"}, "whole numbers"),
        ({"location": "weights.bin", "length": "4"}, "net.onnx"),
    ],
)
def test_damaged_weights_beside_the_file(entries: dict[str, str], message: str, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(array([2, 3]).tobytes())
    with pytest.raises(FileError, match=message):
        read_onnx(external(tmp_path, **entries))


def test_what_is_no_onnx_file(tmp_path: Path) -> None:
    whole = make_model(["batch", 2], [("MatMul", ["x", weights(2, 3)], {})], 13).SerializeToString()
    contents = [b"", b"text, not a model", os.urandom(64), *(whole[:size] for size in range(1, len(whole)))]
    path = tmp_path / "net.onnx"
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(ReachboxError) as caught:
            load(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
    with pytest.raises(FileError, match="no such file"):
        load(tmp_path / "missing.onnx")
    with pytest.raises(FileError, match="found a folder"):
        load(tmp_path)
    (tmp_path / "net.txt").write_text("x")
    with pytest.raises(FileError, match=r"suffix '\.txt' is unknown; \.onnx, \.onnx\.gz and \.safetensors"):
        load(tmp_path / "net.txt")


def test_nodes_out_of_order_are_refused(tmp_path: Path) -> None:
    model = make_model(["batch", 2], [("Relu", ["x"], {}), ("Neg", ["v0"], {})], 13)
    first, second = model.graph.node
    del model.graph.node[:]
    model.graph.node.extend([second, first])
    with pytest.raises(FileError, match="not a valid ONNX model"):
        read_onnx(saved(model, tmp_path))


class Trap:
    """Unpickled, it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pkl", ".ckpt", ".pt2", ".bin", ".onnx", ".safetensors", ".PT", ""])
def test_a_pickle_never_runs(suffix: str, protocol: int, tmp_path: Path) -> None:
    (tmp_path / f"net{suffix}").write_bytes(pickle.dumps(Trap(tmp_path / "sprung"), protocol))
    with pytest.raises(FileError) as caught:
        load(tmp_path / f"net{suffix}")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "sprung").exists()
    if protocol:
        assert "could run code" in str(caught.value)


@pytest.mark.parametrize("suffix", [".pt2", ".pt", ".zip", ".onnx", ".safetensors"])
def test_a_pickle_in_an_archive_never_runs(suffix: str, tmp_path: Path) -> None:
    module = nn.Linear(2, 1)
    archive = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(module, (torch.ones(1, 2),)), archive)
    with zipfile.ZipFile(archive, "a") as file:
        prefix = file.namelist()[0].split("/")[0]
        file.writestr(f"{prefix}/data/constants/trap.pt", pickle.dumps(Trap(tmp_path / "sprung")))
    archive.rename(tmp_path / f"net{suffix}")
    with pytest.raises(FileError, match="could run code in it; export the model to ONNX or save it with reachbox"):
        load(tmp_path / f"net{suffix}")
    assert not (tmp_path / "sprung").exists()


def sample_network() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.MaxPool2d(2), nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(8, 3), nn.Tanh()
    )
    return Network.from_module(module, torch.ones(1, 1, 4, 4))


def test_safetensors_give_back_the_same_network(tmp_path: Path) -> None:
    network = sample_network()
    save(network, tmp_path / "net.safetensors")
    again = load(tmp_path / "net.safetensors")
    assert [(n.name, n.inputs, n.shape, n.operator.name) for n in again.nodes] == [
        (n.name, n.inputs, n.shape, n.operator.name) for n in network.nodes
    ]
    x = torch.randn(3, 1, 4, 4, dtype=torch.float64)
    assert torch.equal(again(x), network(x))


def test_safetensors_fit_in_files_whose_header_looks_like_a_pickle(tmp_path: Path) -> None:
    network = Network.from_module(nn.Linear(1, 1), torch.ones(1, 1))
    lengths = set()
    for size in range(0, 4000, 4):
        (node,) = network.nodes
        named = Network(network.input_shape, (type(node)("n" * size, *(node.operator, node.inputs, node.shape)),), 1)
        save(named, tmp_path / "net.safetensors")
        head = (tmp_path / "net.safetensors").read_bytes()[:3]
        if head[0] == 0x80 and head[1] in range(2, 6):
            lengths.add(head[1])
            assert load(tmp_path / "net.safetensors").nodes[0].name == named.nodes[0].name
            if len(lengths) == 2:
                return
    pytest.fail("no header of such a length came up")


def changed(folder: Path, change: Any) -> Path:
    """A saved network whose description `change` has altered."""
    path = folder / "net.safetensors"
    save(sample_network(), path)
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        graph = json.loads(file.metadata()["reachbox.network"])
    change(graph)
    save_file(load_file(path), path, {"reachbox.network": json.dumps(graph)})
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g.update(version=2), "format version 1 is supported, found 2"),
        (lambda g: g["nodes"][0].update(operator="Softmax"), "operator 'Softmax' is unknown; known: Linear"),
        (lambda g: g["nodes"][0].update(operator="__import__"), "is unknown"),
        (lambda g: g["nodes"][0]["settings"].update(stride=["a", "b"]), "damaged"),
        (lambda g: g["nodes"][0]["settings"].update(extra=1), "damaged"),
        (lambda g: g["nodes"][0]["settings"].update(spatial=[5, 5]), "contradict|fit|needed"),
        (lambda g: g["nodes"][2]["settings"].update(negative_slope=float("nan")), "NaN is not allowed"),
        (lambda g: g["nodes"][1].update(inputs=[4]), r"inputs \[4\] are not among"),
        (lambda g: g["nodes"][1].update(inputs=[-1]), "are not among"),
        (lambda g: g["nodes"][0].update(tensors=["other"]), "damaged"),
        (lambda g: g.update(output=99), "output 99"),
        (lambda g: g.update(output=-1), "output -1"),
        (lambda g: g.update(input_shape=[1, 9, 9]), "net.safetensors"),
        (lambda g: g.pop("nodes"), "damaged"),
    ],
)
def test_a_changed_description_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ReachboxError, match=message) as caught:
        load(changed(tmp_path, change))
    assert "\n" not in str(caught.value)


def test_damaged_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(FileError, match="weights without a network; it must be written by reachbox"):
        load(path)
    save(sample_network(), path)
    content = path.read_bytes()
    for size in (0, 4, 20, len(content) - 4):
        path.write_bytes(content[:size])
        with pytest.raises(FileError, match=r"not a whole \.safetensors file"):
            load(path)
    path.write_bytes(content)
    tensors = load_file(path)
    tensors["4.weight"][0, 0] = torch.nan
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata)
    with pytest.raises(InputError, match=r"\(Linear\): weight holds NaN"):
        load(path)


def test_files_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    network = sample_network()
    for name in ("net.onnx", "net.safetensors"):
        path = tmp_path / name
        path.write_text("old")
        with pytest.raises(InputError, match="NaN"):
            save(network.map_sources(lambda source: torch.full_like(resolve(source), torch.nan)), path)
        assert path.read_text() == "old"
        save(network, path)
        assert load(path).output_shape == (3,)
        assert stat.S_IMODE(path.stat().st_mode) & 0o400
        with pytest.raises(FileError, match="cannot be written"):
            save(network, tmp_path / "none" / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.onnx", "net.safetensors"]
    with pytest.raises(FileError, match=r"suffix '\.pt' cannot be written"):
        save(network, tmp_path / "net.pt")


def test_writing_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="opset: 13 to 22 can be written, found 12"):
        write_onnx(sample_network(), tmp_path / "net.onnx", opset=12)
    with pytest.raises(InputError, match=r"dtype: torch\.float32 or torch\.float64"):
        write_onnx(sample_network(), tmp_path / "net.onnx", dtype=torch.float16)
    huge = Network.from_module(nn.Linear(1, 1).double(), torch.ones(1, 1)).map_sources(
        lambda source: torch.full_like(resolve(source), 1e300)
    )
    with pytest.raises(InputError, match="holds NaN or infinity"):
        write_onnx(huge, tmp_path / "net.onnx")
    write_onnx(huge, tmp_path / "net.onnx", dtype=torch.float64)
    assert load(tmp_path / "net.onnx")(torch.ones(1, 1, dtype=torch.float64)).item() == 2e300


def test_a_slope_is_written_exactly(tmp_path: Path) -> None:
    network = Network.from_module(nn.LeakyReLU(0.1), torch.ones(1, 2))
    write_onnx(network, tmp_path / "net.onnx", dtype=torch.float64)
    (node,) = load(tmp_path / "net.onnx").nodes
    assert node.operator == Relu(0.1) or (isinstance(node.operator, Relu) and node.operator.negative_slope == 0.1)


def test_a_network_that_does_nothing(tmp_path: Path) -> None:
    network = Network((2,), (), 0)
    for name in ("net.onnx", "net.safetensors"):
        save(network, tmp_path / name)
        assert load(tmp_path / name)(torch.tensor([[1.0, 2.0]])).tolist() == [[1.0, 2.0]]


def test_training_shows_in_what_is_saved(tmp_path: Path) -> None:
    layer = nn.Linear(1, 1)
    network = Network.from_module(layer, torch.ones(1, 1))
    with torch.no_grad():
        layer.weight.fill_(2.0)
        layer.bias.fill_(1.0)  # type: ignore[union-attr]
    for name in ("net.onnx", "net.safetensors"):
        save(network, tmp_path / name)
        assert load(tmp_path / name)(torch.ones(1, 1)).item() == 3.0


def test_layers_become_the_few_operators(tmp_path: Path) -> None:
    network = read(
        [
            ("Conv", ["x", weights(2, 1, 2, 2)], {"pads": [0, 1, 0, 0]}),
            ("MaxPool", ["v0"], {"kernel_shape": [2, 2]}),
            ("Transpose", ["v1"], {"perm": [0, 2, 3, 1]}),
            ("Mul", ["v2", number(2)], {}),
        ],
        tmp_path,
        (1, 1, 4, 4),
    )
    assert [type(node.operator) for node in network.nodes] == [Convolution, MaxPool, Rearrange, Scale]
    assert network.nodes[0].operator.padding == ((0, 0), (1, 0))  # type: ignore[attr-defined]
    assert [node.name for node in network.nodes] == ["v0", "v1", "v2", "v3"]

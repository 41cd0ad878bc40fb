"""Training, worked by hand: what each objective and metric is on linear networks, and what is refused and how."""

from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Callable
from math import exp, log, log10, sqrt
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from reachbox import data, reach
from reachbox.box import Box
from reachbox.errors import FileError, InputError, ReachboxError
from reachbox.network import Network
from reachbox.network.architectures import build
from reachbox.network.files import load
from reachbox.training import (
    OBJECTIVES,
    Attack,
    DivergedError,
    Dropout,
    Evaluation,
    Jacobian,
    Objective,
    Plain,
    Robust,
    Sensitivity,
    Settings,
    Spectral,
    WarmUp,
    run,
    train,
)
from reachbox.training.checkpoint import read_checkpoint

FREE = Plain(l2=0)


def refusal(call: Callable[[], object], kind: type[ReachboxError] = InputError) -> str:
    """The message that `call` is refused with: one line."""
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert message
    assert len(message.splitlines()) == 1
    return message


def linear(weight: list[list[float]], bias: list[float] | None = None) -> nn.Module:
    """A linear network with these weights, float64."""
    matrix = torch.tensor(weight, dtype=torch.float64)
    layer = nn.Linear(matrix.shape[1], matrix.shape[0], bias=bias is not None, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(matrix)
        if bias is not None:
            layer.bias.copy_(torch.tensor(bias))
    return layer


def point(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


ZERO = torch.tensor([0])

# Architectures


def test_mlp_is_linear_layers_with_relu_between_them() -> None:
    layers = list(build("mlp:25,24", (4,), 3).children())
    assert [type(layer) for layer in layers] == [nn.Flatten, nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    assert [tuple(weight.shape) for weight in build("mlp:25,24", (2, 2), 3).parameters() if weight.ndim == 2] == [
        (25, 4),
        (24, 25),
        (3, 24),
    ]


def test_conv_halves_the_image_and_ends_in_one_linear_layer() -> None:
    module = build("conv:16,32", (1, 28, 28), 10)
    shapes = [tuple(weight.shape) for weight in module.parameters() if weight.ndim > 1]
    assert shapes == [(16, 1, 4, 4), (32, 16, 4, 4), (10, 1568)]
    assert module(torch.zeros(5, 1, 28, 28)).shape == (5, 10)


def test_seed_decides_the_weights_and_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    same, again, other = (build("mlp:5", (4,), 3, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(same[name], again[name]) for name in same)
    assert not torch.equal(same["1.weight"], other["1.weight"])


FACTORIES = """
import torch
def plain(): return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(3))
def sized(input_shape, classes): return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, classes))
def broken(): raise ValueError("two\\nlines")
def number(): return 3
def narrow(): return torch.nn.Linear(4, 2)
"""


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made_by_user.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize("name", ["plain", "sized"])
def test_a_factory_of_the_user(name: str) -> None:
    module = build(f"made_by_user:{name}", (2, 2), 3)
    assert module.training
    assert module(torch.zeros(5, 2, 2)).shape == (5, 3)


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ("mlp", "mlp:25,25,25"),
        ("mlp:", "mlp:25,25,25"),
        ("mlp:0", "from 1"),
        ("mlp:3,,3", "'mlp:3,,3'"),
        ("conv:3,-1", "'conv:3,-1'"),
        ("conv:8", "(channels, height, width)"),
        ("nowhere_to_be_found:make", "nowhere_to_be_found"),
        ("made_by_user:missing", "no callable 'missing'"),
        ("made_by_user:broken", "ValueError: two"),
        ("made_by_user:number", "found int"),
        ("made_by_user:narrow", "must give 3 outputs"),
    ],
)
def test_networks_that_are_refused(spec: str, names: str) -> None:
    assert names in refusal(lambda: build(spec, (4,), 3))


def test_too_many_convolutions_are_refused() -> None:
    assert "convolution 4 needs an image" in refusal(lambda: build("conv:4,4,4,4", (1, 8, 8), 10))


# Objectives


def test_plain_is_cross_entropy_and_squared_weights() -> None:
    model = linear([[1.0, 0.0], [0.0, 2.0]], bias=[0.0, 3.0])
    loss = Plain(l2=0.1)(model, point(0.0, 0.0), ZERO)
    assert loss.values() == pytest.approx({"cross_entropy": log(1 + exp(3)), "l2": 0.1 * (1 + 4 + 9)})
    assert loss.total.item() == pytest.approx(sum(loss.values().values()))


def test_biases_count_unless_told_otherwise() -> None:
    model = linear([[1.0, 0.0], [0.0, 2.0]], bias=[0.0, 3.0])
    loss = Plain(l2=0.1, counts_biases=False)(model, point(0.0, 0.0), ZERO)
    assert loss.values()["l2"] == pytest.approx(0.5)
    assert "l2" not in Plain(l2=0)(model, point(0.0, 0.0), ZERO).parts


# Output widths at radius 0.1 in both features: 0.2 * (1 + 2) = 0.6 and 0.2 * 3 = 0.6.
WIDE = [[1.0, -2.0], [0.0, 3.0]]


@pytest.mark.parametrize("method", ["dual", "interval", "crown"])
@pytest.mark.parametrize(("form", "value"), [("product", 0.36), ("geometric_width", 0.6), ("log_volume", log(0.36))])
def test_forms_of_sensitivity(method: str, form: str, value: float) -> None:
    objective = Sensitivity(radius=0.1, weight=0.5, form=form, method=method, task=FREE)  # type: ignore[arg-type]
    loss = objective(linear(WIDE), point(1.0, 1.0), ZERO)
    assert loss.values()["sensitivity"] == pytest.approx(0.5 * value)


def test_radius_is_per_feature() -> None:
    objective = Sensitivity(radius=[0.1, 0.0], weight=1.0, task=FREE)
    wide = linear([[1.0, -2.0], [2.0, 3.0]])  # widths 0.2 and 0.4
    assert objective(wide, point(1.0, 1.0), ZERO).values()["sensitivity"] == pytest.approx(0.08)


def test_sensitivity_is_the_mean_over_the_batch() -> None:
    objective = Sensitivity(radius=1.0, weight=1.0, task=FREE)
    model = nn.Sequential(linear([[1.0]], bias=[0.0]), nn.ReLU())  # width 2 at 5, 0 at -5
    loss = objective(model, torch.tensor([[5.0], [-5.0]], dtype=torch.float64), torch.tensor([0, 0]))
    assert loss.values()["sensitivity"] == pytest.approx(1.0)


@pytest.mark.parametrize("form", ["product", "geometric_width", "log_volume"])
def test_a_volume_of_zero_has_a_gradient_of_zero(form: str) -> None:
    model = linear(WIDE)
    loss = Sensitivity(radius=0.0, weight=1.0, form=form, task=FREE)(model, point(1.0, 1.0), ZERO)  # type: ignore[arg-type]
    loss.parts["sensitivity"].backward()  # type: ignore[no-untyped-call]
    (weight,) = model.parameters()
    assert loss.values()["sensitivity"] == 0
    assert weight.grad is not None
    assert not weight.grad.any()


def test_a_product_beyond_float32_is_still_a_number() -> None:
    model = linear([[1e10] * 2] * 5).float()
    loss = Sensitivity(radius=0.5, weight=1e-50, task=FREE)(model, point(0.0, 0.0).float(), ZERO)
    assert loss.values()["sensitivity"] == pytest.approx(1e-50 * 2e10**5, rel=1e-5)
    loss.total.backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is not None and bool(torch.isfinite(weight.grad).all()) for weight in model.parameters())


def test_robust_is_the_cross_entropy_of_the_worst_logits() -> None:
    # y_0 - y_1 = x_0 - 5 x_1 = 2 at (2, 0); over radius 0.1 it falls by 0.1 * 6.
    model = linear(WIDE)
    loss = Robust(radius=0.1, task=FREE)(model, point(2.0, 0.0), ZERO)
    assert loss.values() == pytest.approx({"robust_cross_entropy": log(1 + exp(-1.4))})


def test_jacobian_of_a_linear_network_is_its_matrix() -> None:
    loss = Jacobian(weight=2.0, task=FREE)(linear(WIDE), point(0.3, 0.4), ZERO)
    assert loss.values()["jacobian"] == pytest.approx(2 * sqrt(1 + 4 + 9))


@pytest.mark.parametrize("kernel", ["reshaped", "operator"])
def test_spectral_is_half_the_squared_singular_values(kernel: str) -> None:
    model = nn.Sequential(linear([[3.0, 0.0], [0.0, -1.0]]), nn.ReLU(), linear([[0.0, 2.0], [1.0, 0.0]]))
    objective = Spectral(weight=10.0, kernel=kernel, task=FREE)  # type: ignore[arg-type]
    loss = objective(model, point(1.0, 1.0), ZERO)
    assert loss.values()["spectral"] == pytest.approx(10 * (9 + 4) / 2)


def test_the_true_norm_of_a_convolution_exceeds_that_of_its_kernel() -> None:
    # A kernel of two ones: as a matrix its norm is sqrt(2); on a long signal it doubles a constant one.
    model = nn.Sequential(nn.Conv1d(1, 1, 2, bias=False, dtype=torch.float64), nn.Flatten())
    with torch.no_grad():
        model[0].weight.fill_(1.0)
    x = torch.zeros(1, 1, 200, dtype=torch.float64)
    parts = [
        Spectral(weight=1.0, kernel=kernel, task=FREE)(model, x, ZERO).values()["spectral"]  # type: ignore[arg-type]
        for kernel in ("reshaped", "operator")
    ]
    assert parts[0] == pytest.approx(2 / 2)
    assert parts[1] == pytest.approx(4 / 2, rel=1e-3)


def test_dropout_keeps_or_drops_each_input_of_the_last_layer() -> None:
    model = linear([[1.0], [0.0]])
    objective = Dropout(share=0.75, task=FREE)
    generator = torch.Generator().manual_seed(0)
    seen = {objective(model, point(1.0), ZERO, generator).total.item() for _ in range(50)}
    assert sorted(seen) == pytest.approx([log(1 + exp(-4.0)), log(2)])  # scaled by 4, or dropped
    assert objective(model.eval(), point(1.0), ZERO).total.item() == pytest.approx(log(1 + exp(-1.0)))


def test_objectives_add_up() -> None:
    model, x = linear(WIDE), point(2.0, 0.0)
    robust = Robust(radius=0.1, task=FREE)
    both = Sensitivity(radius=0.1, weight=1.0, task=Spectral(weight=1.0, task=robust))(model, x, ZERO)
    assert list(both.parts) == ["robust_cross_entropy", "spectral", "sensitivity"]
    assert both.total.item() == pytest.approx(sum(both.values().values()))


def test_a_network_and_its_module_have_the_same_loss() -> None:
    module = linear(WIDE)
    network = Network.from_module(module, point(0.0, 0.0))
    objective = Sensitivity(radius=0.1, weight=1.0, task=Plain(l2=0.1))
    assert objective(network, point(2.0, 0.0), ZERO).values() == objective(module, point(2.0, 0.0), ZERO).values()


def test_the_task_is_in_the_modules_mode_and_the_penalty_in_eval_mode() -> None:
    module = nn.Sequential(nn.Dropout(1 - 1e-12), linear(WIDE))
    loss = Sensitivity(radius=0.1, weight=1.0, task=FREE)(module, point(2.0, 0.0), ZERO)
    assert loss.values() == pytest.approx({"cross_entropy": log(2), "sensitivity": 0.36})
    assert module.training


def test_the_words_of_the_command_line() -> None:
    assert list(OBJECTIVES) == ["plain", "sensitivity", "spectral", "dropout", "jacobian", "robust"]


# Schedules


@pytest.mark.parametrize(("epoch", "share"), [(0.0, 0.0), (1.0, 0.0), (2.0, 0.25), (5.0, 1.0), (9.0, 1.0)])
def test_warm_up_rises_from_its_start_to_its_end(epoch: float, share: float) -> None:
    assert WarmUp(start=1.0, end=5.0).share(epoch) == share


def test_a_warm_up_without_length_is_a_switch() -> None:
    assert [WarmUp(3, 3).share(epoch) for epoch in (0.0, 2.9, 3.0)] == [0.0, 0.0, 1.0]
    assert WarmUp().share(0.0) == 1.0


def test_weight_and_radius_warm_up() -> None:
    objective = Sensitivity(
        radius=0.2, weight=1.0, weight_warm_up=WarmUp(end=4), radius_warm_up=WarmUp(end=2), task=FREE
    )
    model, x = linear(WIDE), point(2.0, 0.0)
    # At epoch 1 a quarter of the weight and half of the radius apply: widths of 0.6.
    assert objective.at(1.0)(model, x, ZERO).values()["sensitivity"] == pytest.approx(0.25 * 0.36)
    assert objective.at(0.0)(model, x, ZERO).values()["sensitivity"] == 0
    assert objective(model, x, ZERO).values()["sensitivity"] == pytest.approx(1.2**2)
    robust = Robust(radius=0.2, radius_warm_up=WarmUp(end=2), task=FREE).at(1.0)(model, x, ZERO)
    assert robust.total.item() == pytest.approx(log(1 + exp(-1.4)))


# Metrics


def test_metrics_of_a_linear_network() -> None:
    # Margins y_0 - y_1 = x_0 - 5 x_1 are 2, 0.3 and -1; over the box they fall by 0.6.
    x = torch.tensor([[2.0, 0.0], [0.3, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    names = ("CE", "ERR", "SENSE", "ADV_LOSS", "ADV_ERR", "JACOB", "SPECTRAL", "PGD_ERR")
    found = Evaluation(x, torch.zeros(3, dtype=torch.int64), 0.1, metrics=names)(linear(WIDE))
    largest = (14 + sqrt(14**2 - 4 * 9)) / 2  # of the eigenvalues of W W^T: trace 14, determinant 9
    assert found == pytest.approx(
        {
            "CE": sum(log(1 + exp(-margin)) for margin in (2.0, 0.3, -1.0)) / 3,
            "ERR": 1 / 3,
            "SENSE": log10(0.36),
            "SENSE_median": log10(0.36),
            "SENSE_geometric_mean": log10(0.36),
            "SENSE_positive": 1.0,
            "ADV_LOSS": sum(log(1 + exp(-margin)) for margin in (1.4, -0.3, -1.6)) / 3,
            "ADV_ERR": 2 / 3,
            "JACOB": sqrt(14),
            "SPECTRAL": largest / 2,
            "PGD_ERR": 2 / 3,
        }
    )


def test_an_attack_stays_inside_the_box() -> None:
    x = torch.tensor([[0.61, 0.0], [0.59, 0.0]], dtype=torch.float64)
    box = Box.around(x, 0.1)
    fooled = Attack().fools(Network.from_module(linear(WIDE), x), box, x, torch.zeros(2, dtype=torch.int64))
    assert fooled.tolist() == [False, True]


# What is refused


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: Plain(l2=-1.0), "l2"),
        (lambda: Sensitivity(radius=0.1, weight=float("nan")), "weight"),
        (lambda: Sensitivity(radius=0.1, form="volume"), "geometric_width"),  # type: ignore[arg-type]
        (lambda: Sensitivity(radius=0.1, subsample=0.0), "subsample"),
        (lambda: Sensitivity(radius=0.1, method="alpha"), "interval, dual, crown"),
        (lambda: Robust(radius=0.1, method="nothing"), "'nothing'"),
        (lambda: Spectral(kernel="round"), "kernel"),  # type: ignore[arg-type]
        (lambda: Dropout(share=1.0), "share"),
        (lambda: WarmUp(start=2.0, end=1.0), "start <= end"),
        (lambda: Attack(restarts=0), "restarts"),
        (lambda: Settings(epochs=-1), "epochs"),
        (lambda: Settings(optimiser="lbfgs"), "adam or sgd"),
        (lambda: Settings(learning_rate=0.0), "learning_rate"),
        (lambda: Settings(momentum=0.9), "only with sgd"),
        (lambda: Settings(clip=-1.0), "clip"),
        (lambda: Evaluation(torch.zeros(1, 2), ZERO, 0.1, metrics=("LOSS",)), "'LOSS'"),
    ],
)
def test_options_that_are_refused(make: Callable[[], object], names: str) -> None:
    assert names in refusal(make)


@pytest.mark.parametrize(
    ("objective", "x", "y", "names"),
    [
        (Plain(), point(0.0, 0.0), torch.tensor([2]), "0 to 1 is allowed"),
        (Plain(), point(0.0, 0.0), torch.tensor([0, 0]), "one label a sample"),
        (Sensitivity(radius=[0.1, 0.1, 0.1]), point(0.0, 0.0), ZERO, "radius"),
        (Sensitivity(radius=-0.1), point(0.0, 0.0), ZERO, "negative"),
        (Sensitivity(radius=0.1, subsample=0.5), point(0.0, 0.0), ZERO, "torch.Generator"),
        (Dropout(), point(0.0, 0.0), ZERO, "torch.Generator"),
    ],
)
def test_calls_that_are_refused(objective: Objective, x: Tensor, y: Tensor, names: str) -> None:
    assert names in refusal(lambda: objective(linear(WIDE), x, y))


def test_divergence_names_epoch_step_and_part() -> None:
    x = torch.randn(40, 2, dtype=torch.float64)
    y = (x[:, 0] > 0).long()
    settings = Settings(epochs=50, batch_size=10, optimiser="sgd", learning_rate=1e10)
    message = refusal(lambda: train(linear(WIDE), Plain(l2=1.0), x, y, settings), DivergedError)
    assert message.startswith("epoch ")
    assert "step" in message
    assert "l2" in message


def test_a_penalty_that_overflows_names_itself() -> None:
    model = linear([[1e200, 0.0], [0.0, 1e200]])
    objective = Sensitivity(radius=1.0, task=FREE)
    message = refusal(lambda: train(model, objective, point(0.0, 0.0), ZERO, Settings(epochs=1)), DivergedError)
    assert message.startswith("epoch 1, step 1: the part 'sensitivity' of the loss is inf")


# Folders


def iris_run(folder: Path, *, weight: float = 1e-3, epochs: int = 2, hidden: int = 5) -> None:
    iris = data.load("iris")
    radius = iris.radius(sigma=0.1)
    run(
        folder, build(f"mlp:{hidden}", iris.input_shape, iris.classes), Sensitivity(radius=radius, weight=weight), iris,
        Settings(epochs=epochs), evaluations={"test": Evaluation(iris.x_test, iris.y_test, radius)},
        about={"sigma": 0.1},
    )  # fmt: skip


def test_a_folder_tells_what_was_done(tmp_path: Path) -> None:
    iris_run(tmp_path / "run")
    whole = json.loads((tmp_path / "run" / "run.json").read_text())
    assert whole["run"]["objective"]["weight"] == 1e-3
    assert whole["run"]["objective"]["radius"]["range"] == pytest.approx([0.24, 0.59])
    assert whole["run"]["settings"]["seed"] == 0
    assert whole["about"] == {"sigma": 0.1}
    assert set(whole["versions"]) == {"reachbox", "torch", "numpy", "python"}
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert {"loss_cross_entropy", "loss_l2", "loss_sensitivity", "test_ERR", "test_SENSE"} < set(rows[0])
    assert float(rows[2]["loss_cross_entropy"]) < float(rows[1]["loss_cross_entropy"])


def test_the_result_is_a_network_for_every_other_command(tmp_path: Path) -> None:
    iris_run(tmp_path)
    iris = data.load("iris")
    saved, state = load(tmp_path / "network.safetensors"), read_checkpoint(tmp_path / "checkpoint.safetensors")
    module = build("mlp:5", iris.input_shape, iris.classes, seed=1)
    module.load_state_dict(dict(state.module))
    box = Box.around(iris.x_test, iris.radius(sigma=0.1))
    assert torch.equal(reach(saved, box).lower, reach(module, box).lower)


def test_another_run_in_the_folder_is_refused_by_what_differs(tmp_path: Path) -> None:
    iris_run(tmp_path)
    before = (tmp_path / "run.json").read_bytes()
    message = refusal(lambda: iris_run(tmp_path, weight=1e-4))
    assert "objective.weight is 0.001 there and 0.0001 here" in message
    assert "network.layers.1" in refusal(lambda: iris_run(tmp_path, hidden=6))
    assert "2 epochs are done there, 1 are asked for" in refusal(lambda: iris_run(tmp_path, epochs=1))
    assert json.loads(before)["run"] == json.loads((tmp_path / "run.json").read_bytes())["run"]


class Hostile:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return exec, ("raise SystemExit('a pickle was run')",)


def damaged(path: Path, how: str) -> None:
    whole = path.read_bytes()
    match how:
        case "truncated":
            path.write_bytes(whole[: len(whole) // 2])
        case "empty":
            path.write_bytes(b"")
        case "pickle":
            path.write_bytes(pickle.dumps(Hostile()))
        case "foreign":
            save_file({"weight": torch.zeros(2)}, path)
        case "folder":
            path.unlink()
            path.mkdir()


@pytest.mark.parametrize("how", ["truncated", "empty", "pickle", "foreign", "folder"])
def test_damaged_checkpoints_are_refused(tmp_path: Path, how: str) -> None:
    iris_run(tmp_path)
    damaged(tmp_path / "checkpoint.safetensors", how)
    assert "checkpoint.safetensors" in refusal(lambda: iris_run(tmp_path, epochs=3), FileError)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"run": 3'])
def test_damaged_descriptions_are_refused(tmp_path: Path, text: str) -> None:
    iris_run(tmp_path)
    (tmp_path / "run.json").write_text(text)
    assert "run.json" in refusal(lambda: iris_run(tmp_path), FileError)


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path: Path) -> None:
    iris_run(tmp_path)
    iris = data.load("iris")
    state = read_checkpoint(tmp_path / "checkpoint.safetensors")
    message = refusal(
        lambda: train(build("mlp:6", (4,), 3), FREE, iris.x_train, iris.y_train, Settings(epochs=9), start=state)
    )
    assert "another architecture" in message
    assert "(5,) in the state, (6,) in the module" in message


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be made" in refusal(lambda: iris_run(tmp_path / "file" / "run"), FileError)


def test_the_saved_network_takes_original_units(tmp_path: Path) -> None:
    iris, plain = data.load("iris", standardise=True), data.load("iris")
    module = build("mlp:5", iris.input_shape, iris.classes)
    run(tmp_path, module, Plain(), iris, Settings(epochs=1))
    saved = load(tmp_path / "network.safetensors")
    torch.testing.assert_close(saved(plain.x_train).float(), module(iris.x_train.float()), rtol=1e-4, atol=1e-5)
    ours = reach(saved, Box.around(plain.x_train[:5], plain.radius(sigma=0.1)), "dual")
    theirs = reach(module, Box.around(iris.x_train[:5], iris.radius(sigma=0.1)), "dual")
    torch.testing.assert_close(ours.width, theirs.width.detach(), rtol=1e-5, atol=1e-7)

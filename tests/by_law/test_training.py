"""Training, by law: gradients, estimates, orders among metrics, and runs that do not notice an interruption."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from reachbox import data
from reachbox.data import Dataset
from reachbox.network.architectures import build
from reachbox.training import (
    Attack,
    DivergedError,
    Dropout,
    Evaluation,
    Jacobian,
    Loss,
    Objective,
    Plain,
    Robust,
    Sensitivity,
    Settings,
    Spectral,
    State,
    Step,
    run,
    train,
)
from reachbox.training.checkpoint import read_checkpoint
from reachbox.training.objectives import Model
from tests.conftest import ZOO, Example

FREE = Plain(l2=0)
RADIUS = 0.05

OBJECTIVES: dict[str, Objective] = {
    "plain": Plain(l2=0.01),
    "product": Sensitivity(radius=RADIUS, weight=10.0),
    "log_volume": Sensitivity(radius=RADIUS, weight=0.1, form="log_volume"),
    "geometric_width": Sensitivity(radius=RADIUS, weight=0.1, form="geometric_width", method="interval"),
    "margins": Sensitivity(radius=RADIUS, weight=0.1, form="geometric_width", of="margins", method="interval"),
    "crown": Sensitivity(radius=RADIUS, weight=10.0, method="crown"),
    "spectral": Spectral(weight=0.1),
    "operator": Spectral(weight=0.1, kernel="operator"),
    "jacobian": Jacobian(weight=0.1),
    "robust": Robust(radius=RADIUS),
    "sum": Sensitivity(radius=RADIUS, weight=10.0, task=Jacobian(task=Robust(radius=RADIUS))),
}


def batch_for(example: Example, samples: int) -> tuple[Tensor, Tensor]:
    return torch.randn(samples, *example.shape, dtype=torch.float64), torch.randint(3, (samples,))


def weights_of(module: nn.Module) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in module.parameters()])


# Gradients


@pytest.mark.parametrize("network", ["relu", "residual", "tanh"])
@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_gradients_equal_finite_differences(name: str, network: str) -> None:
    module = ZOO[network].make().double().eval()
    x, y = batch_for(ZOO[network], 3)
    weights = list(module.parameters())
    direction = [torch.randn_like(weight) for weight in weights]

    def loss_at(step: float) -> float:
        with torch.no_grad():
            for weight, way in zip(weights, direction, strict=True):
                weight += step * way
        value = OBJECTIVES[name](module, x, y).total.item()
        with torch.no_grad():
            for weight, way in zip(weights, direction, strict=True):
                weight -= step * way
        return value

    OBJECTIVES[name](module, x, y).total.backward()  # type: ignore[no-untyped-call]
    slope = sum(
        float((weight.grad * way).sum())
        for weight, way in zip(weights, direction, strict=True)
        if weight.grad is not None
    )
    assert slope == pytest.approx((loss_at(1e-6) - loss_at(-1e-6)) / 2e-6, rel=1e-4, abs=1e-6)


def test_remembered_vectors_give_the_norms_that_are_computed_anew() -> None:
    module = ZOO["residual"].make().double()
    x, y = batch_for(ZOO["residual"], 2)
    for kernel in ("reshaped", "operator"):
        objective = Spectral(kernel=kernel)  # type: ignore[arg-type]
        begun = objective.begin(module, x)
        assert begun(module, x, y).values() == pytest.approx(objective(module, x, y).values())


# A share of the batch


@pytest.mark.parametrize("form", ["product", "geometric_width", "log_volume"])
def test_a_share_of_the_batch_is_an_unbiased_estimate(form: str) -> None:
    module = ZOO["relu"].make().double()
    x, y = batch_for(ZOO["relu"], 5)
    whole = Sensitivity(radius=RADIUS, weight=1.0, form=form, task=FREE)  # type: ignore[arg-type]
    subsets = [whole.term(module, x[list(chosen)], y[list(chosen)]).item() for chosen in combinations(range(5), 2)]
    assert sum(subsets) / len(subsets) == pytest.approx(whole.term(module, x, y).item())

    generator = torch.Generator().manual_seed(1)
    share = replace(whole, subsample=0.4)
    found = [share(module, x, y, generator).values()["sensitivity"] for _ in range(500)]
    counts = [sum(value == pytest.approx(subset) for value in found) for subset in subsets]
    assert sum(counts) == 500
    assert sum((count - 50) ** 2 / 50 for count in counts) < 21.7  # chi-squared, 9 degrees of freedom, 1 %


# Orders


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), radius=st.floats(0, 0.5), network=st.sampled_from(["relu", "tanh", "residual"]))
def test_what_is_attained_lies_below_what_is_proven(seed: int, radius: float, network: str) -> None:
    torch.manual_seed(seed)
    module = ZOO[network].make()
    x, y = batch_for(ZOO[network], 20)
    names = ("CE", "ERR", "ADV_LOSS", "ADV_ERR", "PGD_ERR")
    found = Evaluation(x, y, radius, metrics=names, attack=Attack(steps=5, restarts=2))(module)
    assert found["ERR"] <= found["PGD_ERR"] <= found["ADV_ERR"]
    assert found["CE"] <= found["ADV_LOSS"] + 1e-12


@settings(max_examples=5)
@given(seed=st.integers(0, 2**31))
def test_more_restarts_fool_no_fewer_samples(seed: int) -> None:
    torch.manual_seed(seed)
    module = ZOO["relu"].make()
    x, y = batch_for(ZOO["relu"], 20)
    errors = [
        Evaluation(x, y, 0.3, metrics=("PGD_ERR",), attack=Attack(steps=3, restarts=restarts))(module)["PGD_ERR"]
        for restarts in (1, 2, 4)
    ]
    assert errors == sorted(errors)


def test_metrics_do_not_depend_on_the_modules_mode_or_dtype_of_the_samples() -> None:
    module = ZOO["residual"].make()
    x, y = batch_for(ZOO["residual"], 10)
    x = x.float()
    evaluations = [Evaluation(samples, y, 0.1) for samples in (x, x.double())]
    assert evaluations[0](module.train()) == evaluations[1](module.eval())


# The loop


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """A few digits."""
    whole = data.load("digits")
    return replace(whole, x_train=whole.x_train[:240], y_train=whole.y_train[:240], x_test=whole.x_test[:40],
                   y_test=whole.y_test[:40])  # fmt: skip


def noisy(digits: Dataset) -> nn.Module:
    """A module with everything that remembers or draws: running statistics and dropout."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(1, 4, 4, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(64, 10)
        )


def everything(digits: Dataset) -> Objective:
    """An objective that draws and remembers."""
    radius = digits.radius(sigma=0.05)
    task = Spectral(task=Dropout(share=0.2, task=Plain()))
    return Sensitivity(radius=radius, weight=1e-3, subsample=0.2, form="geometric_width", task=task)


SETTINGS = Settings(epochs=3, batch_size=30)


@dataclass(frozen=True, eq=False)
class Recording(Objective):
    """An objective that also keeps the labels it sees."""

    name: ClassVar[str] = "recording"
    task: Objective
    seen: list[Tensor]

    def __call__(self, model: Model, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> Loss:
        self.seen.append(y)
        return self.task(model, x, y, generator)


def test_every_objective_sees_the_same_batches(digits: Dataset) -> None:
    tasks: list[Objective] = [Plain(), everything(digits), Jacobian()]
    recordings = [Recording(task, []) for task in tasks]
    for recording in recordings:
        train(noisy(digits), recording, digits.x_train, digits.y_train, SETTINGS)
    first = torch.stack(recordings[0].seen)
    assert all(torch.equal(first, torch.stack(recording.seen)) for recording in recordings)
    assert not torch.equal(first[:8], first[8:16])  # another order in each epoch
    assert first[:8].flatten().sort().values.equal(digits.y_train.sort().values)  # every sample once


def test_the_seed_decides_everything_and_nothing_outside_is_touched(digits: Dataset) -> None:
    def weights(seed: int) -> Tensor:
        module = noisy(digits).eval()
        train(module, everything(digits), digits.x_train, digits.y_train, replace(SETTINGS, seed=seed))
        assert not any(part.training for part in module.modules())
        return weights_of(module)

    before = torch.get_rng_state()
    same, again, other = weights(5), weights(5), weights(6)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(same, again)
    assert not torch.equal(same, other)


def test_the_loop_is_the_one_that_anyone_would_write(digits: Dataset) -> None:
    ours, theirs = (build("mlp:8", digits.input_shape, digits.classes) for _ in range(2))
    objective = Sensitivity(radius=RADIUS, weight=1e-6)
    how = Settings(epochs=1, batch_size=240, optimiser="sgd", learning_rate=0.1, momentum=0.9)
    train(ours, objective, digits.x_train, digits.y_train, how)
    optimiser = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)
    objective(theirs, digits.x_train.float(), digits.y_train).total.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    assert torch.allclose(weights_of(ours), weights_of(theirs), atol=1e-6)


@pytest.fixture(scope="module")
def trained(digits: Dataset) -> State:
    """A network trained without a penalty."""
    module = build("conv:6", digits.input_shape, digits.classes)
    return train(module, Plain(), digits.x_train, digits.y_train, Settings(epochs=20, batch_size=30))


def warm(digits: Dataset, trained: State) -> nn.Module:
    module = build("conv:6", digits.input_shape, digits.classes)
    module.load_state_dict(dict(trained.module))
    return module


@pytest.mark.parametrize(
    ("objective", "metric"),
    [
        (Sensitivity(radius=RADIUS, weight=1e-3), "SENSE"),
        (Sensitivity(radius=RADIUS, weight=1e-3, method="interval"), "SENSE"),
        (Sensitivity(radius=RADIUS, weight=1.0, form="geometric_width"), "SENSE_geometric_mean"),
        (Sensitivity(radius=RADIUS, weight=0.1, form="log_volume"), "SENSE_geometric_mean"),
        (Sensitivity(radius=RADIUS, weight=1e-3, subsample=0.2), "SENSE"),
        (Spectral(weight=0.1), "SPECTRAL"),
        (Jacobian(weight=0.1), "JACOB"),
        (Robust(radius=0.2), "ADV_LOSS"),
    ],
    ids=["product", "interval", "geometric_width", "log_volume", "subsample", "spectral", "jacobian", "robust"],
)
def test_each_method_lowers_its_own_metric(objective: Objective, metric: str, digits: Dataset, trained: State) -> None:
    def end(chosen: Objective) -> float:
        module = warm(digits, trained)
        how = Settings(epochs=3, batch_size=30, clip=1.0)
        train(module, chosen, digits.x_train, digits.y_train, how)
        radius = getattr(objective, "radius", RADIUS)
        found = Evaluation(digits.x_train, digits.y_train, radius, metrics=(metric.removesuffix("_geometric_mean"),))(
            module
        )
        return found[metric]

    assert end(objective) < end(Plain())


def test_a_warm_start_needs_the_gradient_clipped(digits: Dataset, trained: State) -> None:
    objective = Sensitivity(radius=0.2, weight=1e-3)
    how = Settings(epochs=2, batch_size=30, optimiser="sgd", learning_rate=0.05)
    sense = Evaluation(digits.x_train, digits.y_train, 0.2, metrics=("SENSE",))
    with pytest.raises(DivergedError):
        train(warm(digits, trained), objective, digits.x_train, digits.y_train, how)
    module = warm(digits, trained)
    before = sense(module)["SENSE"]
    train(module, objective, digits.x_train, digits.y_train, replace(how, clip=1.0))
    assert sense(module)["SENSE"] < before - 2


# Interruptions


class KilledError(Exception):
    """Stands for a process that ends at once."""


def kill_at(epoch: int, step: int) -> Callable[[Step], None]:
    def on_step(now: Step) -> None:
        if (now.epoch, now.step) == (epoch, step):
            raise KilledError

    return on_step


def go(folder: Path, digits: Dataset, on_step: Callable[[Step], None] | None = None, epochs: int = 3) -> State:
    evaluation = Evaluation(digits.x_test, digits.y_test, digits.radius(sigma=0.05))
    return run(
        folder, noisy(digits), everything(digits), digits, replace(SETTINGS, epochs=epochs),
        evaluations={"test": evaluation}, on_step=on_step,
    )  # fmt: skip


def outcome(folder: Path) -> tuple[bytes, list[list[str]]]:
    """The network, and the table without its times."""
    rows = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()]
    return (folder / "network.safetensors").read_bytes(), [row[:1] + row[3:] for row in rows]


@pytest.fixture(scope="module")
def undisturbed(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[list[str]]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    go(folder, digits)
    return outcome(folder)


@pytest.mark.parametrize(("epoch", "step"), [(1, 1), (1, 5), (2, 1), (3, 8)])
def test_a_run_killed_at_any_step_ends_as_if_it_had_not_been(
    epoch: int, step: int, digits: Dataset, undisturbed: tuple[bytes, list[list[str]]], tmp_path: Path
) -> None:
    with pytest.raises(KilledError):
        go(tmp_path, digits, kill_at(epoch, step))
    assert not (tmp_path / "network.safetensors").exists()
    state = go(tmp_path, digits)
    assert state.epoch == 3
    assert outcome(tmp_path) == undisturbed


@pytest.mark.parametrize("call", range(1, 10))
@pytest.mark.parametrize("wrote", [False, True])
def test_a_run_killed_around_any_write_ends_as_if_it_had_not_been(
    call: int, wrote: bool, digits: Dataset, undisturbed: tuple[bytes, list[list[str]]], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    written = 0

    def fragile(write: Callable[[Path, bytes], None]) -> Callable[[Path, bytes], None]:
        def until_killed(path: Path, content: bytes) -> None:
            nonlocal written
            written += 1
            if written == call and not wrote:
                raise KilledError
            write(path, content)
            if written == call:
                raise KilledError

        return until_killed

    with monkeypatch.context() as patched:
        for name in ("reachbox.training.run", "reachbox.training.checkpoint"):
            module = importlib.import_module(name)
            patched.setattr(module, "write_atomically", fragile(module.write_atomically))
        with pytest.raises(KilledError):
            go(tmp_path, digits)
    go(tmp_path, digits)
    assert outcome(tmp_path) == undisturbed


def test_more_epochs_go_on_where_fewer_ended(
    digits: Dataset, undisturbed: tuple[bytes, list[list[str]]], tmp_path: Path
) -> None:
    go(tmp_path, digits, epochs=1)
    go(tmp_path, digits)
    assert outcome(tmp_path) == undisturbed
    again = go(tmp_path, digits, kill_at(1, 1))  # nothing is left to do
    assert again.epoch == 3
    assert outcome(tmp_path) == undisturbed


def test_a_diverged_run_keeps_the_checkpoint_before_it(digits: Dataset, tmp_path: Path) -> None:
    how = Settings(epochs=9, batch_size=30, optimiser="sgd", learning_rate=1e6)
    with pytest.raises(DivergedError):
        run(tmp_path, noisy(digits), Plain(l2=1.0), digits, how)
    state = read_checkpoint(tmp_path / "checkpoint.safetensors")
    assert all(bool(torch.isfinite(weight).all()) for weight in state.module.values())

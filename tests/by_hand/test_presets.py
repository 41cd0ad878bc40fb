"""Whole trainings by name, schedules, and what the sensitivity term is taken of."""

from __future__ import annotations

import errno
from collections.abc import Callable
from math import exp, log
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reachbox.data import Dataset
from reachbox.errors import FileError, InputError
from reachbox.training import PRESETS, CoolDown, Plain, Sensitivity, Settings, run, train
from reachbox.training.checkpoint import read_checkpoint
from reachbox.training.objectives.jacobian import Jacobian
from reachbox.training.train import Step

ZERO = torch.tensor([0])
POINT = torch.tensor([[1.0, 0.0]], dtype=torch.float64)


def identity() -> nn.Module:
    """Two outputs, their inputs."""
    return nn.Sequential(nn.Flatten(), last(torch.eye(2)))


def last(weight: Tensor) -> nn.Linear:
    """A linear layer of this weight."""
    layer = nn.Linear(2, 2, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


@pytest.mark.parametrize("method", ["dual", "interval", "crown"])
@pytest.mark.parametrize("form", ["product", "geometric_width"])
def test_the_margin_of_two_outputs_moves_by_both(method: str, form: str) -> None:
    objective = Sensitivity(radius=0.1, weight=1.0, of="margins", form=form, method=method, task=Plain(l2=0))  # type: ignore[arg-type]
    assert objective(identity(), POINT, ZERO).values()["sensitivity"] == pytest.approx(0.4)


@pytest.mark.parametrize("method", ["dual", "interval", "crown"])
def test_the_log_probability_moves_between_its_ends(method: str) -> None:
    objective = Sensitivity(radius=0.1, weight=1.0, of="log_probability", method=method, task=Plain(l2=0))
    width = log(1 + exp(-0.8)) - log(1 + exp(-1.2))  # the margin is 1, give or take .2
    assert objective(identity(), POINT, ZERO).values()["sensitivity"] == pytest.approx(width)


def test_margins_leave_out_what_all_outputs_share() -> None:
    module = nn.Sequential(nn.Flatten(), last(torch.ones(2, 2)))
    margins = Sensitivity(radius=0.1, weight=1.0, of="margins", task=Plain(l2=0))
    assert margins(module, POINT, ZERO).values()["sensitivity"] == 0
    assert Sensitivity(radius=0.1, weight=1.0, task=Plain(l2=0))(module, POINT, ZERO).values()["sensitivity"] > 0


def test_of_is_checked() -> None:
    with pytest.raises(InputError, match="outputs, margins, log_probability"):
        Sensitivity(radius=0.1, of="logits")  # type: ignore[arg-type]


@pytest.mark.parametrize(("epoch", "share"), [(0.0, 1.0), (2.0, 1.0), (3.0, 0.5), (4.0, 0.0), (9.0, 0.0)])
def test_a_cool_down_falls_from_its_start_to_its_end(epoch: float, share: float) -> None:
    assert CoolDown(start=2, end=4).share(epoch) == share


def test_a_training_must_not_outlast_its_cool_down() -> None:
    with pytest.raises(InputError, match="5 epochs and an end at 4"):
        Settings(epochs=5, cool_down=CoolDown(end=4))


def test_the_steps_shrink_with_the_learning_rate() -> None:
    """One sample, one step an epoch, a constant gradient: 1 + 3/4 + 1/2 + 1/4 steps."""
    module = nn.Linear(1, 2).double()
    moved: list[float] = []

    def on_step(step: Step) -> None:
        moved.append(step.gradient_norm)

    before = torch.cat([weight.detach().flatten() for weight in module.parameters()])
    settings = Settings(epochs=4, optimiser="sgd", learning_rate=1e-9, cool_down=CoolDown(end=4))
    train(module, Plain(l2=0), torch.ones(1, 1), ZERO, settings, on_step=on_step)
    after = torch.cat([weight.detach().flatten() for weight in module.parameters()])
    assert float((after - before).norm()) == pytest.approx(2.5e-9 * moved[0], rel=1e-5)


def test_a_preset_spreads_its_stages_over_its_epochs() -> None:
    objective = PRESETS["jacobian"].lasting(10).objective(torch.tensor(0.1))
    assert isinstance(objective, Jacobian)
    assert [objective.at(epoch).weight for epoch in (5.9, 6.0)] == [0.0, 0.1]
    best = PRESETS["recommended"].lasting(5)
    assert (best.settings.epochs, best.settings.cool_down) == (5, CoolDown(end=5))


def small_data() -> Dataset:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(40, 2, generator=generator, dtype=torch.float64)
    return Dataset.of("squares", (x, (x[:, 0] > 0.5).long()), (x[:9], (x[:9, 0] > 0.5).long()), ("low", "high"))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(2, 2))


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, folder = small_data(), tmp_path / "run"
    run(folder, network(), Plain(), data, Settings(epochs=2, batch_size=10))

    def full(self: Path, mode: str = "r", *arguments: object, **options: object) -> object:
        if "x" in mode:
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(self, mode, *arguments, **options)

    opened: Callable[..., object] = Path.open
    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(FileError, match="No space left on device"):
        run(folder, network(), Plain(), data, Settings(epochs=3, batch_size=10))
    monkeypatch.undo()
    assert read_checkpoint(folder / "checkpoint.safetensors").epoch == 2
    assert run(folder, network(), Plain(), data, Settings(epochs=3, batch_size=10)).epoch == 3


def test_one_class_and_labels_out_of_range_are_refused() -> None:
    x: Tensor = torch.rand(4, 2, dtype=torch.float64)
    with pytest.raises(InputError, match="at least two classes"):
        Dataset.of("one", (x, torch.zeros(4, dtype=torch.int64)), (x, torch.zeros(4, dtype=torch.int64)), ("only",))
    with pytest.raises(InputError, match=r"epoch 1, step 1.*0 to 1 is allowed"):
        train(network(), Plain(), x.float(), torch.tensor([0, 1, 2, 1]), Settings(epochs=1))

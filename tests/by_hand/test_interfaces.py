"""What stands around the commands: the doctor, silence and talk, TensorBoard, Lightning."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from reachbox.cli import main
from reachbox.errors import UnsupportedError
from reachbox.network import Network
from reachbox.training import Plain, Sensitivity, lightning
from reachbox.training.objectives import Loss

TRAIN = ["train", "--data", "iris", "--network", "mlp:4", "--epochs", "2", "--sigma", "0.05"]


def left(*arguments: object) -> int:
    with pytest.raises(SystemExit) as found:
        main([str(argument) for argument in arguments])
    assert isinstance(found.value.code, int)
    return found.value.code


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("reachbox")]


def test_the_doctor_names_what_is_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert left("doctor", "--json", "--data-dir", tmp_path) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["torch"] == torch.__version__
    assert found["solvers"]["highs"][0].isdigit()
    assert "not found in" in found["data"]["mnist"]
    assert left("doctor") == 0
    assert "compiled code" in capsys.readouterr().out


def test_a_run_tells_its_steps_where_that_is_asked_for(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    before = logging.getLogger("reachbox").level
    try:
        assert left("--quiet", *TRAIN, "--out", tmp_path / "a") == 0
        assert not told(caplog)
        assert left("--verbose", *TRAIN, "--out", tmp_path / "b") == 0
        assert "epoch 2 of 2, test_CE" in told(caplog)[-1]
    finally:
        logging.getLogger("reachbox").setLevel(before)


def test_tensorboard_gets_every_epoch_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for _ in range(2):  # the second time everything is there already
        assert left(*TRAIN, "--out", tmp_path, "--tensorboard") == 0
    assert capsys.readouterr().err == ""
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("test/ERR")] == [0, 1, 2]
    assert [event.step for event in events.Scalars("loss/cross_entropy")] == [1, 2]


def test_lightning_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lightning, "Callback", object)
    with pytest.raises(UnsupportedError, match=r"reachbox\[lightning\]"):
        lightning.PenaltyCallback(Sensitivity(radius=0.1))


def test_lightning_minimises_loss_and_penalty(tmp_path: Path) -> None:
    """One step of plain descent moves the weights by the gradient of the sum."""
    pl = pytest.importorskip("lightning.pytorch")
    x, y = torch.tensor([[1.0, 0.5], [-0.5, 2.0]]), torch.tensor([0, 1])
    penalty = Sensitivity(radius=0.1, weight=0.5, form="geometric_width", task=Plain(l2=0.0))
    classifier = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    loss: Loss = penalty(Network.from_module(classifier, x), x, y)
    expected = [w - 0.1 * g for w, g in zip(classifier.parameters(), torch.autograd.grad(
        loss.total, list(classifier.parameters())), strict=True)]  # fmt: skip

    class Module(pl.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.classifier = classifier

        def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
            return functional.cross_entropy(self.classifier(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=2)
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path,
        callbacks=[lightning.PenaltyCallback(penalty, network="classifier")],
    )  # fmt: skip
    trainer.fit(Module(), loader)
    for found, wanted in zip(classifier.parameters(), expected, strict=True):
        torch.testing.assert_close(found.detach(), wanted.detach())
    assert trainer.callback_metrics["sensitivity"].item() == pytest.approx(loss.values()["sensitivity"], rel=1e-5)

"""Modules captured from torch: live weights, modes, and refusals by name."""

from __future__ import annotations

import gc
import logging
import weakref

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import reachbox as rb
from tests.conftest import Example


def test_a_captured_network_computes_what_the_module_does(example: Example) -> None:
    module = example.make().eval()
    x = torch.randn(5, *example.shape)
    network = rb.Network.from_module(module, x)
    torch.testing.assert_close(network(x), module(x).detach().flatten(1).reshape(network(x).shape))
    torch.testing.assert_close(network(x.double()).float(), module(x), rtol=1e-4, atol=1e-5)


def test_weights_are_the_modules_own() -> None:
    module = nn.Linear(2, 1)
    network = rb.Network.from_module(module, torch.zeros(1, 2))
    with torch.no_grad():
        module.weight.fill_(7.0)
        module.bias.fill_(0.0)
    assert network(torch.ones(1, 2)).item() == 14.0
    network(torch.ones(1, 2)).sum().backward()
    assert module.weight.grad is not None


def test_running_statistics_are_read_at_each_use() -> None:
    module = nn.Sequential(nn.BatchNorm1d(3))
    network = rb.Network.from_module(module, torch.zeros(1, 3))
    x = torch.randn(64, 3) * 5 + 2
    module.train()
    module(x)
    module.eval()
    torch.testing.assert_close(network(x), module(x))


def test_the_mode_of_every_part_is_restored() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.BatchNorm1d(2))
    module.train()
    module[2].eval()
    rb.Network.from_module(module, torch.zeros(1, 2))
    assert (module.training, module[1].training, module[2].training) == (True, True, False)


def test_dropout_is_off_in_the_captured_graph() -> None:
    module = nn.Sequential(nn.Dropout(0.9), nn.Linear(50, 1))
    module.train()
    network = rb.Network.from_module(module, torch.zeros(1, 50))
    x = torch.randn(3, 50)
    torch.testing.assert_close(network(x), module[1](x))


def test_a_parametrised_weight_is_computed_from_the_live_one() -> None:
    module = nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 2)))
    network = rb.Network.from_module(module, torch.zeros(1, 3))
    with torch.no_grad():
        module[0].parametrizations.weight.original0.mul_(3.0)
    x = torch.randn(4, 3)
    torch.testing.assert_close(network(x), module(x))


def test_work_in_place_is_read_right() -> None:
    class InPlace(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x * 2
            z = nn.functional.relu(y, inplace=True)
            z += x
            return y + z

    x = torch.randn(6, 3)
    network = rb.Network.from_module(InPlace(), x)
    torch.testing.assert_close(network(x), InPlace()(x))


def test_reshapes_slices_pads_and_reductions() -> None:
    class Moves(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a, b = x.chunk(2, dim=1)
            y = nn.functional.pad(a.permute(0, 2, 1), (1, 0)).transpose(1, 2)[:, 1:]
            b = torch.stack([b[:, 0], b[:, 1]], dim=1)
            w = torch.cat([y, b.flip(1)], dim=1).mean(dim=1, keepdim=True)
            return (w - 1.5).unsqueeze(2).squeeze(1).flatten(1) / 2 + x.sum(dim=(1, 2)).unsqueeze(1) - x[:, 0, :3].abs()

    x = torch.randn(4, 4, 3)
    network = rb.Network.from_module(Moves(), x)
    torch.testing.assert_close(network(x), Moves()(x))


def test_a_module_is_captured_once_and_freed_with_it() -> None:
    module = nn.Linear(2, 2)
    box = rb.Box([[0.0, 0.0]], [[1.0, 1.0]])
    rb.reach(module, box)
    module.train()
    rb.reach(module, box)
    gone = weakref.ref(module)
    del module
    gc.collect()
    assert gone() is None


def test_a_later_change_of_structure_is_refused() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    box = rb.Box([[0.0, 0.0]], [[1.0, 1.0]])
    rb.reach(module, box)
    module[1] = nn.Tanh()
    with pytest.raises(rb.InputError, match="changed after it was captured"):
        rb.reach(module, box)


class Batchwise(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(dim=0)


class Squared(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x


class Two(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x + 1


class Folded(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(-1, 2)


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if float(x.sum()) > 0 else -x


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.GELU()), r"'gelu' at '1' cannot be bounded"),
        (nn.Sequential(nn.Linear(4, 4), nn.Softmax(-1)), "remove the final softmax"),
        (Batchwise(), "mixes samples"),
        (Squared(), "product or quotient of two values"),
        (Two(), "one output tensor"),
        (Folded(), "first dimension must stay the batch"),
        (Branching(), "torch.export cannot capture"),
    ],
)
def test_what_cannot_be_bounded_is_refused_by_name(module: nn.Module, message: str) -> None:
    with pytest.raises(rb.UnsupportedError, match=message) as caught:
        rb.Network.from_module(module, torch.zeros(1, 4))
    assert "\n" not in str(caught.value)


def test_a_module_that_fails_by_itself_says_on_what(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("torch._subclasses.fake_tensor").addHandler(caplog.handler)
    with pytest.raises(rb.InputError, match=r"Linear: fails on a batch of inputs of shape \(3,\): ") as caught:
        rb.reach(nn.Linear(4, 2), rb.Box([[0.0] * 3], [[1.0] * 3]))
    assert "\n" not in str(caught.value)
    logging.getLogger("torch._subclasses.fake_tensor").removeHandler(caplog.handler)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]

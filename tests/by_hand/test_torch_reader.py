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


LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "transposed 1d": (nn.ConvTranspose1d(4, 6, 3, 2, 1, 1, groups=2, dilation=2), (4, 5)),
    "transposed 2d": (nn.ConvTranspose2d(2, 3, (3, 2), (2, 1), (4, 0), bias=False), (2, 4, 4)),
    "transposed 3d": (nn.ConvTranspose3d(1, 2, 2, (1, 2, 3), 1, (0, 1, 1)), (1, 3, 2, 3)),
    "slope": (nn.PReLU(), (3, 2)),
    "slopes": (nn.PReLU(3), (3, 2)),
    "negative slopes": (nn.PReLU(3, -0.7), (3,)),
    "nearest": (nn.Upsample(scale_factor=(1.5, 0.5)), (2, 3, 4)),
    "nearest to a size": (nn.Upsample((5, 2)), (2, 3, 4)),
    "nearest exact": (nn.Upsample(7, mode="nearest-exact"), (2, 3)),
    "linear": (nn.Upsample(scale_factor=1.7, mode="linear", align_corners=True), (2, 4)),
    "bilinear": (nn.Upsample(scale_factor=2, mode="bilinear"), (2, 3, 4)),
    "trilinear": (nn.Upsample((3, 4, 1), mode="trilinear"), (1, 2, 2, 3)),
    "bicubic": (nn.Upsample((7, 5), mode="bicubic"), (1, 5, 4)),
    "adaptive average": (nn.AdaptiveAvgPool2d((3, None)), (2, 5, 4)),
    "adaptive average of parts": (nn.AdaptiveAvgPool1d(2), (2, 6)),
    "adaptive average larger": (nn.AdaptiveAvgPool2d((7, 7)), (2, 1, 2)),
    "adaptive maximum": (nn.AdaptiveMaxPool2d((2, None)), (2, 4, 3)),
    "constant padding": (nn.ConstantPad2d((1, -1, 0, 2), 0.3), (2, 3, 3)),
    "hard sigmoid": (nn.Hardsigmoid(), (9,)),
    "threshold": (nn.Threshold(0.3, 0.3), (9,)),
    "hard tanh": (nn.Hardtanh(-0.1, 0.7), (9,)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_that_are_built_of_others(name: str) -> None:
    layer, shape = LAYERS[name]
    layer = layer.double()
    x = 3 * torch.randn(5, *shape, dtype=torch.float64)
    network = rb.Network.from_module(layer, x)
    torch.testing.assert_close(network(x), layer(x).detach(), rtol=1e-12, atol=1e-12)


def test_maxima_turns_and_indices() -> None:
    class Extremes(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            first = torch.maximum(x, torch.tensor([0.1, -0.2, 0.3]))
            second = torch.minimum(torch.tensor(0.4), x.roll(1, 2))
            both = torch.max(first, torch.minimum(second, x[:, [2, 0, 1, 3]]))
            turned = both.rot90(1, (1, 2))
            columns = turned.max(2).values + turned.min(2).values
            return both.amax(1, keepdim=True) - x.amin((1, 2))[:, None, None] + columns[:, :1, None]

    x = torch.randn(6, 4, 3)
    network = rb.Network.from_module(Extremes(), x)
    torch.testing.assert_close(network(x), Extremes()(x))


def test_slopes_are_the_modules_own() -> None:
    module = nn.PReLU(2)
    network = rb.Network.from_module(module, torch.zeros(1, 2))
    with torch.no_grad():
        module.weight.copy_(torch.tensor([0.5, -3.0]))
    result = network(torch.tensor([[-2.0, -1.0]]))
    assert result.tolist() == [[-1.0, 3.0]]
    result.sum().backward()
    assert module.weight.grad is not None
    assert module.weight.grad.tolist() == [-2.0, -1.0]


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


class Masked(nn.Module):
    """`-1e30 + relu(x + 1e30)` would be 0 whatever x is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.maximum(x, torch.tensor([-1e30, 0.0, 0.0, 0.0]))


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
        (nn.Sequential(nn.Threshold(0.1, 20)), r"'0': a threshold at 0.1 must give 0.1 below it, not 20"),
        (nn.Sequential(nn.Unflatten(1, (1, 4)), nn.AdaptiveMaxPool1d(3)), r"'1': adaptive max pooling needs sizes"),
        (Masked(), r"'maximum': a limit at -1e\+30 is too far out, up to 1e\+06 is fine"),
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

"""A small zoo of networks, and torch in a state that does not depend on which test ran before."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
from hypothesis import HealthCheck, settings
from torch import Tensor, nn

settings.register_profile("reachbox", deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("reachbox")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell leaves it in the background, for children too
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def reproducible() -> Iterator[None]:
    """One thread and a fixed seed."""
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


class Residual(nn.Module):
    """A sum of two paths, written in functional style with `view`."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.last = nn.Linear(48, 3)
        with torch.no_grad():
            self.norm.running_mean.normal_(std=0.1)  # type: ignore[union-attr]
            self.norm.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.relu(self.norm(self.first(x)))
        x = nn.functional.relu(x + self.second(x))
        return self.last(x.view(x.shape[0], -1))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Example:
    """A network of the zoo: how to make it and what it takes."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]


def mlp(activation: nn.Module) -> nn.Module:
    return nn.Sequential(
        nn.Linear(4, 12), activation, nn.Linear(12, 10), activation, nn.Linear(10, 8), activation, nn.Linear(8, 3)
    )


class Decoder(nn.Module):
    """Layers that make an image larger, slopes that differ from channel to channel, and two kinds of pooling joined."""

    def __init__(self) -> None:
        super().__init__()
        self.wider = nn.Sequential(
            nn.ConvTranspose2d(2, 3, 2), nn.PReLU(3), nn.Upsample(scale_factor=2, mode="bilinear")
        )
        self.pools = nn.ModuleList([nn.MaxPool2d(3), nn.AvgPool2d(3)])
        self.last = nn.Linear(24, 3)
        with torch.no_grad():
            self.wider[1].weight.copy_(torch.tensor([-0.2, 0.3, 0.6]))

    def forward(self, x: Tensor) -> Tensor:
        x = self.wider(x)
        return self.last(torch.cat([pool(x) for pool in self.pools], 1).flatten(1))  # type: ignore[no-any-return]


ZOO: dict[str, Example] = {
    "relu": Example(lambda: mlp(nn.ReLU()), (4,)),
    "leaky": Example(lambda: mlp(nn.LeakyReLU(0.2)), (4,)),
    "sigmoid": Example(lambda: mlp(nn.Sigmoid()), (4,)),
    "tanh": Example(lambda: mlp(nn.Tanh()), (4,)),
    "linear": Example(lambda: nn.Linear(4, 3), (4,)),
    "residual": Example(Residual, (1, 4, 4)),
    "grouped": Example(
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2), nn.ReLU(),
            nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False), nn.Flatten(), nn.Linear(16, 3),
        ),
        (2, 6, 6),
    ),
    "max_pool": Example(
        lambda: nn.Sequential(
            nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(3, 2, 2), nn.Flatten(), nn.Tanh(),
            nn.Linear(2, 3),
        ),
        (1, 6, 6),
    ),
    "decoder": Example(Decoder, (2, 2, 2)),
    "clamped": Example(
        lambda: nn.Sequential(nn.Linear(4, 6), nn.Hardtanh(), nn.Linear(6, 6), nn.ReLU6(), nn.Linear(6, 3)), (4,)
    ),
}  # fmt: skip


@pytest.fixture(params=list(ZOO))
def example(request: pytest.FixtureRequest) -> Example:
    """Each network of the zoo in turn."""
    return ZOO[request.param]

"""What is compared: the dual bound of reachbox and of its peers, each as one call, and the passes that are timed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import torch
from tables import say
from torch import Tensor
from workloads import Problem

import reachbox as rb

OURS = "reachbox"

Widths: TypeAlias = Callable[[], Tensor]
"""One call: the width of every output, `(batch, outputs)`, with everything that must be made anew for a new batch."""


def reachbox_widths(given: Problem) -> Widths:
    """Ours, by the public call."""
    network = rb.Network.from_module(given.module, given.x)
    return lambda: rb.reach(network, rb.Box.around(given.x, given.radius), "dual", dtype=given.x.dtype).width


def convex_adversarial_widths(given: Problem) -> Widths:
    """Kolter and Wong's code. It takes radii that differ between features as limits of the input only."""
    from convex_adversarial import DualNetwork

    outputs = given.module[-1].out_features
    eye = torch.eye(outputs, dtype=given.x.dtype).expand(len(given.x), -1, -1).contiguous()
    largest = given.radius.max().item()

    def widths() -> Tensor:
        if bool((given.radius == largest).all()):
            dual = DualNetwork(given.module, given.x, largest)
        else:
            limits = {"input_l": given.x - given.radius, "input_u": given.x + given.radius}
            dual = DualNetwork(given.module, given.x, 2 * largest, bounded_input=True, **limits)
        return -dual(-eye) - dual(eye)

    return widths


def auto_lirpa_widths(given: Problem) -> Widths:
    """auto_LiRPA's backward bounds with parallel lines, its graph made once."""
    from auto_LiRPA import BoundedModule, BoundedTensor, PerturbationLpNorm

    module = BoundedModule(given.module, given.x, bound_opts={"activation_bound_option": "same-slope"})

    def widths() -> Tensor:
        region = PerturbationLpNorm(norm=torch.inf, x_L=given.x - given.radius, x_U=given.x + given.radius)
        lower, upper = module.compute_bounds(x=(BoundedTensor(given.x, region),), method="CROWN")
        return upper - lower

    return widths


SUBJECTS: dict[str, Callable[[Problem], Widths]] = {
    OURS: reachbox_widths,
    "convex-adversarial": convex_adversarial_widths,
    "auto_LiRPA": auto_lirpa_widths,
}
PEERS = {"convex-adversarial": "convex_adversarial", "auto_LiRPA": "auto_LiRPA"}  # and what is imported


@torch.no_grad()
def forward(widths: Widths, given: Problem) -> Tensor:
    return widths()


def backward(widths: Widths, given: Problem) -> Tensor:
    """The gradient of the summed log widths to all parameters, in one vector; a forward pass is part of it."""
    loss = widths().log().sum()
    parts = torch.autograd.grad(loss, list(given.module.parameters()), allow_unused=True, materialize_grads=True)
    return torch.cat([part.flatten() for part in parts])


PASSES = {"forward": forward, "forward + backward": backward}


def available(auto_lirpa: Path | None) -> list[str]:
    """The peers that can be imported; the others are named on standard error."""
    if auto_lirpa is not None:
        sys.path.append(str(auto_lirpa.resolve()))
    peers = []
    for peer, module in PEERS.items():
        try:
            import_module(module)
            peers.append(peer)
        except ImportError as error:
            say(f"{peer} is left out: {error}; README.md beside this script tells how to install it")
    return peers

"""A bare torch module where a network is wanted: captured once, remembered, and checked for later changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn.parameter import UninitializedParameter

from reachbox.errors import InputError
from reachbox.network.graph import Network

Structure: TypeAlias = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Captured:
    """A module's graph for one input shape, and what the module looked like then."""

    network: Network
    structure: Structure


_captured: WeakKeyDictionary[torch.nn.Module, dict[tuple[int, ...], Captured]] = WeakKeyDictionary()


def as_network(network: Network | torch.nn.Module, example: Tensor) -> Network:
    """`network` itself, or the graph of a module, captured at its first use with each input shape.

    Raises `InputError` if the module's layers changed since then; changed weights are fine.
    """
    if isinstance(network, Network):
        return network
    if not isinstance(network, torch.nn.Module):
        raise InputError(f"network: a reachbox.Network or a torch module is needed, found {type(network).__name__}")
    shape = tuple(example.shape[1:])
    known = _captured.setdefault(network, {})
    structure = structure_of(network)
    if shape not in known:
        # The cache must not keep the module alive, so the remembered network does not own it.
        fresh = Network.from_module(network, example)
        known[shape] = Captured(Network(fresh.input_shape, fresh.nodes, fresh.output), structure)
    if known[shape].structure != structure:
        raise InputError(
            f"network: the layers of this {type(network).__name__} changed after it was captured; "
            "make a new one with Network.from_module"
        )
    return known[shape].network


def structure_of(module: torch.nn.Module) -> Structure:
    """Names, types, settings and weight shapes of all submodules; equal as long as the captured graph is right."""
    lazy = [name for name, weight in module.named_parameters() if isinstance(weight, UninitializedParameter)]
    if lazy:
        raise InputError(f"network: weight {lazy[0]!r} is not initialised; call the module on an input first")
    parts = [(name, type(part).__qualname__, part.extra_repr()) for name, part in module.named_modules()]
    weights = [(name, str(tuple(weight.shape))) for name, weight in module.named_parameters()]
    return (*parts, *weights)

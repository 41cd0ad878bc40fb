"""`dual`: the paper's Sec. 3.1, Kolter and Wong's Algorithm 1, as one forward pass and one radius."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.errors import InputError, UnsupportedError
from reachbox.network import Network
from reachbox.reach.dual.chain import Chain, planned_chain
from reachbox.reach.dual.graph import graph_bound
from reachbox.reach.interval import Interval
from reachbox.reach.method import Method
from reachbox.reach.result import Kind, Reach


@dataclass(frozen=True)
class Dual(Method):
    """The dual bound (Kolter and Wong 2018, Algorithm 1; also called Fast-Lin): the paper's sensitivity, Eq. 7.

    Every nonlinear unit lies between two parallel lines over its own dual bounds, so the relaxed network is affine in
    the input and in one centred slack a unit: its centre is a forward pass, its radius a sum of absolute rows.
    Choose it for training and as the paper's definition; `crown` is a little tighter, `interval` cheaper.

    Sound over the reals up to rounding; differentiable (once) to weights, input and radius.
    `intersect` cuts the outputs with interval bounds, which is tighter but no longer the definition.
    `engine` is `compiled` for kernels that carry rows down a chain of linear layers and convolutions with ReLU between
    them, on a CPU; `graph` for torch on any graph and device, in chunks of `memory` bytes; `auto` takes the first where
    it serves. Both give the same bounds. On a GPU the third call with the same shapes records the kernels, and later
    ones replay them.
    """

    name: ClassVar[str] = "dual"
    differentiable: ClassVar[bool] = True
    intersect: bool = False
    engine: Literal["auto", "compiled", "graph"] = "auto"
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.engine not in ("auto", "compiled", "graph"):
            raise InputError(f"engine: auto, compiled and graph are allowed, found {self.engine!r}")

    def bound(self, network: Network, box: Box, objective: Tensor) -> Reach:
        chain = self._compiled_chain(network, box)
        if chain is None:
            centre, radius = graph_bound(network, box, objective, self.memory)
        else:
            from reachbox.reach.dual.chained import chain_bound

            centre, radius = chain_bound(network, chain, box, objective)
        lower, upper = centre - radius, centre + radius
        if self.intersect:
            other = Interval().bound(network, box, objective)
            lower, upper = torch.maximum(lower, other.lower), torch.minimum(upper, other.upper)
        return Reach(lower, upper, self.name, Kind.SOUND)

    def _compiled_chain(self, network: Network, box: Box) -> Chain | None:
        """The network's chain where the compiled kernels can serve."""
        fits = box.lower.device.type == "cpu" and box.lower.dtype in (torch.float32, torch.float64)
        chain = planned_chain(network) if fits and self.engine != "graph" else None
        if chain is None and self.engine == "compiled":
            raise UnsupportedError(
                "dual: the compiled engine takes chains of linear layers and convolutions with ReLU, on a CPU, in "
                "float32 or float64; engine='graph' takes this network"
            )
        return chain

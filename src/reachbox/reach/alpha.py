"""`alpha`: `crown` with slopes found by gradient descent, for each row by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.errors import InputError
from reachbox.network import Network
from reachbox.network.operators import Activation
from reachbox.reach.crown import LinearBounds
from reachbox.reach.method import Method
from reachbox.reach.relaxation import Lines, lines_of_slope
from reachbox.reach.result import Kind, Reach
from reachbox.reach.rows import Rows, of_objective


@dataclass(frozen=True)
class Alpha(Method):
    """Alpha-CROWN (Xu et al. 2021) on `crown`'s intermediate bounds: tighter than `crown`, `steps` times its cost.

    Every slope gives a sound line, so the best bound over all steps is kept: never looser than `crown`.
    Sound over the reals up to rounding; not differentiable. `rate` is Adam's step for the slopes.
    """

    name: ClassVar[str] = "alpha"
    steps: int = 20
    rate: float = 0.1
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.steps < 0 or self.rate <= 0:
            raise InputError(f"alpha: steps >= 0 and rate > 0 are needed, found {self.steps} and {self.rate}")

    def bound(self, network: Network, box: Box, objective: Tensor) -> Reach:
        with torch.no_grad():
            relaxed = LinearBounds(_detached(network), _detached_box(box), self.memory).grown()
        rows = of_objective(network, objective.detach())
        both = Rows(torch.cat([-rows.coefficients, rows.coefficients]), torch.cat([rows.sample, rows.sample]))
        lower, upper = self._optimised(relaxed, both).chunk(2)
        shape = objective.shape[:2]
        return Reach(-lower.reshape(shape), upper.reshape(shape), self.name, Kind.SOUND)

    def _optimised(self, relaxed: LinearBounds, rows: Rows) -> Tensor:
        """The smallest upper bound found for each row."""
        slopes = _initial_slopes(relaxed, rows)
        parameters = [slope.requires_grad_() for pair in slopes.values() for slope in pair]
        with torch.no_grad():
            best = relaxed.above(relaxed.network.output, rows)
        if not parameters:
            return best
        optimiser = torch.optim.Adam(parameters, lr=self.rate)
        each_row = Rows(rows.coefficients, torch.arange(len(rows), device=rows.sample.device))
        box = Box(relaxed.box.lower[rows.sample], relaxed.box.upper[rows.sample])
        for _ in range(self.steps):
            with torch.enable_grad():
                lines = _lines(relaxed, rows, slopes)
                bound = LinearBounds(relaxed.network, box, self.memory, lines).above(relaxed.network.output, each_row)
                optimiser.zero_grad()
                bound.sum().backward()  # type: ignore[no-untyped-call]
            best = torch.minimum(best, bound.detach())
            optimiser.step()
        return best


def _initial_slopes(relaxed: LinearBounds, rows: Rows) -> dict[int, tuple[Tensor, Tensor]]:
    """Slopes of the lines below and above each activation for each row, starting at `crown`'s."""
    return {
        value: (lines.lower.slope[rows.sample].clone(), lines.upper.slope[rows.sample].clone())
        for value, lines in relaxed.lines.items()
        if isinstance(relaxed.network.nodes[value - 1].operator, Activation)
    }


def _lines(relaxed: LinearBounds, rows: Rows, slopes: dict[int, tuple[Tensor, Tensor]]) -> dict[int, Lines]:
    """The lines of the present slopes, one set for each row."""
    lines = {}
    for value, fixed in relaxed.lines.items():
        operator = relaxed.network.nodes[value - 1].operator
        if isinstance(operator, Activation):
            lower, upper = (bound[rows.sample] for bound in relaxed.ranges[value])
            lines[value] = lines_of_slope(operator, *slopes[value], lower, upper)
        else:
            lines[value] = Lines(fixed.lower.of_rows(rows.sample), fixed.upper.of_rows(rows.sample))
    return lines


def _detached(network: Network) -> Network:
    return network.map_sources(lambda source: source.detach() if isinstance(source, Tensor) else source)


def _detached_box(box: Box) -> Box:
    return Box(box.lower.detach(), box.upper.detach())

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

    Every slope gives a sound line, so the best bound over all steps is kept: never looser than `crown`. Slopes begin at
    the chord's. The chord is the best line above a ReLU, so only lines below it move, between its two slopes.
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
        with torch.no_grad():
            best = relaxed.above(relaxed.network.output, rows)
        units = _units(relaxed, rows)
        free = [slopes for unit in units.values() for slopes in unit.free]
        if not free:
            return best
        optimiser = torch.optim.Adam([slopes.values for slopes in free], lr=self.rate)
        fixed = _fixed_lines(relaxed, rows)
        each_row = Rows(rows.coefficients, torch.arange(len(rows), device=rows.sample.device))
        box = Box(relaxed.box.lower[rows.sample], relaxed.box.upper[rows.sample])
        for _ in range(self.steps):
            with torch.enable_grad():
                lines = {value: unit.lines() for value, unit in units.items()} | fixed
                bound = LinearBounds(relaxed.network, box, self.memory, lines).above(relaxed.network.output, each_row)
                optimiser.zero_grad()
                bound.sum().backward()  # type: ignore[no-untyped-call]
            best = torch.minimum(best, bound.detach())
            optimiser.step()
            for slopes in free:
                slopes.keep_within_limits()
        return best


@dataclass(frozen=True)
class Slopes:
    """Slopes `(rows, *shape)` of lines on one side of an activation, to be optimised where its units are `curved`."""

    values: Tensor
    curved: Tensor
    limits: tuple[float, float]

    def present(self) -> Tensor:
        """The slopes, without a gradient where only one is tight."""
        return torch.where(self.curved, self.values, self.values.detach())

    def keep_within_limits(self) -> None:
        """Takes every slope back to where the best one can be."""
        with torch.no_grad():
            self.values.clamp_(*self.limits)


@dataclass(frozen=True)
class Units:
    """An activation's units, for each row: their range, and the slopes of the lines below and above them."""

    operator: Activation
    lower: Tensor
    upper: Tensor
    below: Slopes
    above: Slopes

    @classmethod
    def of(cls, operator: Activation, lower: Tensor, upper: Tensor) -> Units:
        """Beginning at parallel lines where one side is free, at tight ones where both are."""
        chord = operator.chord(lower, upper)
        is_one_sided = operator.is_convex or operator.is_concave
        first = (chord, chord) if is_one_sided else operator.tight_slopes(lower, upper)
        curved = operator.curved(lower, upper)
        below, above = (Slopes(slopes.clone(), curved, operator.slopes) for slopes in first)
        units = cls(operator, lower, upper, below, above)
        for slopes in units.free:
            slopes.values.requires_grad_()
        return units

    @property
    def free(self) -> list[Slopes]:
        """The sides whose best slopes depend on what follows."""
        sides = ((self.below, self.operator.is_concave), (self.above, self.operator.is_convex))
        return [slopes for slopes, is_settled in sides if not is_settled]

    def lines(self) -> Lines:
        """The lines of the present slopes."""
        return lines_of_slope(self.operator, self.below.present(), self.above.present(), self.lower, self.upper)


def _units(relaxed: LinearBounds, rows: Rows) -> dict[int, Units]:
    """The units of every activation, for each row's sample."""
    found = {}
    for value in relaxed.lines:
        operator = relaxed.network.nodes[value - 1].operator
        if isinstance(operator, Activation):
            lower, upper = (bound[rows.sample] for bound in relaxed.ranges[value])
            found[value] = Units.of(operator, lower, upper)
    return found


def _fixed_lines(relaxed: LinearBounds, rows: Rows) -> dict[int, Lines]:
    """The lines of all other nonlinear nodes, for each row's sample."""
    return {
        value: Lines(lines.lower.of_rows(rows.sample), lines.upper.of_rows(rows.sample))
        for value, lines in relaxed.lines.items()
        if not isinstance(relaxed.network.nodes[value - 1].operator, Activation)
    }


def _detached(network: Network) -> Network:
    return network.map_sources(lambda source: source.detach() if isinstance(source, Tensor) else source)


def _detached_box(box: Box) -> Box:
    return Box(box.lower.detach(), box.upper.detach())

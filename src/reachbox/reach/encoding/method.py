"""What `lp`, `milp` and `smt` share: from a way with one side of one output to a `Reach` of all."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.errors import InputError
from reachbox.network import Network
from reachbox.reach.encoding.children import in_children
from reachbox.reach.encoding.ranges import unit_ranges
from reachbox.reach.encoding.side import SIGNS, Instance, Side, known_sides
from reachbox.reach.method import Method
from reachbox.reach.program import Floats, Program
from reachbox.reach.program import lower as lower_network
from reachbox.reach.result import Kind, Reach
from reachbox.solvers import Child, require
from reachbox.solvers.child import ChildEndedError


class SolverMethod(Method):
    """A method that asks a solver about each side of each output, sample by sample.

    `time_limit`, in seconds, is for each of these questions; a solver that takes longer is ended. With a limit of 0
    none is started.
    """

    attains: ClassVar[bool]
    """Whether inner values are sought and reported."""
    time_limit: float | None

    @property
    @abstractmethod
    def engine(self) -> str:
        """The solver: `highs`, `gurobi` or `marabou`."""

    @abstractmethod
    def encoded(self, program: Program, low: Floats, high: Floats) -> object:
        """One sample's problem as the solver takes it; `low`, `high` are ranges of all values before their ReLU."""

    @abstractmethod
    def solved(self, side: Side, instance: Instance, problem: object, child: Child) -> Side:
        """The side with what the solver finds, and its status."""

    @abstractmethod
    def kind_of(self, gaps: Floats, status: npt.NDArray[np.str_]) -> Kind:
        """What the result is, from the gap and status of every side."""

    def is_settled(self, side: Side) -> bool:
        """Whether our own bounds leave nothing to ask."""
        return side.gap <= 0

    def bound(self, network: Network, box: Box, objective: Tensor) -> Reach:
        require(self.engine)
        with torch.no_grad():
            network, box = network.to(torch.float64, "cpu"), box.to(torch.float64, "cpu")
            program = lower_network(network)
            sides = known_sides(network, box, objective.double().cpu(), self.attains)
            if self.time_limit == 0 or not all(np.isfinite(side.outer) for sample in sides for side in sample):
                return self._as_reach([[self._unasked(side) for side in sample] for sample in sides], network)
            return self._as_reach(self._asked(network, program, box, sides), network)

    def _asked(self, network: Network, program: Program, box: Box, sides: list[list[Side]]) -> list[list[Side]]:
        lower, upper = box.lower.flatten(1).numpy(), box.upper.flatten(1).numpy()
        low, high = unit_ranges(program, lower, upper)

        def solved(sample: int, child: Child) -> list[Side]:
            if all(self.is_settled(side) for side in sides[sample]):
                return [self._unasked(side) for side in sides[sample]]
            instance = Instance(network, lower[sample], upper[sample])
            problem = self.encoded(program, low[sample], high[sample])
            child.load(problem)
            return [self._answered(side, instance, problem, child) for side in sides[sample]]

        return in_children(self.engine, len(sides), solved)

    def _answered(self, side: Side, instance: Instance, problem: object, child: Child) -> Side:
        if self.is_settled(side):
            return self._unasked(side)
        try:
            return self.solved(side, instance, problem, child)
        except ChildEndedError as reason:
            return replace(side, status=str(reason.ended))

    def _unasked(self, side: Side) -> Side:
        return replace(side, status="solved" if self.is_settled(side) else "timeout")

    def _as_reach(self, sides: list[list[Side]], network: Network) -> Reach:
        shape = (len(sides), -1, 2)
        status = np.array([[side.status for side in sample] for sample in sides]).reshape(shape)
        outer, inner = (
            np.array([[getattr(side, name) for side in sample] for sample in sides]).reshape(shape)
            for name in ("outer", "inner")
        )
        kind = self.kind_of(outer - inner, status)
        lower, upper = torch.from_numpy(outer * SIGNS).unbind(-1)
        if not self.attains:
            return Reach(lower, upper, self.name, kind, status=status)
        inner_lower, inner_upper = torch.from_numpy(inner * SIGNS).unbind(-1)
        points = torch.from_numpy(np.array([[side.point for side in sample] for sample in sides]))
        attaining_lower, attaining_upper = points.reshape(*shape, *network.input_shape).unbind(2)
        return Reach(lower, upper, self.name, kind, inner_lower, inner_upper, attaining_lower, attaining_upper, status)


def exact_kind(tolerance: float, gaps: Floats, status: npt.NDArray[np.str_]) -> Kind:
    """Exact if every side is solved and attained to the tolerance."""
    return Kind.EXACT if bool((status == "solved").all() and (gaps <= tolerance).all()) else Kind.SOUND


def check_limits(method: str, time_limit: float | None, tolerance: float = 0.0) -> None:
    """Raises `InputError` for a limit or a tolerance that is no number from 0 on."""
    if time_limit is not None and not time_limit >= 0:
        raise InputError(f"{method}: a time limit >= 0 seconds is needed, found {time_limit}")
    if not tolerance >= 0:
        raise InputError(f"{method}: a tolerance >= 0 is needed, found {tolerance}")

"""`exact`: the range that is attained, with the inputs that attain it, and a proof that nothing lies beyond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.errors import InputError, UnsupportedError
from reachbox.network import Network
from reachbox.reach.exact.batch import Answer, Limit, Tasks
from reachbox.reach.exact.choice import ENGINES, MOST_ENUMERATED, answer, varying_inputs
from reachbox.reach.exact.enumeration import SOLVED, STOPPED
from reachbox.reach.method import Method
from reachbox.reach.program import Program
from reachbox.reach.program import lower as lower_network
from reachbox.reach.result import Kind, Reach


@dataclass(frozen=True)
class Exact(Method):
    """The exact box of a piecewise linear network, by the engine that suits it.

    Choose it where few inputs vary, up to about 8: Iris takes microseconds a sample; or where few units have an open
    sign, up to about 70, whatever the number of inputs. All outputs and both sides are found together. `lower`,
    `upper` are proven, rounding included (`docs/exact.md`); `inner_lower`, `inner_upper` are attained at
    `attaining_lower`, `attaining_upper`. The kind is exact if the two are nowhere more than `tolerance` apart, and
    sound otherwise.

    `engine` is `enumeration` (of activation regions), `splitting` (of the input, by halves), `branching` (on the signs
    of units), or `auto`: enumeration where that meets few regions, else splitting of few inputs and branching for many;
    the result names those that were used.
    `time_limit`, in seconds, is for all samples together; `regions`, or parts that the search makes, for each one.
    `status` is `solved`; or `timeout` or `overflow` where a limit came first, with the best bounds proven until then;
    or `rounding` where the proof leaves more than `tolerance`. Always computes in float64, whatever the dtype asked
    for; not differentiable. Raises `UnsupportedError` for operators that are not piecewise linear, and where more than
    12 inputs vary for enumeration and splitting.
    """

    name: ClassVar[str] = "exact"
    tolerance: float = 1e-6
    time_limit: float | None = None
    regions: int = 1_000_000
    vertices: int = 100_000
    engine: str = "auto"

    def __post_init__(self) -> None:
        if not self.tolerance >= 0:
            raise InputError(f"exact: a tolerance >= 0 is needed, found {self.tolerance}")
        if self.time_limit is not None and not self.time_limit >= 0:
            raise InputError(f"exact: a time limit >= 0 seconds is needed, found {self.time_limit}")
        if self.engine not in ENGINES:
            raise InputError(f"exact: the engine {self.engine!r} is unknown; allowed: {', '.join(ENGINES)}")
        if self.regions < 1 or self.vertices < 1:
            raise InputError(f"exact: at least 1 region and 1 vertex are needed, found {self.regions}, {self.vertices}")

    def bound(self, network: Network, box: Box, objective: Tensor) -> Reach:
        with torch.no_grad():
            lower, upper = (bound.flatten(1).double().cpu().numpy() for bound in (box.lower, box.upper))
            rows = np.ascontiguousarray(objective.double().cpu().numpy())
        tasks = Tasks(np.zeros(len(lower), dtype=np.int64), lower, upper, rows)
        self.check_inputs(tasks)
        return self.as_reach(self.answer(lower_network(network), tasks), network.input_shape, box.lower.device)

    def answer(self, program: Program, tasks: Tasks) -> Answer:
        """What the engine proves and attains of every task."""
        return answer(program, tasks, self.engine, self.tolerance, Limit(self.regions, self.vertices, self.time_limit))

    def check_inputs(self, tasks: Tasks) -> None:
        """Raises `UnsupportedError` where more inputs vary than the engine can serve."""
        varying = int(varying_inputs(tasks).max())
        if self.engine in ("enumeration", "splitting") and varying > MOST_ENUMERATED:
            raise UnsupportedError(
                f"exact: {varying} inputs vary; at most {MOST_ENUMERATED} are allowed for the engine {self.engine!r}, "
                "choose 'branching' or 'auto'"
            )

    def as_reach(self, answer: Answer, input_shape: tuple[int, ...], device: torch.device) -> Reach:
        """The answer in the form of every method."""
        ended = answer.ended[:, None, None]
        unsolved = np.where(ended == SOLVED, "rounding", np.where(ended == STOPPED, "timeout", "overflow"))
        status = np.where(answer.gap <= self.tolerance, "solved", unsolved)
        closed = bool((status == "solved").all())
        outer, inner, points = (
            torch.from_numpy(part).to(device) for part in (answer.outer, answer.inner, answer.points)
        )
        points = points.reshape(*points.shape[:-1], *input_shape)
        return Reach(
            outer[:, 0], outer[:, 1], self.name, Kind.EXACT if closed else Kind.SOUND,
            inner_lower=inner[:, 0], inner_upper=inner[:, 1],
            attaining_lower=points[:, 0], attaining_upper=points[:, 1],
            status=np.moveaxis(status, 1, 2), engines=answer.engines,
        )  # fmt: skip

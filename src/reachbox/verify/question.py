"""What the steps of a decision share."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from reachbox.network import Network
from reachbox.verify.judge import Judge, confirmed
from reachbox.verify.specification import Floats, Specification
from reachbox.verify.verdict import Counterexample, Verdict, Verification

PROVEN = "proven, rounding included"
CONFIRMED = "a counterexample is confirmed"
WITHIN_ROUNDING = "undecided within the rounding of the arithmetic"
LATE = Verification(Verdict.TIMEOUT, "the time limit came first")


@dataclass(frozen=True)
class Question:
    """What is asked of a network, until when, and who judges."""

    network: Network
    specification: Specification
    judge: Judge
    deadline: float  # of `perf_counter`
    seed: int = 0

    @property
    def is_late(self) -> bool:
        """Whether the time is up."""
        return perf_counter() >= self.deadline

    @property
    def seconds_left(self) -> float:
        """Until the time is up."""
        return max(0.0, self.deadline - perf_counter())

    def confirmed(self, point: Floats) -> Counterexample | None:
        """The counterexample at a point, if the judge finds it unsafe."""
        return confirmed(point, self.specification.disjuncts, self.judge)

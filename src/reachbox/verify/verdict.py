"""What a verification ends with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reachbox.verify.specification import Floats


class Verdict(StrEnum):
    """The words of the verification competitions; the specification describes what is unsafe."""

    SAT = "sat"  # an unsafe input is known
    UNSAT = "unsat"  # it is proven that there is none
    UNKNOWN = "unknown"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class Counterexample:
    """An unsafe input, and the outputs that the judge computed for it in float32.

    `x` lies in an input box of the specification, and `y` in its half-spaces, both exactly. Each number of `x` is a
    float32, unless its interval holds none; then the judge saw the float32 nearest to it.
    """

    x: Floats  # (inputs,)
    y: Floats  # (outputs,)


@dataclass(frozen=True)
class Verification:
    """A verdict, how it was reached, and the counterexample of a `sat`."""

    verdict: Verdict
    reason: str
    counterexample: Counterexample | None = None
    nodes: int = 0  # parts that were searched, of the input or of the signs of units
    seconds: float = 0.0

"""What a database holds, and what a job brings to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from reachbox.landscape.stationary_point import StationaryPoint


@dataclass(frozen=True, eq=False)
class Crossing:
    """A transition state and the minima at its two downhill ends, which can be one and the same."""

    state: StationaryPoint
    first: StationaryPoint
    second: StationaryPoint


@dataclass(frozen=True, eq=False)
class Minimum:
    """A stored minimum and its number."""

    id: int
    found: StationaryPoint
    searches: int


@dataclass(frozen=True, eq=False)
class TransitionState:
    """A stored transition state, its number, and those of the minima it joins; they can be one and the same."""

    id: int
    found: StationaryPoint
    first: int
    second: int


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one job brings home: `minima` reached by quenches alone, `crossings`, and counts of how its searches ended.

    Every point has its inertia unless it was known when the job began. `searched` lists the minima it set out from.
    """

    kind: str
    seed: int
    minima: Sequence[StationaryPoint] = ()
    crossings: Sequence[Crossing] = ()
    searched: Sequence[int] = ()
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Attempt:
    """A stored job: its kind and seed, counts of how its searches ended, and how long it took.

    `minima` and `transition_states` are how many distinct ones were known after it.
    """

    kind: str
    seed: int
    counts: dict[str, int]
    seconds: float
    minima: int
    transition_states: int

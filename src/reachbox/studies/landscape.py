"""What an exploration has found so far: counts, how sure they are, and how it came to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reachbox.landscape import (
    Attempt,
    Basin,
    Database,
    Minimum,
    TransitionState,
    chao1,
    disconnectivity,
    distinct_count,
)

TOLERANCES = (1e-4, 1e-5, 1e-6)


@dataclass(frozen=True)
class Effort:
    """All jobs of a kind together: searches, those that converged, and the time they took."""

    kind: str
    jobs: int
    searches: int
    converged: int
    lost: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Survey:
    """A database, read once.

    `distinct` counts the energies found at each of `TOLERANCES`, `unseen_and_seen` is Chao's estimate of how many exist
    at the database's own. `joining` counts the transition states whose two minima are distinct.
    """

    name: str
    problem: Mapping[str, object]
    about: Mapping[str, object]
    minima: Sequence[Minimum]
    states: Sequence[TransitionState]
    attempts: Sequence[Attempt]
    trees: Sequence[Basin]
    distinct: Mapping[float, int]
    unseen_and_seen: float

    @property
    def joining(self) -> int:
        """How many transition states join two distinct minima, both below them.

        An end within the tolerance of a known minimum counts as that one, which can lie above the state itself.
        """
        heights = {minimum.id: minimum.found.energy for minimum in self.minima}
        return sum(
            state.first != state.second and max(heights[state.first], heights[state.second]) < state.found.energy
            for state in self.states
        )

    @property
    def largest_part(self) -> int:
        """How many minima the largest connected part has."""
        return max((len(tree.minima) for tree in self.trees), default=0)

    @property
    def seconds(self) -> float:
        """The time that all jobs took, added up over workers."""
        return sum(attempt.seconds for attempt in self.attempts)

    @property
    def effort(self) -> list[Effort]:
        """The jobs of each kind."""
        kinds = dict.fromkeys(attempt.kind for attempt in self.attempts)
        return [_effort(kind, [job for job in self.attempts if job.kind == kind]) for kind in kinds]


def survey(database: Database) -> Survey:
    """Read everything that is there now."""
    minima, states = database.minima(), database.transition_states()
    energies = database.found_energies()
    return Survey(
        name=database.path.name,
        problem=database.configuration["problem"],
        about=database.configuration["about"],
        minima=minima,
        states=states,
        attempts=database.attempts(),
        trees=disconnectivity(minima, states),
        distinct={tolerance: distinct_count(energies, tolerance) for tolerance in TOLERANCES},
        unseen_and_seen=chao1(energies, database.tolerance.energy),
    )


def _effort(kind: str, jobs: Sequence[Attempt]) -> Effort:
    def total(name: str) -> int:
        return int(np.sum([job.counts.get(name, 0) for job in jobs]))

    seconds = sum(job.seconds for job in jobs)
    return Effort(kind, len(jobs), total("searches"), total("converged"), total("lost"), seconds)

"""What an exploration does next, and the doing of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal, TypeAlias, get_args

import numpy as np

from reachbox.errors import InputError
from reachbox.landscape.descent.basin_hopping import Hopping, basin_hopping
from reachbox.landscape.descent.minimise import minimise
from reachbox.landscape.disconnectivity import disconnectivity
from reachbox.landscape.elastic_band import ElasticBand, elastic_bands
from reachbox.landscape.energy import Array, Energy, perturb
from reachbox.landscape.exploring.search import Search, Searching
from reachbox.landscape.stationary_point import Catalogue
from reachbox.landscape.storage.database import Database
from reachbox.landscape.storage.stored import Minimum, Outcome

Kind: TypeAlias = Literal[
    "quench",
    "kick",
    "hop",
    "climb_from_minima",
    "climb_from_moves",
    "climb_from_random",
    "climb_from_symmetric",
    "connect",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Exploration:
    """How to explore. Jobs of the `kinds` take turns, each with `batch` searches.

    `quench` minimises random starts, `kick` the minima searched least so far, moved by `kick_noise` times U(.1, 1)
    typical moves, with some idle units set going. `hop` sends `walkers` from those on a walk by basin
    hopping. `climb_from_minima` climbs from those, moved by `noise` times U(.2, 1) typical moves in each variable;
    `climb_from_moves` from moves that suit the surface, such as a hidden unit midway between its own weights and those
    of another; `climb_from_random` from random starts relaxed by a few steps; `climb_from_symmetric` from starts that a
    symmetry leaves where they are, relaxed by a few steps or all the way: each finds states that others miss.
    `connect` relaxes elastic bands between `pairs` of minima that no path joins yet, or any where all are joined, and
    climbs from their summits. A kind that needs more minima than are known quenches instead.
    """

    seed: int = 0
    batch: int = 256
    kinds: tuple[Kind, ...] = ("quench", "climb_from_minima", "climb_from_random", "climb_from_symmetric")
    searching: Searching = field(default_factory=Searching)
    hopping: Hopping = field(default_factory=Hopping)
    band: ElasticBand = field(default_factory=ElasticBand)
    noise: float = 0.35
    kick_noise: float = 1.0
    relaxation_steps: int = 20
    walkers: int = 16
    pairs: int = 8

    def __post_init__(self) -> None:
        if not set(self.kinds) <= set(KINDS) or not self.kinds:
            raise InputError(f"exploration: one or more kinds of {', '.join(KINDS)} are needed, found {self.kinds}")
        if self.seed < 0 or min(self.batch, self.walkers, self.pairs) < 1:
            raise InputError(f"exploration: a seed >= 0 and batch, walkers, pairs >= 1 are needed, found {self}")


@dataclass(frozen=True)
class Job:
    """All that a worker needs besides the energy and the options; it changes nothing outside itself.

    `starts` are the points of the minima `searched`, `partners` those to connect them to, `(searches, dimension)`.
    """

    kind: Kind
    seed: int
    known_minima: Catalogue
    known_transition_states: Catalogue
    searched: tuple[int, ...] = ()
    starts: Array | None = None
    partners: Array | None = None


def plan(database: Database, options: Exploration, seed: int) -> Job:
    """The next job, by turns of kind, from the minima known now."""
    kind = options.kinds[seed % len(options.kinds)]
    job = Job(kind, seed, database.known_minima, database.known_transition_states)
    if kind in ("quench", "climb_from_random", "climb_from_symmetric"):
        return job
    if kind == "connect":
        pairs = _unconnected_pairs(database, options, np.random.default_rng([options.seed, seed, 1]))
        if not pairs:
            return replace(job, kind="quench")
        firsts, seconds = zip(*pairs, strict=True)
        return replace(job, searched=_ids(firsts), starts=_points(firsts), partners=_points(seconds))
    wanted = options.walkers if kind == "hop" else options.batch
    chosen = database.least_searched(wanted)
    if not chosen:
        return replace(job, kind="quench")
    turns = [chosen[turn % len(chosen)] for turn in range(wanted)]
    return replace(job, searched=_ids(turns), starts=_points(turns))


def run(energy: Energy, options: Exploration, job: Job) -> Outcome:
    """Do a job's searches."""
    begin = time.perf_counter()
    generator = np.random.default_rng([options.seed, job.seed])
    search = Search(energy, options.searching, job.known_minima, job.known_transition_states)
    if job.kind == "quench":
        search.quench(energy.random_points(options.batch, generator), _widest(options, generator))
    elif job.kind == "kick":
        search.quench(_kicked(energy, options, job, generator), _widest(options, generator))
    elif job.kind == "hop":
        _hop(search, options, job, generator)
    elif job.kind == "connect":
        _connect(search, options, job)
    else:
        search.climb(*_climbing_starts(energy, options, job, generator))
    seconds = time.perf_counter() - begin
    return Outcome(job.kind, job.seed, search.minima, search.crossings, job.searched, dict(search.counts), seconds)


def _widest(options: Exploration, generator: np.random.Generator) -> Array | None:
    """At which bend each quench of a smoothed loss begins: any but the narrowest, unless that is the only one."""
    smoothing = options.searching.smoothing
    return None if smoothing is None else generator.choice(smoothing.widths[:-1] or smoothing.widths, options.batch)


def _kicked(energy: Energy, options: Exploration, job: Job, generator: np.random.Generator) -> Array:
    assert job.starts is not None
    sizes = options.kick_noise * generator.uniform(0.1, 1.0, len(job.starts))
    return perturb(energy, energy.revived(job.starts, generator), sizes, generator)


def _hop(search: Search, options: Exploration, job: Job, generator: np.random.Generator) -> None:
    """So many hops of all walkers that the quenches make up a batch."""
    assert job.starts is not None
    hopping = replace(options.hopping, minimiser=options.searching.minimiser)
    hops = max(1, options.batch // options.walkers)
    walk = basin_hopping(search.energy, job.starts, generator, hopping)
    for quench in islice(walk, 1, hops + 1):
        search.keep(quench)


def _connect(search: Search, options: Exploration, job: Job) -> None:
    assert job.starts is not None
    assert job.partners is not None
    summits, tangents = elastic_bands(search.energy, job.starts, job.partners, options.band).summits()
    search.climb(summits, tangents)


def _climbing_starts(
    energy: Energy, options: Exploration, job: Job, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Where to start, and in which direction to look for the mode."""
    if job.kind == "climb_from_moves" and job.starts is not None:
        return energy.moves(job.starts, generator)
    if job.starts is not None:
        sizes = options.noise * generator.uniform(0.2, 1.0, len(job.starts))
        starts = perturb(energy, job.starts, sizes, generator)
        return starts, generator.standard_normal(starts.shape)
    if job.kind == "climb_from_symmetric":
        return _symmetric_starts(energy, options, generator)
    relaxation = replace(options.searching.minimiser, max_steps=options.relaxation_steps)
    starts = minimise(energy, energy.random_points(options.batch, generator), relaxation).points
    return starts, generator.standard_normal(starts.shape)


def _symmetric_starts(energy: Energy, options: Exploration, generator: np.random.Generator) -> tuple[Array, Array]:
    """Symmetric points relaxed a little, and their gradients; every other time all the way.

    What is at rest among points of its own symmetry often falls along one direction that breaks it: a climb finds the
    direction, and itself at a transition state.
    """
    minimiser = options.searching.minimiser
    steps = (
        minimiser.max_steps
        if generator.random() < 0.5
        else int(generator.integers(1, max(2, options.relaxation_steps)))
    )
    starts = energy.symmetric_points(options.batch, generator)
    relaxed = minimise(energy, starts, replace(minimiser, max_steps=steps))
    _, directions = energy.value_and_gradient(relaxed.points)
    directions[relaxed.converged] = generator.standard_normal((int(relaxed.converged.sum()), energy.dimension))
    return relaxed.points, directions


def _unconnected_pairs(
    database: Database, options: Exploration, generator: np.random.Generator
) -> list[tuple[Minimum, Minimum]]:
    """Random pairs of minima from different parts of the landscape; of all minima where it is one part."""
    minima = {minimum.id: minimum for minimum in database.minima()}
    if len(minima) < 2:
        return []
    trees = disconnectivity(list(minima.values()), database.transition_states())
    parts = [sorted(tree.minima) for tree in trees] if len(trees) > 1 else [[number] for number in minima]
    pairs = []
    for _ in range(options.pairs):
        first, second = generator.choice(len(parts), 2, replace=False)
        ends = [int(generator.choice(parts[part])) for part in (first, second)]
        pairs.append((minima[ends[0]], minima[ends[1]]))
    return pairs


def _ids(minima: Sequence[Minimum]) -> tuple[int, ...]:
    return tuple(minimum.id for minimum in minima)


def _points(minima: Sequence[Minimum]) -> Array:
    return np.stack([minimum.found.point for minimum in minima])

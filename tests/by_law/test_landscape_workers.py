"""Workers: one that dies costs its job alone, and a Dask cluster does the same jobs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from reachbox.errors import InputError
from reachbox.landscape import DaskWorkers, Database, Exploration, LennardJones, LocalWorkers, explore

OPTIONS = Exploration(batch=16, kinds=("quench",))


@dataclass(frozen=True)
class Deadly(LennardJones):
    """A cluster whose random points now and then end the process that asks for them."""

    chance: float = 0.3

    def random_points(self, count: int, generator: np.random.Generator) -> np.ndarray:
        if generator.random() < self.chance:
            os._exit(1)
        return super().random_points(count, generator)


def test_a_dead_worker_costs_only_its_job(tmp_path: Path) -> None:
    deadly = Deadly(5)
    with Database(tmp_path / "deadly.db", deadly.describe()) as database, LocalWorkers(2) as workers:
        for progress in explore(deadly, database, OPTIONS, workers):
            if progress.attempts >= 10:
                break
        attempts = {attempt.seed: attempt.counts for attempt in database.attempts()}
        assert [minimum.found.energy for minimum in database.minima()] == pytest.approx([-9.103852], abs=1e-6)
    fatal = [seed for seed in attempts if np.random.default_rng([0, seed]).random() < deadly.chance]
    assert fatal
    assert [seed for seed, counts in attempts.items() if "lost" in counts] == fatal
    assert all(counts["searches"] == 16 for seed, counts in attempts.items() if seed not in fatal)


def test_workers_that_always_die_are_given_up(tmp_path: Path) -> None:
    deadly = Deadly(5, chance=1.0)
    with Database(tmp_path / "deadly.db", deadly.describe()) as database, LocalWorkers(1) as workers:
        with pytest.raises(InputError, match="4 jobs in a row lost their worker"):
            list(explore(deadly, database, OPTIONS, workers))
        assert database.next_seed == 3


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_does_the_jobs(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    cluster = LennardJones(6)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as processes,
        Database(tmp_path / "dask.db", cluster.describe()) as database,
        DaskWorkers(processes.scheduler_address) as workers,
    ):
        assert workers.count == 2
        for progress in explore(cluster, database, Exploration(batch=64, seed=3), workers):
            if progress.attempts == 6:
                break
        assert (len(database.minima()), len(database.transition_states())) == (2, 3)


def test_no_workers_are_refused() -> None:
    with pytest.raises(InputError, match="one or more are needed, found 0"):
        LocalWorkers(0)

"""What the database promises: it survives a kill at any moment, resumes, and refuses another problem's file."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reachbox.errors import FileError, InputError
from reachbox.landscape import (
    Crossing,
    Database,
    Exploration,
    Inertia,
    LennardJones,
    Outcome,
    PerceptronEnergy,
    ReLU,
    Searching,
    StationaryPoint,
    Tolerance,
    chao1,
    distinct_count,
    explore,
)

CLUSTER = LennardJones(5)
KILLS = int(os.environ.get("REACHBOX_TEST_KILLS", "3"))
OPTIONS = Exploration(batch=16)
EXPLORER = """
import sys
from reachbox.landscape import Database, Exploration, LennardJones, explore
cluster = LennardJones(5)
with Database(sys.argv[1], cluster.describe()) as database:
    for progress in explore(cluster, database, Exploration(batch=16)):
        print(progress.attempts, progress.minima, progress.transition_states, flush=True)
"""


def point(energy: float, negative: int = 0, invariant: float = 0.0) -> StationaryPoint:
    return StationaryPoint(np.array([energy]), energy, 1e-9, np.array([invariant]), Inertia(negative, 0, 1, 1e-7))


def run_jobs(database: Database, until: int) -> None:
    for progress in explore(CLUSTER, database, OPTIONS):
        if progress.attempts >= until:
            return


def contents(path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as connection:
        attempts = connection.execute("SELECT kind, seed, outcome FROM attempts ORDER BY id").fetchall()
        minima = connection.execute("SELECT energy, point FROM minima ORDER BY id").fetchall()
        states = connection.execute("SELECT energy, point, first, second FROM transition_states ORDER BY id").fetchall()
    return [*attempts, *minima, *states]


def test_an_exploration_in_pieces_is_the_same_as_in_one(tmp_path: Path) -> None:
    with Database(tmp_path / "whole.db", CLUSTER.describe()) as database:
        run_jobs(database, 6)
    for until in (1, 4, 6):
        with Database(tmp_path / "pieces.db", CLUSTER.describe()) as database:
            run_jobs(database, until)
    assert contents(tmp_path / "whole.db") == contents(tmp_path / "pieces.db")


def test_a_killed_exploration_loses_nothing_it_reported(tmp_path: Path) -> None:
    path, reported, generator = tmp_path / "killed.db", (0, 0, 0), random.Random(0)
    for _ in range(KILLS):
        process = subprocess.Popen([sys.executable, "-c", EXPLORER, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(generator.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        lines = [first, *process.stdout.read().splitlines()]
        process.stdout.close()
        process.wait()
        complete = [line for line in lines if len(line.split()) == 3]
        now = tuple(int(word) for word in complete[-1].split())
        assert now[0] > reported[0]
        with Database(path, CLUSTER.describe()) as database:
            stored = (database.next_seed, len(database.minima()), len(database.transition_states()))
        assert all(kept >= told for kept, told in zip(stored, now, strict=True))
        reported = now  # type: ignore[assignment]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_another_problem_s_file_is_refused(tmp_path: Path) -> None:
    Database(tmp_path / "five.db", CLUSTER.describe()).close()
    with pytest.raises(FileError, match=r"five.db: belongs to another exploration, its atoms is 5, not 6"):
        Database(tmp_path / "five.db", LennardJones(6).describe())
    with pytest.raises(FileError, match=r"its energy_tolerance is 1e-05, not 0\.0001"):
        Database(tmp_path / "five.db", CLUSTER.describe(), Tolerance(energy=1e-4))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, and long enough to be told from an empty one" * 20)
    with pytest.raises(FileError, match=r"text.db: not a landscape database"):
        Database(tmp_path / "text.db", CLUSTER.describe())
    with pytest.raises(FileError, match="not readable"):
        Database(tmp_path / "missing" / "folder.db", CLUSTER.describe())


def test_points_within_the_tolerance_are_one(tmp_path: Path) -> None:
    minima = [point(1.0), point(1.0 + 9e-6), point(1.0 + 2e-5), point(1.0, invariant=0.1)]
    with Database(tmp_path / "points.db", {}) as database:
        database.store(Outcome("quench", 0, minima))
        assert [minimum.found.energy for minimum in database.minima()] == [1.0, 1.0, 1.0 + 2e-5]
        assert sorted(database.found_energies()) == sorted(found.energy for found in minima)


def test_a_crossing_brings_its_minima(tmp_path: Path) -> None:
    crossing = Crossing(point(3.0, negative=1), point(2.0), point(1.0))
    with Database(tmp_path / "crossing.db", {}) as database:
        database.store(Outcome("climb_from_random", 0, crossings=[crossing, crossing]))
        (state,) = database.transition_states()
        energies = {minimum.id: minimum.found.energy for minimum in database.minima()}
        assert {energies[state.first], energies[state.second]} == {1.0, 2.0}


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    Database(tmp_path / "old.db", {}).close()
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    message = r"old\.db: a landscape database of form 99; this version of reachbox reads 1"
    with pytest.raises(FileError, match=message):
        Database(tmp_path / "old.db", {})
    with pytest.raises(FileError, match=message):
        Database.existing(tmp_path / "old.db")


def test_all_evidence_is_read_as_it_was_stored(tmp_path: Path) -> None:
    soft = np.array([-3e-6, -2e-7, 5e-8])
    full = replace(point(1.0, negative=2), soft=soft, error=3e-12, kinks=7, width=0.25)
    with Database(tmp_path / "evidence.db", {}) as database:
        database.store(Outcome("quench", 4, [full], counts={"searches": 3}, seconds=1.5))
    with Database.existing(tmp_path / "evidence.db") as database:
        (read,) = (minimum.found for minimum in database.minima())
        (attempt,) = database.attempts()
    assert [read.negative_at(level) for level in (1e-7, 1e-6, 1e-5)] == [2, 1, 0]
    assert (read.error, read.kinks, read.width, read.inertia) == (3e-12, 7, 0.25, full.inertia)
    assert (attempt.kind, attempt.seed, attempt.counts, attempt.minima) == ("quench", 4, {"searches": 3}, 1)


def test_a_point_without_evidence_is_refused_and_nothing_of_its_job_is_kept(tmp_path: Path) -> None:
    bare = StationaryPoint(np.zeros(1), 5.0, 1e-9, np.zeros(1))
    with Database(tmp_path / "bare.db", {}) as database:
        with pytest.raises(InputError, match="needs its inertia, found none at energy 5"):
            database.store(Outcome("quench", 0, [point(1.0), bare]))
        assert (database.next_seed, database.minima(), len(database.known_minima)) == (0, [], 0)


def test_what_is_not_strict_is_kept_apart(tmp_path: Path) -> None:
    bare = StationaryPoint(np.zeros(1), 5.0, 1e-4, np.zeros(1))
    with Database(tmp_path / "loose.db", CLUSTER.describe(), strict=False) as database:
        database.store(Outcome("quench", 0, [bare]))
        assert database.minima()[0].found.inertia is None
        with pytest.raises(InputError, match="must be as strict as the search, found False and True"):
            next(explore(CLUSTER, database, OPTIONS))
    with pytest.raises(FileError, match="its strict is false, not true"):
        Database(tmp_path / "loose.db", CLUSTER.describe())


def test_searches_as_published_keep_whatever_converges(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    inputs, labels = generator.standard_normal((20, 2)), generator.integers(0, 2, 20)
    network = PerceptronEnergy((2, 4, 2), ReLU(), inputs, labels, l2=0.01)
    options = Exploration(batch=32, kinds=("quench",), searching=Searching.as_published())
    with Database(tmp_path / "relu.db", network.describe(), strict=False) as database:
        next(explore(network, database, options))
        minima = database.minima()
    assert len(minima) > 1
    assert all(minimum.found.inertia is None and minimum.found.rms <= 1e-3 for minimum in minima)


def test_distinct_counts_shrink_with_the_tolerance_and_chao_adds_the_unseen() -> None:
    energies = np.array([1.0, 1.0, 1.00005, 2.0, 3.0, 3.0, 4.0])
    assert [distinct_count(energies, tolerance) for tolerance in (1e-6, 1e-4, 1.5, 10)] == [5, 4, 2, 1]
    assert chao1(energies, 1e-6) == pytest.approx(5 + 3 * 2 / (2 * 3))  # three found once, two twice

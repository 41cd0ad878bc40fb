"""Where an exploration is kept: one SQLite file that can be killed, copied and resumed at any moment."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any, Self

import numpy as np

from reachbox.errors import FileError, InputError
from reachbox.landscape.curvature import Inertia
from reachbox.landscape.energy import Array
from reachbox.landscape.stationary_point import Catalogue, StationaryPoint, Tolerance
from reachbox.landscape.storage.stored import Attempt, Crossing, Minimum, Outcome, TransitionState

VERSION = 1
SCHEMA = """
CREATE TABLE configuration (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, seed INTEGER NOT NULL, outcome TEXT NOT NULL, seconds REAL NOT NULL
);
CREATE TABLE minima (
    id INTEGER PRIMARY KEY, energy REAL NOT NULL, rms REAL NOT NULL, negative INTEGER, zero INTEGER,
    positive INTEGER, threshold REAL, kinks INTEGER NOT NULL, width REAL, error REAL, soft BLOB,
    point BLOB NOT NULL, invariant BLOB NOT NULL,
    searches INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL REFERENCES attempts (id)
);
CREATE TABLE transition_states (
    id INTEGER PRIMARY KEY, energy REAL NOT NULL, rms REAL NOT NULL, negative INTEGER, zero INTEGER,
    positive INTEGER, threshold REAL, kinks INTEGER NOT NULL, width REAL, error REAL, soft BLOB,
    point BLOB NOT NULL, invariant BLOB NOT NULL,
    first INTEGER NOT NULL REFERENCES minima (id), second INTEGER NOT NULL REFERENCES minima (id),
    attempt INTEGER NOT NULL REFERENCES attempts (id)
);
CREATE TABLE finds (
    minimum INTEGER REFERENCES minima (id), transition_state INTEGER REFERENCES transition_states (id),
    energy REAL NOT NULL, attempt INTEGER NOT NULL REFERENCES attempts (id)
);
"""
COLUMNS = "energy, rms, negative, zero, positive, threshold, kinks, width, error, soft, point, invariant"


class Database:
    """Minima, transition states and attempts of one problem, in one SQLite file in WAL mode.

    What a call has stored survives the end of the process at any later moment. A `strict` database takes no point
    without its inertia. `about` is kept with the problem, for whoever reads the file. Opening a file that belongs to
    another problem, or was made with another tolerance or strictness, raises `FileError`. One process writes; any
    number may read.
    """

    def __init__(
        self,
        path: Path | str,
        problem: dict[str, object],
        tolerance: Tolerance | None = None,
        strict: bool = True,
        about: dict[str, object] | None = None,
    ) -> None:
        tolerance = tolerance or Tolerance()
        configuration = {
            "problem": problem,
            "energy_tolerance": tolerance.energy,
            "invariant_tolerance": tolerance.invariant,
            "strict": strict,
            "about": about or {},
        }
        self._open(Path(path), configuration)

    @classmethod
    def existing(cls, path: Path | str) -> Self:
        """The database in a file that must be there, of whatever problem; raises `FileError` where it is not."""
        path = Path(path)
        if not path.is_file():
            raise FileError(f"{path}: no such file")
        database = cls.__new__(cls)
        database._open(path, None)
        return database

    def _open(self, path: Path, wanted: dict[str, object] | None) -> None:
        self.path = path
        try:
            self._connection = sqlite3.connect(path, isolation_level=None)
            if wanted is not None:
                self._create(wanted)
            rows = self._connection.execute("SELECT key, value FROM configuration").fetchall()
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.Error as error:
            raise FileError(f"{path}: not a landscape database, or not readable: {error}") from None
        if version != VERSION:
            raise FileError(f"{path}: a landscape database of form {version}; this version of reachbox reads {VERSION}")
        self.configuration: dict[str, Any] = {key: json.loads(value) for key, value in rows}
        _check_same(path, self.configuration, json.loads(json.dumps(wanted or {})))
        self.tolerance = Tolerance(self.configuration["energy_tolerance"], self.configuration["invariant_tolerance"])
        self.strict = bool(self.configuration["strict"])
        self._minima = self._catalogue("minima")
        self._states = self._catalogue("transition_states")

    def _create(self, configuration: dict[str, object]) -> None:
        """The tables and the configuration, in an empty file."""
        self._connection.execute("PRAGMA journal_mode = WAL")
        with self._transaction() as connection:
            if not connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
                connection.execute(f"PRAGMA user_version = {VERSION}")
                for statement in filter(str.strip, SCHEMA.split(";")):
                    connection.execute(statement)
                rows = [(key, json.dumps(value, sort_keys=True)) for key, value in configuration.items()]
                connection.executemany("INSERT INTO configuration VALUES (?, ?)", rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what is stored stays."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing of what the block writes."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _catalogue(self, table: str) -> Catalogue:
        catalogue = Catalogue(self.tolerance)
        for row in self._connection.execute(f"SELECT id, {COLUMNS} FROM {table}"):
            catalogue.add(row[0], _stationary_point(row[1:]))
        return catalogue

    def store(self, outcome: Outcome) -> int:
        """Enter a job's outcome in one transaction, and return the attempt's number."""
        try:
            with self._transaction():
                return self._enter(outcome)
        except BaseException:
            self._minima, self._states = self._catalogue("minima"), self._catalogue("transition_states")
            raise

    def _enter(self, outcome: Outcome) -> int:
        record = (outcome.kind, outcome.seed, json.dumps(outcome.counts, sort_keys=True), outcome.seconds)
        sql = "INSERT INTO attempts (kind, seed, outcome, seconds) VALUES (?, ?, ?, ?)"
        attempt = self._inserted(sql, record)
        for minimum in outcome.minima:
            self._enter_minimum(minimum, attempt)
        for crossing in outcome.crossings:
            self._enter_crossing(crossing, attempt)
        for number in outcome.searched:
            self._connection.execute("UPDATE minima SET searches = searches + 1 WHERE id = ?", (number,))
        return attempt

    def _enter_minimum(self, found: StationaryPoint, attempt: int) -> int:
        number = self._minima.find(found)
        if number is None:
            sql = f"INSERT INTO minima ({COLUMNS}, attempt) VALUES (?{', ?' * 12})"
            number = self._inserted(sql, (*self._record(found), attempt))
            self._minima.add(number, found)
        sql = "INSERT INTO finds (minimum, energy, attempt) VALUES (?, ?, ?)"
        self._connection.execute(sql, (number, found.energy, attempt))
        return number

    def _enter_crossing(self, crossing: Crossing, attempt: int) -> None:
        ends = [self._enter_minimum(end, attempt) for end in (crossing.first, crossing.second)]
        number = self._states.find(crossing.state)
        if number is None:
            sql = f"INSERT INTO transition_states ({COLUMNS}, first, second, attempt) VALUES (?{', ?' * 14})"
            number = self._inserted(sql, (*self._record(crossing.state), *sorted(ends), attempt))
            self._states.add(number, crossing.state)
        sql = "INSERT INTO finds (transition_state, energy, attempt) VALUES (?, ?, ?)"
        self._connection.execute(sql, (number, crossing.state.energy, attempt))

    def _record(self, found: StationaryPoint) -> tuple[object, ...]:
        if found.inertia is None and self.strict:
            raise InputError(f"database: a new point needs its inertia, found none at energy {found.energy:.17g}")
        signs = (None,) * 4 if found.inertia is None else astuple(found.inertia)
        soft = None if found.soft is None else _bytes(found.soft)
        evidence = (found.energy, found.rms, *signs, found.kinks, found.width, found.error, soft)
        return (*evidence, _bytes(found.point), _bytes(found.invariant))

    def _inserted(self, sql: str, values: tuple[object, ...]) -> int:
        row = self._connection.execute(sql, values).lastrowid
        assert row is not None
        return row

    @property
    def known_minima(self) -> Catalogue:
        """The distinct minima, to look a point up."""
        return self._minima

    @property
    def known_transition_states(self) -> Catalogue:
        """The distinct transition states, to look a point up."""
        return self._states

    @property
    def next_seed(self) -> int:
        """The lowest seed above those of all stored jobs."""
        return int(self._connection.execute("SELECT COALESCE(MAX(seed) + 1, 0) FROM attempts").fetchone()[0])

    def minima(self) -> list[Minimum]:
        """All minima, the lowest first."""
        sql = f"SELECT id, searches, {COLUMNS} FROM minima ORDER BY energy, id"
        return [Minimum(row[0], _stationary_point(row[2:]), row[1]) for row in self._connection.execute(sql)]

    def transition_states(self) -> list[TransitionState]:
        """All transition states, the lowest first."""
        sql = f"SELECT id, first, second, {COLUMNS} FROM transition_states ORDER BY energy, id"
        rows = self._connection.execute(sql)
        return [TransitionState(row[0], _stationary_point(row[3:]), row[1], row[2]) for row in rows]

    def least_searched(self, count: int) -> list[Minimum]:
        """The minima from which the fewest searches have set out, lower ones first."""
        ranked = sorted(self.minima(), key=lambda minimum: (minimum.searches, minimum.found.energy))
        return ranked[:count]

    def attempts(self) -> list[Attempt]:
        """All jobs, in the order in which they were stored."""
        sql = """
            SELECT kind, seed, outcome, seconds,
                (SELECT COUNT(*) FROM minima WHERE attempt <= attempts.id),
                (SELECT COUNT(*) FROM transition_states WHERE attempt <= attempts.id)
            FROM attempts ORDER BY id
        """
        rows = self._connection.execute(sql)
        return [Attempt(kind, seed, json.loads(counts), *rest) for kind, seed, counts, *rest in rows]

    def found_energies(self) -> Array:
        """The energy of every find of a minimum, repeats included; for `chao1` and counts at other tolerances."""
        rows = self._connection.execute("SELECT energy FROM finds WHERE minimum IS NOT NULL").fetchall()
        return np.array([row[0] for row in rows], dtype=np.float64)


def _check_same(path: Path, found: object, wanted: object, name: str = "") -> None:
    """Raises `FileError` for the first setting that is not as wanted."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key, value in wanted.items():
            _check_same(path, found.get(key), value, key)
    elif found != wanted:
        message = f"belongs to another exploration, its {name} is {json.dumps(found)}, not {json.dumps(wanted)}"
        raise FileError(f"{path}: {message}")


def _bytes(numbers: Array) -> bytes:
    return numbers.astype("<f8").tobytes()


def _stationary_point(row: Sequence[object]) -> StationaryPoint:
    energy, rms, negative, zero, positive, threshold, kinks, width, error, soft, point, invariant = row
    signs = None if negative is None else Inertia(negative, zero, positive, threshold)  # type: ignore[arg-type]
    arrays = [np.frombuffer(blob, dtype="<f8") for blob in (point, invariant)]  # type: ignore[call-overload]
    values = None if soft is None else np.frombuffer(soft, dtype="<f8")  # type: ignore[call-overload]
    return StationaryPoint(arrays[0], energy, rms, arrays[1], signs, kinks, width, error, values)  # type: ignore[arg-type]

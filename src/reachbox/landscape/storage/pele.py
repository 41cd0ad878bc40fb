"""A landscape as pele stores it: an SQLite file of its schema 2, for the programs built on pele."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from reachbox.landscape.storage.stored import Minimum, TransitionState

SCHEMA_VERSION = 2
POINT = (
    "_id INTEGER PRIMARY KEY, energy FLOAT, coords BLOB, fvib FLOAT, pgorder INTEGER, invalid INTEGER, user_data BLOB"
)
STATE = (
    ", _minimum1_id INTEGER REFERENCES tbl_minima (_id), _minimum2_id INTEGER REFERENCES tbl_minima (_id), "
    "eigenval FLOAT, eigenvec BLOB"
)
PROPERTY = (
    "_id INTEGER PRIMARY KEY, property_name VARCHAR, int_value INTEGER, float_value FLOAT, string_value VARCHAR, "
    "pickle_value BLOB"
)


def write_pele(path: Path, minima: Sequence[Minimum], states: Sequence[TransitionState]) -> None:
    """Write energies, points and which minima each state joins; points are pickled arrays, as pele reads them.

    The file must not be there yet.
    """
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute(f"CREATE TABLE tbl_minima ({POINT})")
        connection.execute(f"CREATE TABLE tbl_transition_states ({POINT}{STATE})")
        connection.execute(f"CREATE TABLE tbl_system_property ({PROPERTY})")
        connection.executemany(
            "INSERT INTO tbl_minima (_id, energy, coords, invalid) VALUES (?, ?, ?, 0)",
            [(minimum.id, minimum.found.energy, _pickled(minimum)) for minimum in minima],
        )
        connection.executemany(
            "INSERT INTO tbl_transition_states (_id, energy, coords, invalid, _minimum1_id, _minimum2_id) "
            "VALUES (?, ?, ?, 0, ?, ?)",
            [(state.id, state.found.energy, _pickled(state), state.first, state.second) for state in states],
        )
    connection.close()


def _pickled(stored: Minimum | TransitionState) -> bytes:
    return pickle.dumps(stored.found.point.copy(), protocol=2)

"""`reachbox landscape`: what each command prints and writes, what it refuses, and the exit code."""

from __future__ import annotations

import csv
import json
import pickle
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reachbox.cli import main

PLANE = "a,b,kind\n" + "".join(
    f"{x},{y},{'in' if x * x + y * y < 2 else 'out'}\n" for x in (-2, -1, 0, 1, 2) for y in (-2, -1, 0, 1, 2)
)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process, in a folder that holds `plane.csv`; gives exit code, output and error."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plane.csv").write_text(PLANE)

    def ran(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["landscape", *map(str, arguments)])
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    return ran


EXPLORE = ("explore", "--data", "plane.csv", "--label", "kind", "--network", "mlp:4", "--l2", "0.003")


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        (("--activation", "tanh"), "smooth"),
        (("--width", "0.1"), "smoothed"),
        (("--mode", "paper"), "paper"),
    ],
)
def test_an_exploration_stops_at_its_goal_and_goes_on(run: Run, options: tuple[str, ...], mode: str) -> None:
    code, out, err = run(*EXPLORE, *options, "--minima", 2, "--database", "plane.db", "--json")
    record: dict[str, Any] = json.loads(out)
    assert (code, err, record["about"]["mode"]) == (0, "", mode)
    assert len(record["minima"]) >= 2
    energies = [minimum["energy"] for minimum in record["minima"]]
    assert energies == sorted(energies)
    assert all(minimum["rms"] <= record["about"]["rms"] for minimum in record["minima"])
    assert ("negative" in record["minima"][0]) == (mode != "paper")
    jobs = sum(effort["jobs"] for effort in record["effort"])
    code, out, _ = run(*EXPLORE, *options, "--minima", 2, "--database", "plane.db", "--json")
    again = json.loads(out)
    assert (code, sum(effort["jobs"] for effort in again["effort"])) == (0, jobs)  # nothing was left to do
    code, out, _ = run(*EXPLORE, *options, "--minutes", 0.001, "--database", "plane.db", "--json")
    more = json.loads(out)
    assert (code, sum(effort["jobs"] for effort in more["effort"])) >= (0, jobs + 1)


def test_what_is_there_is_shown_drawn_and_exported(run: Run, tmp_path: Path) -> None:
    code, _, _ = run(*EXPLORE, "--activation", "tanh", "--minima", 3, "--states", 2, "--database", "plane.db")
    assert code == 0
    code, out, err = run("show", "plane.db", "--out", "pictures")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert "transition states" in out
    assert "climb_from_minima" in out
    page = (tmp_path / "pictures" / "index.html").read_text()
    assert page.count('role="img"') == 8  # four figures, wide and narrow
    names = {"minima", "network", "energies", "progress"}
    assert {path.stem for path in (tmp_path / "pictures").glob("*.svg")} == names
    code, _, err = run("export", "plane.db", "--format", "csv,graphml,pele", "--out", "files")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader((tmp_path / "files" / "minima.csv").read_text().splitlines()))
    with sqlite3.connect(tmp_path / "files" / "pele.sqlite") as connection:
        stored = connection.execute("SELECT energy, coords FROM tbl_minima ORDER BY energy").fetchall()
        states = connection.execute("SELECT COUNT(*) FROM tbl_transition_states").fetchone()[0]
    assert [float(row["energy"]) for row in rows] == [energy for energy, _ in stored]
    assert pickle.loads(stored[0][1]).shape == (22,)  # 4 (2 + 1) weights in, 2 (4 + 1) out
    assert states >= 2


def test_minutes_that_run_out_are_an_exit_code(run: Run) -> None:
    code, out, _ = run(*EXPLORE, "--minima", 10_000, "--minutes", 0.001, "--database", "plane.db")
    assert code == 3
    assert "minima" in out


def test_one_line_says_what_is_wrong(run: Run, tmp_path: Path) -> None:
    run(*EXPLORE, "--activation", "tanh", "--minima", 1, "--database", "plane.db")
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE something (x)")
    cases: list[tuple[tuple[object, ...], str]] = [
        ((*EXPLORE, "--minima", 1, "--database", "plane.db"), "its activation is"),
        ((*EXPLORE, "--database", "new.db"), "say when to stop"),
        ((*EXPLORE, "--minima", 1, "--mode", "rough", "--database", "new.db"), "smooth, smoothed, paper are allowed"),
        ((*EXPLORE, "--minima", 1, "--activation", "sine", "--database", "new.db"), "relu, tanh, softplus are allowed"),
        ((*EXPLORE, "--minima", 1, "--mode", "paper", "--width", 1, "--database", "new.db"), "smoothed mode"),
        ((*EXPLORE, "--minutes", -1, "--database", "new.db"), "minutes: must be positive"),
        (("show", "none.db"), "none.db: no such file"),
        (("show", "plane.csv"), "not a landscape database"),
        (("show", "other.db"), "not a landscape database"),
        (("export", "plane.db", "--format", "xml", "--out", "files"), "csv, graphml, pele are allowed, found 'xml'"),
    ]
    for arguments, words in cases:
        code, out, err = run(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert words in err
    assert not (tmp_path / "new.db").exists()


def test_a_study_sets_sensitivities_against_energies(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(*EXPLORE, "--width", 0.1, "--minima", 2, "--states", 1, "--minutes", 0.3, "--database", "plane.db")

    def studied(*options: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["study", "plane.db", "--data", "plane.csv", "--label", "kind", *options])
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    code, out, err = studied("--json", "--out", "study")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert len(record["energy"]) == len(record["log10_geometric_mean"]) == len(record["id"]) >= 2
    assert record["energy"] == sorted(record["energy"])
    assert (tmp_path / "study" / "index.html").exists()
    code, out, err = studied("--standardise")
    assert (code, out) == (2, "")
    assert "was explored on other samples than plane" in err

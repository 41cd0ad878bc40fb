"""The house: imports point one way, solvers stay in their rooms, and the docstrings' examples run."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import pytest

import reachbox

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "reachbox"

# A room may import from rooms on lower floors, and from its own.
FLOORS = [
    {"checks", "errors"},
    {"box", "file_access", "machine_code", "solvers"},
    {"network"},
    {"reach", "data"},
    {"sensitivity"},
    {"certify"},
    {"verify"},
    {"formats", "training", "landscape", "report"},
    {"studies"},
    {"cli"},
    {"__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FORBIDDEN = {("landscape", "reach"), ("landscape", "sensitivity"), ("landscape", "certify"), ("reach", "training")}

NEEDS = {"reachbox.solvers.gurobi": "gurobipy", "reachbox.solvers.marabou": "maraboupy"}  # not installed by default


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        rooms.update(name.split(".")[1] for name in names if name.startswith("reachbox."))
    return rooms & set(FLOOR)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    assert room in FLOOR, f"{room} has no floor yet: give it one in this test"
    for other in imported_rooms(path) - {room}:
        assert FLOOR[other] < FLOOR[room], f"{room} must not import {other}"
        assert (room, other) not in FORBIDDEN


def test_no_two_studies_import_each_other() -> None:
    """Whatever stands inside of functions or TYPE_CHECKING counts too."""
    studies = SOURCE / "studies"
    imports = {
        "reachbox." + ".".join(path.relative_to(SOURCE).with_suffix("").parts): {
            node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)
        }
        for path in studies.rglob("*.py")
    }
    order = TopologicalSorter({name: found & set(imports) for name, found in imports.items()})
    order.prepare()  # raises where there is a circle


def test_importing_the_package_loads_no_solver_and_no_plots() -> None:
    heavy = ["highspy", "gurobipy", "maraboupy", "matplotlib", "sklearn", "typer", "onnx", "numba", "pooch"]
    code = f"import reachbox, sys; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_every_docstring_example_runs() -> None:
    for module in pkgutil.walk_packages(reachbox.__path__, "reachbox."):
        if module.name.endswith("__main__") or find_spec(NEEDS.get(module.name, "reachbox")) is None:
            continue
        result = doctest.testmod(importlib.import_module(module.name))
        assert result.failed == 0, module.name

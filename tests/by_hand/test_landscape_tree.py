"""A landscape small enough to draw on paper: its disconnectivity graph, its pictures, its files."""

from __future__ import annotations

import csv
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from reachbox.landscape import (
    Inertia,
    Minimum,
    StationaryPoint,
    TransitionState,
    barrier,
    disconnectivity,
    draw_disconnectivity,
    draw_energy_histogram,
    write_graphml,
    write_minima_csv,
    write_transition_states_csv,
)


def point(energy: float, negative: int) -> StationaryPoint:
    return StationaryPoint(np.zeros(1), energy, 1e-9, np.zeros(0), Inertia(negative, 0, 1 - negative, 1e-7))


MINIMA = [
    Minimum(number, point(energy, 0), 0) for number, energy in ((1, 0.1), (2, 0.0), (3, 0.2), (4, 0.3), (5, 0.25))
]
STATES = [
    TransitionState(number, point(energy, 1), first, second)
    for number, energy, first, second in (
        (1, 1.0, 1, 2),
        (2, 1.5, 1, 2),
        (3, 2.0, 3, 1),
        (4, 2.0, 3, 5),
        (5, 3.0, 5, 5),
    )
]


def test_the_tree_joins_at_the_lowest_states() -> None:
    connected, alone = disconnectivity(MINIMA, STATES)
    assert (set(alone.minima), alone.energy, len(alone.parts)) == ({4}, 0.3, 0)
    assert (connected.energy, connected.lowest) == (2.0, 0.0)
    assert [set(part.minima) for part in connected.parts] == [{3}, {1, 2}, {5}]  # three meet at one energy
    pair = connected.parts[1]
    assert (pair.energy, [part.energy for part in pair.parts]) == (1.0, [0.1, 0.0])


@pytest.mark.parametrize(("pair", "level"), [((1, 2), 1.0), ((2, 5), 2.0), ((1, 4), None), ((3, 3), 0.2)])
def test_barriers_between_minima(pair: tuple[int, int], level: float | None) -> None:
    assert barrier(disconnectivity(MINIMA, STATES), *pair) == level


def test_a_chain_of_thousands_of_minima_is_no_matter() -> None:
    minima = [Minimum(number, point(0.0, 0), 0) for number in range(3000)]
    states = [TransitionState(number, point(1.0 + number, 1), number, number + 1) for number in range(2999)]
    (tree,) = disconnectivity(minima, states)
    assert tree.lowest == 0.0
    assert sum(1 for basin in tree.walk() if not basin.parts) == 3000


def test_every_minimum_ends_a_line_in_the_picture() -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib.figure import Figure

    left, right = Figure().subplots(1, 2)
    trees = disconnectivity(MINIMA, STATES)
    draw_disconnectivity(left, trees, colours={1: 3.0, 2: 5.0}, label="log volume")
    offsets = np.asarray(left.collections[1].get_offsets())
    assert sorted(offsets[:, 1]) == sorted(minimum.found.energy for minimum in MINIMA)
    assert sorted(offsets[:, 0]) == [0, 1, 2, 3, 4]
    ends = {tuple(end) for segment in left.collections[0].get_segments() for end in segment}
    assert {(x, y) for x, y in offsets if y != 0.3} <= ends  # all but the lone minimum hang on the tree
    draw_energy_histogram(right, np.array([minimum.found.energy for minimum in MINIMA]), bins=3)
    assert sum(bar.get_height() for bar in right.patches) == 5


def test_files_tell_the_same(tmp_path: Path) -> None:
    write_minima_csv(tmp_path / "minima.csv", MINIMA)
    write_transition_states_csv(tmp_path / "states.csv", STATES)
    write_graphml(tmp_path / "network.graphml", MINIMA, STATES)
    rows = list(csv.DictReader((tmp_path / "minima.csv").read_text().splitlines()))
    assert [(int(row["id"]), float(row["energy"])) for row in rows] == [(m.id, m.found.energy) for m in MINIMA]
    rows = list(csv.DictReader((tmp_path / "states.csv").read_text().splitlines()))
    assert [(int(row["first"]), int(row["second"])) for row in rows] == [(s.first, s.second) for s in STATES]
    space = {"g": "http://graphml.graphdrawing.org/xmlns"}
    graph = ElementTree.parse(tmp_path / "network.graphml").getroot()
    assert len(graph.findall(".//g:node", space)) == 5
    edges = graph.findall(".//g:edge", space)
    assert [(edge.get("source"), edge.get("target")) for edge in edges][2] == ("minimum 3", "minimum 1")

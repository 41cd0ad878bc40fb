"""A landscape in the formats that other programs read: CSV tables and a GraphML network."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from xml.etree import ElementTree

from reachbox.landscape.stationary_point import StationaryPoint
from reachbox.landscape.storage.stored import Minimum, TransitionState

LEVELS = (1e-7, 1e-6, 1e-5)
COLUMNS = [
    "id",
    "energy",
    "rms",
    "negative",
    "zero",
    "positive",
    "threshold",
    "kinks",
    "width",
    "error",
    *(f"negative at {level:g}" for level in LEVELS),
]
NAMESPACE = "http://graphml.graphdrawing.org/xmlns"


def write_minima_csv(path: Path, minima: Sequence[Minimum]) -> None:
    """One row a minimum: number, energy, RMS gradient, counts of eigenvalues. Numbers round-trip."""
    _write_csv(path, COLUMNS, [[minimum.id, *_evidence(minimum.found)] for minimum in minima])


def write_transition_states_csv(path: Path, states: Sequence[TransitionState]) -> None:
    """One row a transition state, with the numbers of the two minima it joins. Numbers round-trip."""
    rows = [[state.id, *_evidence(state.found), state.first, state.second] for state in states]
    _write_csv(path, [*COLUMNS, "first", "second"], rows)


def write_graphml(path: Path, minima: Sequence[Minimum], states: Sequence[TransitionState]) -> None:
    """The network of minima: a node a minimum, an edge a transition state, each with its energy."""
    root = ElementTree.Element("graphml", xmlns=NAMESPACE)
    for kind in ("node", "edge"):
        attributes = {"id": f"{kind}_energy", "for": kind, "attr.name": "energy", "attr.type": "double"}
        ElementTree.SubElement(root, "key", attributes)
    graph = ElementTree.SubElement(root, "graph", edgedefault="undirected")
    for minimum in minima:
        node = ElementTree.SubElement(graph, "node", id=f"minimum {minimum.id}")
        ElementTree.SubElement(node, "data", key="node_energy").text = repr(minimum.found.energy)
    for state in states:
        ends = {"source": f"minimum {state.first}", "target": f"minimum {state.second}"}
        edge = ElementTree.SubElement(graph, "edge", {"id": f"transition state {state.id}", **ends})
        ElementTree.SubElement(edge, "data", key="edge_energy").text = repr(state.found.energy)
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _evidence(found: StationaryPoint) -> list[object]:
    """The numbers of a point; those of an inertia that was not computed are empty."""
    signs = [None] * 4 if found.inertia is None else astuple(found.inertia)
    return [
        found.energy,
        found.rms,
        *signs,
        found.kinks,
        found.width,
        found.error,
        *(found.negative_at(level) for level in LEVELS),
    ]


def _write_csv(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)

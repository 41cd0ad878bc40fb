"""A landscape as sections of a page: its tree, its network, its energies, and how the exploration went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from reachbox.landscape import draw_disconnectivity, draw_energy_histogram, draw_network
from reachbox.report import Column, Section, Table, canvas
from reachbox.report.numbers import count, number
from reachbox.report.palette import series_colour
from reachbox.studies.landscape import Survey

FEWEST_DRAWN = 3
MOST_DRAWN = 0.98


def energy(value: float) -> str:
    """An energy with the digits that tell minima apart."""
    return f"{value:.6f}".replace("-", "\u2212")


def landscape_sections(
    found: Survey, colours: Mapping[int, float] | None = None, colour_label: str = ""
) -> tuple[Section, ...]:
    """Tree and network, where transition states are known, then energies and progress.

    `colours` gives each minimum, by number, a value to be coloured by; `colour_label` names it.
    """
    sections = [_energies(found), _progress(found)]
    if found.states:
        sections.insert(0, _tree(found, colours, colour_label))
        sections.insert(1, _network(found))
    return tuple(sections)


def minima_table(found: Survey, name: str = "minima") -> Table:
    """Every minimum with its evidence."""
    columns = (
        Column("minimum", "id", count),
        Column("energy", "energy", energy),
        Column("RMS gradient", "rms", number),
        Column("negative", "negative", count),
        Column("zero", "zero", count),
        Column("samples on bends", "kinks", count),
    )
    rows = [(m.id, m.found.energy, m.found.rms, *_signs(m.found.inertia), m.found.kinks) for m in found.minima]
    return Table(name, columns, rows)


def _signs(inertia: Any) -> tuple[int | None, int | None]:
    return (None, None) if inertia is None else (inertia.negative, inertia.zero)


def _states_table(found: Survey) -> Table:
    columns = (
        Column("transition state", "id", count),
        Column("energy", "energy", energy),
        Column("RMS gradient", "rms", number),
        Column("joins", "first", count),
        Column("with", "second", count),
        Column("followed to width", "width", number),
    )
    rows = [(s.id, s.found.energy, s.found.rms, s.first, s.second, s.found.width) for s in found.states]
    return Table("transition-states", columns, rows)


def _tree(found: Survey, colours: Mapping[int, float] | None, label: str) -> Section:
    trees = [tree for tree in found.trees if len(tree.minima) >= FEWEST_DRAWN] or list(found.trees)

    def draw(sheet: Any, is_narrow: bool) -> None:
        draw_disconnectivity(sheet.add_subplot(), trees, colours, label)

    sentence = (
        f"Every line that ends is a minimum, at its energy; lines meet at the lowest transition state over which one "
        f"leads to the other. {count(found.largest_part)} of {count(len(found.minima))} minima hang together by the "
        f"{count(len(found.states))} transition states known, of which {count(found.joining)} join two distinct minima."
    )
    drawn = sum(len(tree.minima) for tree in trees)
    parts = "one connected part" if len(trees) == 1 else f"{count(len(trees))} connected parts"
    caption = f"Disconnectivity graph of {count(drawn)} minima in {parts}."
    drawing = canvas.figure(caption, (minima_table(found), _states_table(found)), draw, wide=(720, 460))
    return Section("How the minima hang together", sentence, figures=(drawing,))


def _network(found: Survey) -> Section:
    pairs = [(state.first, state.second) for state in found.states if state.first != state.second]
    degrees = {minimum.id: 0 for minimum in found.minima}
    for pair in pairs:
        for end in pair:
            degrees[end] += 1
    columns = (
        Column("minimum", "id", count),
        Column("energy", "energy", energy),
        Column("transition states", "states", count),
    )
    rows = [(m.id, m.found.energy, degrees[m.id]) for m in found.minima]

    def draw(sheet: Any, is_narrow: bool) -> None:
        draw_network(sheet.add_subplot(), joined, found.states, "" if is_narrow else "energy")

    joined = [minimum for minimum in found.minima if degrees[minimum.id]]
    most = max(degrees.values(), default=0)
    sentence = (
        f"A dot is a minimum, a line one or more transition states; the best connected minimum has {count(most)}."
    )
    drawing = canvas.figure(
        f"Network of the {count(len(joined))} minima that a transition state joins to another.",
        Table("network", columns, rows),
        draw,
        wide=(720, 520),
    )
    return Section("The network of minima", sentence, figures=(drawing,))


def _energies(found: Survey) -> Section:
    values = np.array([minimum.found.energy for minimum in found.minima])
    top = float(np.quantile(values, MOST_DRAWN)) if len(values) > 1 / (1 - MOST_DRAWN) else float(values.max())
    drawn = values[values <= top]
    counts, edges = np.histogram(drawn, bins=min(50, max(5, len(values) // 4)))
    rows = [(float(edges[i]), float(edges[i + 1]), int(held)) for i, held in enumerate(counts)]
    columns = (Column("from", "from", energy), Column("to", "to", energy), Column("minima", "minima", count))

    def draw(sheet: Any, is_narrow: bool) -> None:
        draw_energy_histogram(sheet.add_subplot(), drawn, bins=len(rows), colour=series_colour(1))

    levels = ", ".join(f"{count(n)} at {tolerance:g}" for tolerance, n in found.distinct.items())
    sentence = (
        f"Energies that differ count as distinct minima: {levels}. By Chao's estimate about "
        f"{count(round(found.unseen_and_seen))} exist within reach of these searches."
    )
    higher = f", but for the {count(len(values) - len(drawn))} highest" if len(drawn) < len(values) else ""
    drawing = canvas.figure(f"Minima by energy{higher}.", Table("energies", columns, rows), draw)
    return Section("How high the minima lie", sentence, figures=(drawing,))


def _progress(found: Survey) -> Section:
    times = list(accumulate(attempt.seconds for attempt in found.attempts))
    series = {
        "minima": [attempt.minima for attempt in found.attempts],
        "transition states": [attempt.transition_states for attempt in found.attempts],
    }

    def draw(sheet: Any, is_narrow: bool) -> None:
        axes = sheet.add_subplot()
        for index, (label, values) in enumerate(series.items()):
            axes.step([0, *times], [0, *values], where="post", color=series_colour(index), label=label)
        axes.set_xlabel("seconds of all workers together")
        axes.grid(axis="y")
        canvas.legend_above(axes, columns=2)

    columns = (
        Column("job", "job", count), Column("seconds", "seconds", number),
        *(Column(label, label.replace(" ", "_"), count) for label in series),
    )  # fmt: skip
    rows = [(i + 1, t, *values) for i, (t, *values) in enumerate(zip(times, *series.values(), strict=True))]
    jobs = "1 job" if len(found.attempts) == 1 else f"{count(len(found.attempts))} jobs"
    sentence = (
        f"{jobs} in {number(found.seconds)} seconds. Where a curve bends to the right, searches find what is known "
        "already."
    )
    drawing = canvas.figure("Distinct points known after each job.", Table("progress", columns, rows), draw)
    return Section("How the exploration went", sentence, figures=(drawing,))


def survey_settings(found: Survey) -> Sequence[tuple[str, str]]:
    """What was explored, for the end of a page."""
    surface = {
        f"{name} of the surface" if name in found.about else name: value for name, value in found.problem.items()
    }
    return tuple((name.replace("_", " "), str(value)) for name, value in {**found.about, **surface}.items())

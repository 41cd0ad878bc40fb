"""What was found, for the terminal and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import RenderableType
from rich.table import Table

from reachbox.cli.tables import duration, facts, numbers_table
from reachbox.landscape import Minimum, StationaryPoint
from reachbox.report.versions import versions
from reachbox.studies.landscape import Survey

SHOWN, LEVELS = 10, (1e-7, 1e-6, 1e-5)


def survey_record(found: Survey) -> dict[str, object]:
    """The JSON object: counts, and every minimum and transition state but its weights."""
    return {
        "problem": dict(found.problem),
        "about": dict(found.about),
        "distinct": {f"{tolerance:g}": number for tolerance, number in found.distinct.items()},
        "estimated_minima": found.unseen_and_seen,
        "parts": len(found.trees),
        "largest_part": found.largest_part,
        "joining_distinct_minima": found.joining,
        "minima": [{"id": m.id, **_evidence(m.found)} for m in found.minima],
        "transition_states": [
            {"id": s.id, "first": s.first, "second": s.second, **_evidence(s.found)} for s in found.states
        ],
        "effort": [asdict(effort) for effort in found.effort],
        "versions": dict(versions()),
    }


def _evidence(found: StationaryPoint) -> dict[str, object]:
    names = ("energy", "rms", "kinks", "width", "error")
    signs = {} if found.inertia is None else asdict(found.inertia)
    if found.soft is not None:
        signs["negative_at"] = {f"{level:g}": found.negative_at(level) for level in LEVELS}
    return {name: getattr(found, name) for name in names} | signs


def survey_view(found: Survey) -> Sequence[RenderableType]:
    """What is explored, what is known, the lowest minima, and how the searches went."""
    levels = ", ".join(f"{number} at {tolerance:g}" for tolerance, number in found.distinct.items())
    states = f"{len(found.states)}, of which {found.joining} join two distinct minima"
    known = {
        **{name: str(value) for name, value in (found.about or found.problem).items()},
        "minima": f"{len(found.minima)} ({levels}); Chao estimates {found.unseen_and_seen:.0f}",
        **_negatives(found),
        "transition states": states,
        "connected": f"{found.largest_part} minima in the largest of {len(found.trees)} parts",
        "time": f"{duration(found.seconds)} of all workers together",
    }
    return (facts(known), "", _lowest(found.minima), "", _efforts(found))


def _negatives(found: Survey) -> dict[str, str]:
    """How many minima have an eigenvalue below each level: nothing where none was computed."""
    known = [minimum.found for minimum in found.minima if minimum.found.soft is not None]
    counts = (f"{sum(bool(point.negative_at(level)) for point in known)} below -{level:g}" for level in LEVELS)
    return {"negative modes": f"minima with an eigenvalue {', '.join(counts)}"} if known else {}


def _lowest(minima: Sequence[Minimum]) -> Table:
    rows = []
    for minimum in minima[:SHOWN]:
        point = minimum.found
        signs = ("-", "-") if point.inertia is None else (str(point.inertia.negative), str(point.inertia.zero))
        rows.append((str(minimum.id), f"{point.energy:.9f}", f"{point.rms:.1e}", *signs, str(point.kinks)))
    return numbers_table(("minimum", "energy", "RMS", "negative", "zero", "kinks"), rows)


def _efforts(found: Survey) -> Table:
    rows = [
        (e.kind, str(e.jobs), str(e.searches), str(e.converged), str(e.lost), duration(e.seconds)) for e in found.effort
    ]
    return numbers_table(("kind", "jobs", "searches", "converged", "lost", "time"), rows)

"""One sample under every method: the paper's Fig. 2, with the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from reachbox.reach import Kind, Reach
from reachbox.report import Column, Section, Table
from reachbox.report.figures import NamedBox, dots, nested_boxes
from reachbox.report.numbers import count, from_log10, number
from reachbox.report.section import Figure
from reachbox.studies.sample_boxes import SampleBoxes

GIVES = {Kind.ESTIMATE: "estimate, a floor", Kind.SOUND: "proven", Kind.EXACT: "proven and attained"}


def sample_boxes_section(title: str, found: SampleBoxes, data: str, classes: Sequence[str], radius: str) -> Section:
    """The nested boxes, their volumes and their sides; `radius` in words."""
    sample = f"Sample {found.index + 1} of {data}, {classes[found.label]}"
    return Section(
        title,
        f"{sample}, has the median sensitivity. Every method draws its own box around what the network can answer when "
        f"each feature moves by up to {radius}: the tighter a proven box, the closer it is to the truth. "
        f"{_containment(found)}{_refusals(found)}",
        figures=(_nested_figure(found, classes, radius), _width_figure(found, classes, radius)),
        table=_table(found, classes),
    )


def _containment(found: SampleBoxes) -> str:
    seen = count(len(found.outputs))
    inside = "all" if found.escaped == 0 else count(len(found.outputs) - found.escaped)
    return f"Of {seen} outputs computed at random inputs, {inside} lie in every proven box."


def _refusals(found: SampleBoxes) -> str:
    return "".join(f" Not drawn is {name}: {reason}." for name, reason in found.refused.items())


def _nested_figure(found: SampleBoxes, classes: Sequence[str], radius: str) -> Figure:
    plane = [found.horizontal, found.vertical]
    labels = [f"output {classes[output]} (logit)" for output in plane]
    return nested_boxes(
        "nested-boxes",
        "The two outputs that compete for this sample. Points are outputs at random inputs of the box, its faces and "
        f"corners included; frames are the methods' boxes, {radius}.",
        [(x, y) for x, y in found.outputs[:, plane].tolist()],
        [_named(box, plane) for box in found.reaches],
        labels=(labels[0], labels[1]),
    )


def _named(found: Reach, plane: list[int]) -> NamedBox:
    (low_x, low_y), (high_x, high_y) = found.lower[0, plane].tolist(), found.upper[0, plane].tolist()
    return NamedBox(found.method, str(found.kind), (low_x, low_y), (high_x, high_y), _log10_volume(found))


def _log10_volume(found: Reach) -> float:
    return found.log_volume.item() / log(10)


def _width_figure(found: SampleBoxes, classes: Sequence[str], radius: str) -> Figure:
    return dots(
        "width-by-method",
        f"The sides of the same boxes, {radius}: one row an output, one dot a method.",
        classes,
        {box.method: box.width[0].tolist() for box in found.reaches},
        group_label="output",
        value_label="side of the box (logits)",
    )


def _table(found: SampleBoxes, classes: Sequence[str]) -> Table:
    columns = [
        Column("method", "method"),
        Column("its box is", "kind"),
        Column("volume", "log10 volume", from_log10),
        *(Column(name, f"width {name}", number) for name in classes),
    ]
    rows = [(box.method, GIVES[box.kind], _log10_volume(box), *box.width[0].tolist()) for box in found.reaches]
    return Table("methods", columns, rows)

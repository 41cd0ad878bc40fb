"""The paper's Fig. 2: outputs of a network in the plane of two of them, inside the boxes of every method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any, TypeAlias

from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reachbox.report import canvas
from reachbox.report.numbers import from_log10
from reachbox.report.palette import MUTED, series_colour, series_dash
from reachbox.report.section import Figure
from reachbox.report.table import Column, Table

Pair: TypeAlias = tuple[float, float]

DASHED = (0, (4, 2.5))


@dataclass(frozen=True)
class NamedBox:
    """A method's box seen in two outputs: `lower` and `upper` corners there, and its volume over all outputs."""

    name: str
    kind: str
    lower: Pair
    upper: Pair
    log10_volume: float

    @property
    def sides(self) -> Pair:
        """Width and height in the plane of the two outputs."""
        return self.upper[0] - self.lower[0], self.upper[1] - self.lower[1]

    @property
    def area(self) -> float:
        """The area in the plane of the two outputs."""
        return self.sides[0] * self.sides[1]


def nested_boxes(
    name: str, caption: str, points: Sequence[Pair], boxes: Sequence[NamedBox], *, labels: tuple[str, str]
) -> Figure:
    """`points`, outputs that the network gives, and `boxes` around them; `labels` name the two outputs.

    The largest box dwarfs the others, so a second panel frames all but it.
    """

    def draw(sheet: Any, is_narrow: bool) -> None:
        largest = max(boxes, key=lambda box: box.area)
        others = [box for box in boxes if box is not largest] or list(boxes)
        panels = sheet.subplots(2, 1) if is_narrow else sheet.subplots(1, 2)
        sheet.get_layout_engine().set(wspace=0.06, hspace=0.06, h_pad=0.12)
        titles = ("Every box", f"Enlarged: all but {largest.name}")
        for axes, title, framed in zip(panels, titles, (boxes, others), strict=True):
            _cloud(axes, points)
            _outlines(axes, boxes)
            _frame(axes, framed)
            axes.set(title=title, xlabel=labels[0], ylabel=labels[1])
        _legend(sheet, panels[0], is_narrow)

    tables = (_box_table(name, boxes), _point_table(name, points))
    return canvas.figure(caption, tables, draw, wide=(720, 450), narrow=(350, 800))


def _cloud(axes: Any, points: Sequence[Pair]) -> None:
    """All points as one path: each is a line of no length with round ends."""
    xs = [x for x, _ in points for x in (x, x, nan)]
    ys = [y for _, y in points for y in (y, y, nan)]
    axes.plot(xs, ys, color=MUTED.light, linewidth=2.2, solid_capstyle="round", alpha=0.55, zorder=1)


def _outlines(axes: Any, boxes: Sequence[NamedBox]) -> None:
    by_area = sorted(boxes, key=lambda box: -box.area)
    for index, box in enumerate(boxes):
        # Smaller boxes lie on top, an estimate is dashed: sides that coincide stay visible.
        dash = DASHED if box.kind == "estimate" else series_dash(index)
        outline = Rectangle(
            box.lower, *box.sides, fill=False, edgecolor=series_colour(index), linestyle=dash,
            linewidth=2.2, zorder=2 + by_area.index(box), label=f"{box.name}  {from_log10(box.log10_volume)}",
        )  # fmt: skip
        axes.add_patch(outline)


def _frame(axes: Any, boxes: Sequence[NamedBox]) -> None:
    """Shows all of `boxes`, with a margin."""
    for direction, set_limits in enumerate((axes.set_xlim, axes.set_ylim)):
        low, high = min(box.lower[direction] for box in boxes), max(box.upper[direction] for box in boxes)
        margin = 0.06 * (high - low) or 0.5
        set_limits(low - margin, high + margin)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(canvas.tick))


def _legend(sheet: Any, axes: Any, is_narrow: bool) -> None:
    handles, labels = axes.get_legend_handles_labels()
    columns = canvas.legend_columns(len(handles), is_narrow)
    sheet.legend(
        handles, labels, loc="outside lower left", ncols=columns, title="volume over all outputs", alignment="left",
        handlelength=1.2, handletextpad=0.6, columnspacing=1.6,
    )  # fmt: skip


def _box_table(name: str, boxes: Sequence[NamedBox]) -> Table:
    fields = ("method", "kind", "lower x", "upper x", "lower y", "upper y", "log10 volume")
    rows = [(box.name, box.kind, *sum(zip(box.lower, box.upper, strict=True), ()), box.log10_volume) for box in boxes]
    return Table(name, [Column(field, field) for field in fields], rows)


def _point_table(name: str, points: Sequence[Pair]) -> Table:
    return Table(f"{name}-points", [Column("x", "x"), Column("y", "y")], points)

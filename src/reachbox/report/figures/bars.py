"""Bars side by side: a few numbers of a few networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.ticker import FuncFormatter, MaxNLocator

from reachbox.report import canvas
from reachbox.report.numbers import percent
from reachbox.report.palette import PAPER, series_colour
from reachbox.report.section import Figure
from reachbox.report.table import Column, Table

BAR, GAP = 30, 44


def bars(
    name: str, caption: str, groups: Sequence[str], series: Mapping[str, Sequence[float]], *, value_label: str
) -> Figure:
    """Shares from 0 to 1 as bars from zero: each group a heading over one bar a series, with its number in percent."""

    def draw(sheet: Any, is_narrow: bool) -> None:
        axes = sheet.add_subplot()
        height = BAR * len(series) + GAP
        for index, (label, values) in enumerate(series.items()):
            places = [group * height + GAP + (index + 0.5) * BAR for group in range(len(groups))]
            drawn = axes.barh(
                places, values, 0.84 * BAR, color=series_colour(index), label=canvas.fitting(label, is_narrow)
            )
            axes.bar_label(drawn, [percent(value) for value in values], padding=6)
        for group, heading in enumerate(groups):
            # On a patch of paper, so that no line of the grid runs through the words.
            patch = {"facecolor": PAPER.light, "edgecolor": "none", "pad": 1.5}
            axes.text(0, group * height + GAP - 6, heading, va="bottom", bbox=patch, in_layout=False)
        axes.set_ylim(len(groups) * height + 8, 14)
        _share_axis(axes, max(max(values) for values in series.values()))
        axes.set_xlabel(value_label)
        canvas.legend_above(axes, columns=1 if is_narrow else len(series))

    columns = [Column("", "group"), *(Column(label, label, percent) for label in series)]
    rows = list(zip(groups, *series.values(), strict=True))
    height = 80 + len(groups) * (GAP + BAR * len(series))
    return canvas.figure(
        caption, Table(name, columns, rows), draw, wide=(720, height), narrow=(350, height + 20 * len(series))
    )


def _share_axis(axes: Any, largest: float) -> None:
    axes.set_yticks([])
    # Room at the right for the number of the longest bar.
    axes.set_xlim(0, 1.2 * largest or 1)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: canvas.tick(100 * value)))
    axes.grid(axis="x")
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)

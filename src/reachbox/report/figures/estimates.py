"""Estimates with their intervals, one below the other: what lies on which side of zero, and how surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

from matplotlib.ticker import FuncFormatter, MaxNLocator

from reachbox.report import canvas
from reachbox.report.palette import INK, MUTED, PAPER, series_colour
from reachbox.report.section import Figure
from reachbox.report.table import Table

ROW, HEADING, GAP, REST = 9, 26, 6, 110
"""Pixels: a row, the heading of a group, the gap below the legend, and all that is not rows."""


@dataclass(frozen=True)
class Estimate:
    """A value and its interval, both ends NaN where none is known; `series` decides the colour."""

    series: str
    value: float
    lower: float
    upper: float
    is_filled: bool


def estimates(caption: str, groups: Mapping[str, Sequence[Estimate]], value_label: str, data: Table) -> Figure:
    """A row an estimate, between -1 and 1, group below group; one that is NaN leaves its row empty.

    `data` has the same values.
    """
    series = list(dict.fromkeys(one.series for rows in groups.values() for one in rows))

    def draw(sheet: Any, is_narrow: bool) -> None:
        axes = sheet.add_subplot()
        depth = 0.0
        for group, rows in groups.items():
            axes.text(-1, depth + 0.75 * HEADING, group, va="baseline", color=INK.light, fontsize=11.5)
            depth += HEADING
            for one in rows:
                depth += ROW
                if not isnan(one.value):
                    _mark(axes, one, depth - ROW / 2, series_colour(series.index(one.series)))
        axes.axvline(0, color=MUTED.light, linewidth=1, zorder=0)
        axes.set_xlim(-1.02, 1.02)
        axes.set_ylim(depth + ROW, 0)
        axes.set_yticks([])
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(canvas.tick))
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(value_label)
        for index, label in enumerate(series):
            axes.plot([], [], "o", color=series_colour(index), label=label)
        canvas.legend_above(axes, columns=1 if is_narrow else 2, gap=GAP / height)

    height = REST + HEADING * len(groups) + ROW * sum(map(len, groups.values()))
    return canvas.figure(caption, data, draw, wide=(720, height), narrow=(350, height + 18 * len(series)))


def _mark(axes: Any, one: Estimate, depth: float, colour: str) -> None:
    if not isnan(one.lower):
        axes.hlines(depth, one.lower, one.upper, color=colour, linewidth=1.4)
    inside = colour if one.is_filled else PAPER.light
    axes.plot(one.value, depth, "o", color=colour, markersize=5, markerfacecolor=inside, markeredgewidth=1.2)

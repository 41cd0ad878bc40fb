"""Dots on lines: the widths of boxes, output by output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

from matplotlib.ticker import FuncFormatter, MaxNLocator

from reachbox.errors import InputError
from reachbox.report import canvas
from reachbox.report.numbers import number
from reachbox.report.palette import MUTED, series_colour
from reachbox.report.section import Figure
from reachbox.report.table import Column, Table

MARKERS = "osD^vPX*"


def dots(
    name: str,
    caption: str,
    groups: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    group_label: str,
    value_label: str,
    show: Callable[[Any], str] = number,
) -> Figure:
    """One row a group, one dot a series, on an axis from zero; colour and shape tell the series apart.

    Raises `InputError` for a value that is negative or not finite.
    """
    for label, values in series.items():
        if not all(0 <= value < inf for value in values):
            raise InputError(f"figure {name}: finite values from 0 are allowed, found {list(values)} for {label}")

    def draw(sheet: Any, is_narrow: bool) -> None:
        axes = sheet.add_subplot()
        rows = range(len(groups))
        lowest = [min(values) for values in zip(*series.values(), strict=True)]
        highest = [max(values) for values in zip(*series.values(), strict=True)]
        axes.hlines(rows, lowest, highest, color=MUTED.light, linewidth=1)
        for index, (label, values) in enumerate(series.items()):
            axes.plot(
                values, rows, color=series_colour(index), linestyle="none", marker=MARKERS[index % len(MARKERS)],
                markersize=8, clip_on=False, label=canvas.fitting(label, is_narrow),
            )  # fmt: skip
        _width_axis(axes, [canvas.fitting(group, is_narrow) for group in groups], max(highest))
        axes.set_xlabel(value_label)
        axes.set_ylabel(group_label)
        canvas.legend_above(axes, columns=canvas.legend_columns(len(series), is_narrow))

    columns = [Column(group_label, "group"), *(Column(label, label, show) for label in series)]
    rows = list(zip(groups, *series.values(), strict=True))
    height = 110 + 34 * len(groups)
    return canvas.figure(
        caption, Table(name, columns, rows), draw, wide=(720, height), narrow=(350, height + 11 * len(series))
    )


def _width_axis(axes: Any, groups: Sequence[str], largest: float) -> None:
    axes.set_yticks(range(len(groups)), groups)
    axes.tick_params(axis="y", labelcolor=axes.xaxis.label.get_color())
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.set_xlim(0, 1.05 * largest or 1)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(canvas.tick))
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)

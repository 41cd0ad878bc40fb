"""Several small charts over the same epochs: one panel a metric, one colour a method, a band over the seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite, nan
from statistics import fmean
from typing import Any, TypeAlias

from matplotlib.ticker import FuncFormatter, MaxNLocator

from reachbox.errors import InputError
from reachbox.report import canvas
from reachbox.report.numbers import power_of_ten
from reachbox.report.palette import series_colour, series_dash
from reachbox.report.section import Figure
from reachbox.report.table import Column, Table

Runs: TypeAlias = Sequence[Sequence[float]]
"""One or more runs of a method, each with a value for every position."""

SHARE, LINEAR, LOGARITHM = "share", "linear", "logarithm"


@dataclass(frozen=True)
class Panel:
    """One chart: its heading, the runs of each series, and what the values are.

    `scale`: `share` from 0 to 1, shown in percent; `linear`; or `logarithm`, decimal logarithms, shown as powers of
    ten. `highest` cuts the axis where a beginning would dwarf the rest; what lies above is in the data alone.
    """

    title: str
    series: Mapping[str, Runs]
    scale: str = LINEAR
    highest: float | None = None


def panels(
    name: str, caption: str, charts: Sequence[Panel], *, positions: Sequence[float], position_label: str
) -> Figure:
    """The panels, two beside each other on a wide screen: mean lines, and bands from the least to the most.

    Raises `InputError` where a run is not as long as `positions`.
    """
    for chart in charts:
        for label, runs in chart.series.items():
            if any(len(run) != len(positions) for run in runs):
                found = [len(run) for run in runs]
                raise InputError(f"figure {name}: {label} has {found} values for {len(positions)} positions")

    def draw(sheet: Any, is_narrow: bool) -> None:
        columns = 1 if is_narrow or len(charts) == 1 else 2
        grid = sheet.subplots(ceil(len(charts) / columns), columns, squeeze=False)
        sheet.get_layout_engine().set(hspace=0.06, wspace=0.05)
        for axes, chart in zip(grid.flat, charts, strict=False):
            _panel(axes, chart, positions)
        for axes in grid.flat[len(charts) :]:
            axes.set_visible(False)
        for axes in grid[-1]:
            axes.set_xlabel(position_label)
        handles, labels = grid.flat[0].get_legend_handles_labels()
        fitted = [canvas.fitting(label, is_narrow) for label in labels]
        count = canvas.legend_columns(len(labels), is_narrow)
        sheet.legend(handles, fitted, loc="outside upper left", ncols=count, handlelength=1.4, columnspacing=1.6)

    rows = ceil(len(charts) / 2)
    legend = 26 * ceil(max(len(chart.series) for chart in charts) / 2)
    return canvas.figure(
        caption, _table(name, charts, positions, position_label), draw,
        wide=(720, 60 + 240 * rows), narrow=(350, 40 + legend + 220 * len(charts)),
    )  # fmt: skip


def _panel(axes: Any, chart: Panel, positions: Sequence[float]) -> None:
    for index, (label, runs) in enumerate(chart.series.items()):
        columns = [[value if isfinite(value) else nan for value in column] for column in zip(*runs, strict=True)]
        colour = series_colour(index)
        means = [fmean(column) for column in columns]
        axes.plot(positions, means, color=colour, linestyle=series_dash(index), label=label)
        if len(runs) > 1:
            low, high = [min(column) for column in columns], [max(column) for column in columns]
            axes.fill_between(positions, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.set_title(chart.title)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=chart.scale == LOGARITHM))
    axes.yaxis.set_major_formatter(FuncFormatter(_ticks(chart.scale)))
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    if chart.highest is not None:
        axes.set_ylim(top=chart.highest)
    if chart.scale != LOGARITHM:
        axes.set_ylim(bottom=0)


def _ticks(scale: str) -> Callable[[float, int], str]:
    if scale == LOGARITHM:
        return lambda value, _: power_of_ten(round(value))
    if scale == SHARE:
        return lambda value, _: f"{canvas.tick(100 * value)}\u202f%"
    return canvas.tick


def _table(name: str, charts: Sequence[Panel], positions: Sequence[float], position_label: str) -> Table:
    columns = [Column(field, field) for field in ("metric", "series", "run", position_label, "value")]
    rows = [
        (chart.title, label, number, position, value)
        for chart in charts
        for label, runs in chart.series.items()
        for number, run in enumerate(runs)
        for position, value in zip(positions, run, strict=True)
    ]
    return Table(name, columns, rows)

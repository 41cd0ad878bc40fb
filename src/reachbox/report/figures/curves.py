"""Curves over the epochs, on a logarithmic axis: how sensitivity moves while a network trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, inf, isfinite, nan
from typing import Any

from matplotlib.ticker import FuncFormatter, MaxNLocator

from reachbox.errors import InputError
from reachbox.report import canvas
from reachbox.report.numbers import from_log10, power_of_ten
from reachbox.report.palette import series_colour, series_dash
from reachbox.report.section import Figure
from reachbox.report.table import Column, Table

CROWDED = 25


def curves(
    name: str,
    caption: str,
    series: Mapping[str, Sequence[float]],
    *,
    positions: Sequence[float],
    position_label: str,
    value_label: str,
    lowest: float | None = None,
    is_joined: bool = True,
) -> Figure:
    """Each series over `positions`; values are decimal logarithms, so that no volume is too large.

    The points of a series are joined unless they have nothing to do with each other.
    The axis names powers of ten and begins at `lowest`, where that is given; what lies below is in the data alone.
    A value of zero, `-inf`, is a triangle on the floor of the figure.
    Raises `InputError` where a series is not as long as `positions`.
    """
    for label, values in series.items():
        if len(values) != len(positions):
            raise InputError(f"figure {name}: {label} has {len(values)} values for {len(positions)} positions")

    def draw(sheet: Any, is_narrow: bool) -> None:
        axes = sheet.add_subplot()
        floor_value = _logarithmic_axis(axes, [value for values in series.values() for value in values], lowest)
        for index, (label, values) in enumerate(series.items()):
            style = {} if is_joined else {"linestyle": "none", "markersize": 2.5 if is_narrow else 4}
            _curve(axes, index, canvas.fitting(label, is_narrow), positions, values, floor_value, style)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel(position_label)
        columns = _legend_columns(len(series), is_narrow)
        axes.set_title(value_label, pad=14 + 22 * ceil(len(series) / columns))
        canvas.legend_above(axes, columns)

    columns = [Column(position_label, "position", canvas.tick)]
    columns += [Column(label, f"log10 {label}", from_log10) for label in series]
    rows = list(zip(positions, *series.values(), strict=True))
    return canvas.figure(caption, Table(name, columns, rows), draw)


def _legend_columns(entries: int, is_narrow: bool) -> int:
    """All in a row on a wide screen; on a narrow one below each other, or in two columns where there are many."""
    if not is_narrow:
        return entries
    return 1 if entries <= 3 else 2


def _curve(
    axes: Any, index: int, label: str, positions: Sequence[float], values: Sequence[float], floor_value: float,
    style: Mapping[str, object],
) -> None:  # fmt: skip
    colour, size = series_colour(index), 5 if len(values) <= CROWDED else 3
    drawn = [value if isfinite(value) else nan for value in values]
    look = {"linestyle": series_dash(index), "marker": "o", "markersize": size} | dict(style)
    axes.plot(positions, drawn, color=colour, label=label, **look)
    zeros = [position for position, value in zip(positions, values, strict=True) if value == -inf]
    if zeros:
        axes.plot(zeros, [floor_value] * len(zeros), color=colour, linestyle="none", marker="v", clip_on=False)


def _logarithmic_axis(axes: Any, values: Sequence[float], lowest: float | None) -> float:
    """Labels the vertical axis, which holds decimal logarithms, with whole powers of ten; returns its floor."""
    finite = [value for value in values if isfinite(value)] or [0.0]
    low, high = floor(min(finite) if lowest is None else lowest), ceil(max(finite))
    axes.set_ylim(low, max(high, low + 1))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(round(value))))
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    return float(low)

"""Two errors against each other: a point for each training, and through each method's best a front."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from reachbox.report import canvas
from reachbox.report.palette import MUTED, series_colour, series_dash
from reachbox.report.section import Figure
from reachbox.report.table import Column, Table

MARKERS = "osD^vPX*"


@dataclass(frozen=True)
class Axis:
    """What a direction shows: its label, how a tick is written, and where it ends, if not at the farthest point.

    With `by_factors` equal lengths are equal factors, where all values are above 0.
    """

    label: str
    show: Callable[[float, int], str] = canvas.tick
    highest: float | None = None
    by_factors: bool = False


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other one beats in both directions, smaller being better, from left to right.

    >>> front([(1.0, 3.0), (2.0, 2.0), (2.0, 4.0), (3.0, 1.0)])
    [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]
    """
    best: list[tuple[float, float]] = []
    for point in sorted(set(points)):
        if not best or point[1] < best[-1][1]:
            best.append(point)
    return best


def fronts(
    name: str, caption: str, series: Mapping[str, Mapping[str, tuple[float, float]]], *, x: Axis, y: Axis
) -> Figure:
    """Each series' points, by the words that tell them apart, with its front: left and below is better.

    Points beyond an axis' end are in the data alone.
    """

    every = [point for points in series.values() for point in points.values()]

    def draw(sheet: Any, is_narrow: bool) -> None:
        axes = sheet.add_subplot()
        for index, (label, points) in enumerate(series.items()):
            colour, marker = series_colour(index), MARKERS[index % len(MARKERS)]
            axes.plot(
                *_coordinates(front(list(points.values()))), color=colour, linestyle=series_dash(index), alpha=0.7
            )
            axes.plot(
                *_coordinates(list(points.values())), color=colour, marker=marker, linestyle="none", markersize=7,
                label=canvas.fitting(label, is_narrow),
            )  # fmt: skip
        _axis(axes, "x", x, [point[0] for point in every])
        _axis(axes, "y", y, [point[1] for point in every])
        axes.set_xlabel(x.label)
        axes.set_title(y.label, pad=14 + 22 * _legend_rows(len(series), is_narrow))
        axes.grid()
        axes.spines[["left", "bottom"]].set_color(MUTED.light)
        canvas.legend_above(axes, columns=canvas.legend_columns(len(series), is_narrow))

    columns = [Column("", "series"), Column("", "point"), Column("", x.label), Column("", y.label)]
    rows = [(label, words, *point) for label, points in series.items() for words, point in points.items()]
    extra = 22 * _legend_rows(len(series), True)
    return canvas.figure(caption, Table(name, columns, rows), draw, wide=(720, 440), narrow=(350, 320 + extra))


def _legend_rows(entries: int, is_narrow: bool) -> int:
    return -(-entries // canvas.legend_columns(entries, is_narrow))


def _coordinates(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [point[0] for point in points], [point[1] for point in points]


def _axis(axes: Any, name: str, described: Axis, values: Sequence[float]) -> None:
    """Scale, ticks and end of the axis of that name."""
    by_factors = described.by_factors and min(values) > 0
    if by_factors:
        axes.set(**{f"{name}scale": "log"})
    axis = getattr(axes, f"{name}axis")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)) if by_factors else MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(described.show))
    if described.highest is not None:
        axes.set(**{f"{name}lim": (None, described.highest)})

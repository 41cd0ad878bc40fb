"""A table as shades of one colour: widths class by class, or the pixels of an image."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from matplotlib.patches import Rectangle

from reachbox.errors import InputError
from reachbox.report import canvas
from reachbox.report.numbers import number
from reachbox.report.palette import INK, RULE, series_colour
from reachbox.report.section import Figure
from reachbox.report.table import Column, Table

WITH_NUMBERS = 12


def heat_map(
    name: str,
    caption: str,
    values: Sequence[Sequence[float]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    row_label: str,
    column_label: str,
) -> Figure:
    """`values` from zero, a row each, as shades from none to full at the largest; with numbers where they fit.

    Raises `InputError` for a value that is negative or not finite.
    """
    largest = max(max(row) for row in values)
    if not all(0 <= value < inf for row in values for value in row):
        raise InputError(f"figure {name}: finite values from 0 are allowed")
    is_numbered = len(rows) <= WITH_NUMBERS and len(columns) <= WITH_NUMBERS

    def draw(sheet: Any, is_narrow: bool) -> None:
        axes = sheet.add_subplot()
        for down, row in enumerate(values):
            for across, value in enumerate(row):
                shade = value / largest if largest else 0.0
                axes.add_patch(
                    Rectangle((across, down), 1, 1, facecolor=series_colour(1), alpha=0.85 * shade, linewidth=0)
                )
                if is_numbered and not is_narrow:
                    axes.text(across + 0.5, down + 0.5, number(value), ha="center", va="center", fontsize=10.5)
        _frame(axes, len(rows), len(columns))
        if is_numbered:
            axes.set_yticks([down + 0.5 for down in range(len(rows))], [canvas.fitting(r, is_narrow) for r in rows])
            axes.set_xticks(
                [across + 0.5 for across in range(len(columns))],
                [canvas.fitting(c, is_narrow) for c in columns],
                rotation=90 if is_narrow and len(columns) > 3 else 0,
            )
            axes.tick_params(labelcolor=INK.light)
        axes.set_xlabel(column_label)
        axes.set_ylabel(row_label)

    fields = [Column(row_label, "row"), *(Column(str(c), str(c), number) for c in columns)]
    table = Table(name, fields, [(row, *cells) for row, cells in zip(rows, values, strict=True)])
    shape = len(rows) / len(columns)
    wide = (720, round(110 + min(620 * shape, 40 * len(rows)))) if is_numbered else (480, round(60 + 420 * shape))
    return canvas.figure(caption, table, draw, wide=wide, narrow=(350, round(110 + max(240 * shape, 26))))


def _frame(axes: Any, rows: int, columns: int) -> None:
    """The whole table in a thin frame, its first row on top."""
    axes.set_xlim(0, columns)
    axes.set_ylim(rows, 0)
    if not (rows <= WITH_NUMBERS and columns <= WITH_NUMBERS):
        axes.set_aspect("equal")
        axes.set_xticks([])
        axes.set_yticks([])
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(True)
        axes.spines[side].set_color(RULE.light)

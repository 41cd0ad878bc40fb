"""Where figures are drawn: one style, two sizes, and no state that outlives the drawing."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from io import StringIO
from math import ceil
from typing import Any, TypeAlias

import matplotlib as mpl
from matplotlib.figure import Figure as Sheet

from reachbox.report.numbers import number
from reachbox.report.palette import INK, MUTED, RULE
from reachbox.report.section import Figure
from reachbox.report.svg import inline
from reachbox.report.table import Table

Draw: TypeAlias = Callable[[Any, bool], None]
Size: TypeAlias = tuple[int, int]

WIDE, NARROW = (720, 360), (350, 320)
STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 12.5,
    "text.color": INK.light,
    "axes.labelcolor": INK.light,
    "axes.edgecolor": MUTED.light,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelpad": 8,
    "axes.axisbelow": True,
    "axes.titlesize": 12.5,
    "axes.titlelocation": "left",
    "grid.color": RULE.light,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED.light,
    "ytick.color": MUTED.light,
    "xtick.labelsize": 11.5,
    "ytick.labelsize": 11.5,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 6,
    "ytick.major.pad": 6,
    "legend.frameon": False,
    "legend.borderpad": 0,
    "legend.borderaxespad": 0,
    "legend.fontsize": 12.5,
    "lines.linewidth": 2.2,
    "path.simplify": False,
}


def figure(
    caption: str, data: Table | tuple[Table, ...], draw: Draw, *, wide: Size = WIDE, narrow: Size = NARROW
) -> Figure:
    """What `draw(sheet, is_narrow)` puts on a matplotlib figure, at both sizes in pixels, with its data.

    `draw` uses the palette's colours alone. The same values give the same text, to the last byte.
    """
    tables = (data,) if isinstance(data, Table) else data
    name = tables[0].name
    return Figure(
        caption=caption,
        wide=_drawn(draw, False, wide, f"{name}-wide", caption),
        narrow=_drawn(draw, True, narrow, f"{name}-narrow", caption),
        data=tables,
    )


def _drawn(draw: Draw, is_narrow: bool, size: Size, name: str, label: str) -> str:
    text = StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # Matplotlib's font only measures the text; the reader's own fonts draw it, in any script.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # A point of matplotlib is a pixel of the page.
        sheet = Sheet(figsize=(size[0] / 72, size[1] / 72), dpi=72, layout="constrained")
        draw(sheet, is_narrow)
        sheet.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return inline(text.getvalue(), name, label)


def tick(value: float, _position: int = 0) -> str:
    """A label of a linear axis: no digits that say nothing."""
    short = f"{value:g}"
    return number(value) if "e" in short else short.replace("-", "\u2212")


def fitting(words: str, is_narrow: bool) -> str:
    """A label that leaves room for the drawing: cut where it is long. The data has all of it."""
    limit = 16 if is_narrow else 32
    return words if len(words) <= limit else f"{words[: limit - 1]}…"


def legend_columns(entries: int, is_narrow: bool) -> int:
    """Columns of a legend: rows as even as can be, of at most five entries, or two on a narrow screen."""
    rows = ceil(entries / (2 if is_narrow else 5))
    return ceil(entries / rows)


def legend_above(axes: Any, columns: int, gap: float = 0.04) -> None:
    """The legend over the axes, by a `gap` that is a share of their height, flush left: it never covers data."""
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1 + gap), ncols=columns, handlelength=1.4, handletextpad=0.6,
        columnspacing=1.6, labelspacing=0.4,
    )  # fmt: skip

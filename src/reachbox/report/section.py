"""What a page is made of: sections, each a sentence with the figures and the table that show it."""

from __future__ import annotations

from dataclasses import dataclass

from reachbox.report.svg import as_file
from reachbox.report.table import Table


@dataclass(frozen=True)
class Figure:
    """A drawing as inline SVG, twice: for wide and for narrow screens; its caption; the tables of what it draws."""

    caption: str
    wide: str
    narrow: str
    data: tuple[Table, ...]

    @property
    def name(self) -> str:
        """That of its first table."""
        return self.data[0].name

    def svg(self) -> str:
        """The wide drawing as an SVG file of its own."""
        return as_file(self.wide)


@dataclass(frozen=True)
class Section:
    """A title and a sentence that says what is seen; then words explained, figures and a table, where there are any."""

    title: str
    sentence: str
    terms: tuple[tuple[str, str], ...] = ()
    figures: tuple[Figure, ...] = ()
    table: Table | None = None

    @property
    def tables(self) -> tuple[Table, ...]:
        """All the data of the section: that of its figures, then its own table."""
        own = () if self.table is None else (self.table,)
        return tuple(table for figure in self.figures for table in figure.data) + own

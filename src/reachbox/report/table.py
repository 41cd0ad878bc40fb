"""A table: what a page shows, and the CSV that a program reads."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, TypeAlias
from urllib.parse import quote

from reachbox.errors import InputError

Cell: TypeAlias = str | int | float | None


@dataclass(frozen=True)
class Column:
    """One column: `header` heads it on the page and `field` in the CSV; `show` turns a cell into text for a reader.

    A column without `show` holds words and is set flush left; numbers are set flush right.
    """

    header: str
    field: str
    show: Callable[[Any], str] = str

    @property
    def is_numeric(self) -> bool:
        """Whether the cells are numbers."""
        return self.show is not str


@dataclass(frozen=True)
class Table:
    """Rows of values under named columns; `name` is that of its CSV file, without the ending.

    Raises `InputError` for a row that does not fit the columns or a field that stands twice.
    """

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __init__(self, name: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "columns", tuple(columns))
        object.__setattr__(self, "rows", tuple(tuple(row) for row in rows))
        fields = [column.field for column in self.columns]
        if len(set(fields)) != len(fields):
            raise InputError(f"table {name}: every field once is allowed, found {fields}")
        for index, row in enumerate(self.rows):
            if len(row) != len(fields):
                raise InputError(f"table {name}: row {index} has {len(row)} cells for {len(fields)} columns")

    def shown(self) -> list[list[str]]:
        """The cells as a reader sees them; an empty one is a dash."""
        return [
            ["–" if cell is None else column.show(cell) for column, cell in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]

    def csv(self) -> str:
        """The values themselves, at full precision; infinities as `inf` and `-inf`, an empty cell as nothing."""
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([column.field for column in self.columns])
        writer.writerows(self.rows)
        return text.getvalue()

    @property
    def link(self) -> str:
        """The CSV as a `data:` address, so that a page carries it along."""
        return f"data:text/csv;charset=utf-8,{quote(self.csv())}"

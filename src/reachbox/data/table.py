"""A CSV file as text: named columns, rows of equal length, the line each row stands on."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from reachbox.errors import FileError
from reachbox.file_access import reading

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}


@dataclass(frozen=True)
class Table:
    """The cells of a CSV file, stripped of surrounding blanks; `lines[i]` is the line that `rows[i]` begins on."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def column(self, name: str) -> list[str]:
        """The cells of one column, from the first row to the last."""
        position = self.columns.index(name)
        return [row[position] for row in self.rows]


def read_table(path: Path) -> Table:
    """Read a CSV file: UTF-8, a header row, separated by commas, semicolons or tabs, fields quoted by `"`.

    Blank lines are skipped. Raises `FileError`, with the line, for a file that is missing, empty, not UTF-8, without
    a header or data rows, with ragged rows, broken quotes, unnamed or repeated columns.
    """
    text = _read_text(path)
    try:
        records = list(_records(text, _delimiter(text, path)))
    except csv.Error as error:
        raise FileError(f"{path}: not a valid CSV file: {error}") from None
    header_line, header = records[0]
    _check_header(path, header_line, header)
    for line, record in records[1:]:
        if len(record) != len(header):
            raise FileError(f"{path}, line {line}: {len(record)} fields, but the header has {len(header)}")
    if len(records) == 1:
        raise FileError(f"{path}: a header but no data rows")
    lines, rows = zip(*records[1:], strict=True)
    return Table(path, header, rows, lines)


def as_number(cell: str) -> float | None:
    """The finite number that a cell writes out, or None."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in cell else None


def _read_text(path: Path) -> str:
    with reading(path):
        content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{content[error.start]:02x}"
        raise FileError(f"{path}, line {line}: the text must be UTF-8, found {found}; save it as UTF-8") from None
    if not text.strip():
        raise FileError(f"{path}: the file is empty")
    return text


def _records(text: str, delimiter: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line number and cells of each record; blank lines left out."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    begins = 1
    for cells in reader:
        if len(cells) > 1 or "".join(cells).strip():
            yield begins, tuple(cell.strip() for cell in cells)
        begins = reader.line_num + 1


def _delimiter(text: str, path: Path) -> str:
    """The one delimiter that splits the header into columns, and the rows after it into as many."""
    widths = {delimiter: _widths(text, delimiter) for delimiter in DELIMITERS}
    splitting = [delimiter for delimiter, found in widths.items() if found and found[0] > 1]
    even = [delimiter for delimiter in splitting if len(set(widths[delimiter])) == 1]
    if len(splitting) == 1:
        return splitting[0]
    if len(even) == 1:
        return even[0]
    if not splitting:
        list(_records(text, ","))  # broken quotes, if they are the reason, say so
        raise FileError(f"{path}: only one column found; commas, semicolons or tabs must separate the columns")
    names = " and ".join(DELIMITERS[delimiter] for delimiter in splitting)
    raise FileError(f"{path}: both {names} split the header; quote the fields that contain one of them")


def _widths(text: str, delimiter: str) -> list[int]:
    """How many cells the first records have, up to the first that this delimiter cannot read."""
    widths = []
    with suppress(csv.Error):
        for _, cells in islice(_records(text, delimiter), 20):
            widths.append(len(cells))
    return widths


def _check_header(path: Path, line: int, header: tuple[str, ...]) -> None:
    where = f"{path}, line {line}"
    if "" in header:
        hint = "every column needs a name (pandas: to_csv(index=False))"
        raise FileError(f"{where}: column {header.index('') + 1} of the header is empty; {hint}")
    broken = [name for name in header if len(name.splitlines()) > 1]
    if broken:
        raise FileError(f"{where}: column name {broken[0]!r} holds a line break")
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if repeated:
        raise FileError(f"{where}: column {repeated[0]!r} appears more than once; names must differ")
    if all(as_number(name) is not None for name in header):
        raise FileError(f"{where}: a header row with the columns' names is needed, found only numbers")

"""The page: sections in, one self-contained `index.html` out. It knows nothing of what the sections are about."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from reachbox.errors import FileError, InputError
from reachbox.file_access import write_atomically
from reachbox.report.palette import ALL
from reachbox.report.section import Section
from reachbox.report.table import Table


@dataclass(frozen=True)
class Highlight:
    """A number that stands at the top of the page, and the words that say what it is."""

    number: str
    words: str


@dataclass(frozen=True)
class Page:
    """Everything a page shows, from top to bottom.

    `lead` is the first paragraph; `settings` stand at the end, each a name and what it was: seeds, versions, times.
    """

    title: str
    lead: str
    highlights: tuple[Highlight, ...]
    sections: tuple[Section, ...]
    settings: tuple[tuple[str, str], ...]

    @property
    def tables(self) -> dict[str, Table]:
        """All data on the page by name. Raises `InputError` where two tables share a name."""
        tables = [table for section in self.sections for table in section.tables]
        named = {table.name: table for table in tables}
        if len(named) < len(tables):
            raise InputError(f"page: every table needs a name of its own, found {[table.name for table in tables]}")
        return named


def render(page: Page) -> str:
    """The page as HTML: figures inline, data as `data:` links, nothing from the network; text is escaped.

    The same page gives the same text, to the last byte.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    here = files("reachbox.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["drawing"] = Markup
    template = environment.from_string((here / "page.html.j2").read_text(encoding="utf-8"))
    style = Markup((here / "page.css").read_text(encoding="utf-8"))
    return template.render(page=page, colours=ALL, style=style, zip=zip)


def write_page(page: Page, folder: Path) -> Path:
    """Writes `index.html` and, beside it, every table as CSV and every figure as SVG; gives the path of the page.

    The page is written last and at once: it is never there half, nor before its data.
    Raises `FileError` where the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: the folder cannot be made: {error.strerror or error}") from None
    html = render(page)
    for name, table in page.tables.items():
        write_atomically(folder / f"{name}.csv", table.csv().encode())
    for section in page.sections:
        for figure in section.figures:
            write_atomically(folder / f"{figure.name}.svg", figure.svg().encode())
    path = folder / "index.html"
    write_atomically(path, html.encode())
    return path

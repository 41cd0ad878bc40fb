"""Chapters of a report as they stand in its folder, written into the documents that tell of them.

    reachbox reproduce table1 table2 table3 tradeoff fig6 --data-dir DIR --out report
    python benchmarks/reproduction.py report --data-dir DIR --record
    reachbox reproduce fig5 --out report
    python benchmarks/reproduction.py report --page fig5 --record
    reachbox reproduce fig4 --out report
    python benchmarks/reproduction.py report --page methods --record

Nothing is trained here: what is not finished in the folder is left out, and the text says so. Fig. 4 and 5 are measured
again on the minima that are there, and go on searching where they are too few.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer
from pictures import DOCUMENTS, draw, picture
from tables import write_results

from reachbox.report import Section, Table
from reachbox.studies.chapter import Chapter, Request
from reachbox.studies.chapters import CHAPTERS

Document: TypeAlias = Literal["reproduction", "fig5", "methods"]
PAGES: dict[Document, tuple[str, ...]] = {
    "reproduction": ("table1", "table2", "table3", "tradeoff", "fig6"),
    "fig5": ("fig5",),
    "methods": ("fig4",),
}


def markdown(section: Section) -> str:
    """A section of the page as Markdown; its drawings are files in a folder beside the document."""
    terms = "\n".join(f"- **{name}**: {words}" for name, words in section.terms)
    pictures = [picture(figure) for figure in section.figures]
    parts = [f"## {section.title}", section.sentence, terms, *pictures, _rows(section.table) if section.table else ""]
    return "\n\n".join(part for part in parts if part)


def _rows(table: Table) -> str:
    header = [column.header or " " for column in table.columns]
    rule = ["---:" if column.is_numeric else "---" for column in table.columns]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *table.shown()))


def sections_of(chapters: list[Chapter]) -> list[Section]:
    """What stands in the document, each section once."""
    return list({section.title: section for chapter in chapters for section in chapter.sections}.values())


def settings_of(chapters: list[Chapter]) -> str:
    """What it takes to compute the chapters again."""
    settings = {name: words for chapter in chapters for name, words in chapter.settings}
    return "## Settings\n\n" + "\n".join(f"- **{name}**: {words}" for name, words in settings.items())


def main(
    report: Annotated[Path, typer.Argument(help="the folder that `reachbox reproduce --out` wrote")],
    data_dir: Annotated[Path | None, typer.Option(help="where MNIST lies")] = None,
    page: Annotated[Document, typer.Option(help="which document of docs/")] = "reproduction",
    record: Annotated[bool, typer.Option("--record", help="write into the document")] = False,
) -> None:
    """The chapters of a report as Markdown."""
    chapters = [CHAPTERS[name](Request(report / "work" / name, data_dir=data_dir, as_is=True)) for name in PAGES[page]]
    sections = sections_of(chapters)
    text = "\n\n".join([*map(markdown, sections), settings_of(chapters)])
    if not record:
        print(text)
        return
    draw(figure for section in sections for figure in section.figures)
    write_results(text, "reproduction.py", DOCUMENTS / f"{page}.md")


if __name__ == "__main__":
    typer.run(main)

"""The paper's tables, trade-off and Fig. 6 as they stand in a report's folder, written into `docs/reproduction.md`.

    reachbox reproduce table1 table2 table3 tradeoff fig6 --data-dir DIR --out report
    python benchmarks/reproduction.py report --data-dir DIR --record

Nothing is trained here: what is not finished in the folder is left out, and the text says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from tables import write_results

from reachbox.report import Section, Table
from reachbox.studies.chapter import Chapter, Request
from reachbox.studies.chapters import CHAPTERS

NAMES = ("table1", "table2", "table3", "tradeoff", "fig6")
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "reproduction.md"
LEFT_OUT = ("Figures ",)  # a page shows them; without their pictures they say nothing


def markdown(section: Section) -> str:
    """A section of the page as Markdown, without its pictures."""
    terms = "\n".join(f"- **{name}**: {words}" for name, words in section.terms)
    parts = [f"## {section.title}", section.sentence, terms, _rows(section.table) if section.table else ""]
    return "\n\n".join(part for part in parts if part)


def _rows(table: Table) -> str:
    header = [column.header or " " for column in table.columns]
    rule = ["---:" if column.is_numeric else "---" for column in table.columns]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *table.shown()))


def sections_of(chapters: list[Chapter]) -> list[Section]:
    """What stands in the document, each section once."""
    found = {section.title: section for chapter in chapters for section in chapter.sections}
    return [section for title, section in found.items() if not title.startswith(LEFT_OUT)]


def settings_of(chapters: list[Chapter]) -> str:
    """What it takes to compute the chapters again."""
    settings = {name: words for chapter in chapters for name, words in chapter.settings}
    return "## Settings\n\n" + "\n".join(f"- **{name}**: {words}" for name, words in settings.items())


def main(
    report: Annotated[Path, typer.Argument(help="the folder that `reachbox reproduce --out` wrote")],
    data_dir: Annotated[Path | None, typer.Option(help="where MNIST lies")] = None,
    names: Annotated[str, typer.Option(help="which chapters")] = ",".join(NAMES),
    record: Annotated[bool, typer.Option("--record", help="write into docs/reproduction.md")] = False,
) -> None:
    """The chapters of a report as Markdown."""
    chapters = [
        CHAPTERS[name](Request(report / "work" / name, data_dir=data_dir, as_is=True)) for name in names.split(",")
    ]
    text = "\n\n".join([*map(markdown, sections_of(chapters)), settings_of(chapters)])
    if not record:
        print(text)
        return
    write_results(text, "reproduction.py", DOCUMENT)


if __name__ == "__main__":
    typer.run(main)

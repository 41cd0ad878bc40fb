"""The drawings in the documents: files in `docs/pictures`, written by the commands that the documents tell of."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reachbox.report import Figure

DOCUMENTS = Path(__file__).resolve().parents[1] / "docs"
FOLDER = DOCUMENTS / "pictures"


def picture(figure: Figure) -> str:
    """A drawing as a document of `docs/` shows it."""
    return f"![{figure.caption}]({FOLDER.name}/{figure.name}.svg)\n\n*{figure.caption}*"


def draw(figures: Iterable[Figure]) -> None:
    """Writes the files."""
    FOLDER.mkdir(exist_ok=True)
    for figure in figures:
        (FOLDER / f"{figure.name}.svg").write_text(figure.svg(), encoding="utf-8")

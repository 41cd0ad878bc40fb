"""The pictures of a landscape: one page, and each drawing as a file of its own."""

from __future__ import annotations

import re
from pathlib import Path

from reachbox.errors import InputError
from reachbox.file_access import write_atomically
from reachbox.report import Page, versions, write_page
from reachbox.studies.landscape import Survey
from reachbox.studies.sections.landscape import landscape_sections, survey_settings

XMLNS = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '


def write_pictures(found: Survey, folder: Path) -> Path:
    """Writes the page, its tables and its drawings into `folder`; gives the path of the page."""
    if not found.minima:
        raise InputError(f"{found.name}: holds no minima yet, so there is nothing to draw; explore first")
    sections = landscape_sections(found)
    lead = "Minima of a network's loss, the transition states between them, and how one leads to the other."
    settings = (*survey_settings(found), ("with", ", ".join(f"{name} {version}" for name, version in versions())))
    path = write_page(Page(f"The landscape in {found.name}", lead, (), sections, settings), folder)
    for section in sections:
        for figure in section.figures:
            name = re.sub(r"\W+", "-", figure.data[0].name)
            drawing = figure.wide.replace("<svg ", XMLNS, 1).replace(" href=", " xlink:href=")
            write_atomically(folder / f"{name}.svg", drawing.encode())
    return path

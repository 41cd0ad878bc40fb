"""The pictures of a landscape: one page, with its tables and drawings."""

from __future__ import annotations

from pathlib import Path

from reachbox.errors import InputError
from reachbox.report import Page, versions, write_page
from reachbox.studies.landscape import Survey
from reachbox.studies.sections.landscape import landscape_sections, survey_settings


def write_pictures(found: Survey, folder: Path) -> Path:
    """Writes the page, its tables and its drawings into `folder`; gives the path of the page."""
    if not found.minima:
        raise InputError(f"{found.name}: holds no minima yet, so there is nothing to draw; explore first")
    sections = landscape_sections(found)
    lead = "Minima of a network's loss, the transition states between them, and how one leads to the other."
    settings = (*survey_settings(found), ("with", ", ".join(f"{name} {version}" for name, version in versions())))
    return write_page(Page(f"The landscape in {found.name}", lead, (), sections, settings), folder)

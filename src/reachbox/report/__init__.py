"""What a study found, as one page that can be mailed, printed and read on a phone.

A study gives values; `figures` draws them; a `Page` holds sections of figures and tables; `write_page` writes it.
"""

from reachbox.report.page import Highlight, Page, render, write_page
from reachbox.report.section import Figure, Section
from reachbox.report.table import Column, Table
from reachbox.report.versions import versions

__all__ = ["Column", "Figure", "Highlight", "Page", "Section", "Table", "render", "versions", "write_page"]

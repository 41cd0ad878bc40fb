"""The kinds of figure: each is a function from values to a `Figure`."""

from reachbox.report.figures.bars import bars
from reachbox.report.figures.curves import curves
from reachbox.report.figures.dots import dots
from reachbox.report.figures.nested_boxes import NamedBox, nested_boxes

__all__ = ["NamedBox", "bars", "curves", "dots", "nested_boxes"]

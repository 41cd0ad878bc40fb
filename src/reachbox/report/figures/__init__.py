"""The kinds of figure: each is a function from values to a `Figure`."""

from reachbox.report.figures.bars import bars
from reachbox.report.figures.curves import curves
from reachbox.report.figures.dots import dots
from reachbox.report.figures.estimates import Estimate, estimates
from reachbox.report.figures.fronts import Axis, front, fronts
from reachbox.report.figures.heat_maps import heat_map
from reachbox.report.figures.nested_boxes import NamedBox, nested_boxes
from reachbox.report.figures.panels import Panel, panels

__all__ = [
    "Axis", "Estimate", "NamedBox", "Panel", "bars", "curves", "dots", "estimates", "front", "fronts", "heat_map",
    "nested_boxes", "panels",
]  # fmt: skip

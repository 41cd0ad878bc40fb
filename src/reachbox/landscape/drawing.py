"""Pictures of a landscape: the disconnectivity graph, and the histogram of its energies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from reachbox.landscape.disconnectivity import Basin
from reachbox.landscape.energy import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Segment = tuple[tuple[float, float], tuple[float, float]]


def draw_disconnectivity(
    axes: Axes, trees: Sequence[Basin], colours: Mapping[int, float] | None = None, label: str = ""
) -> None:
    """Draw the trees side by side: every minimum ends a line at its energy, joins stand at theirs.

    `colours` gives each minimum, by number, a value to colour its end by, such as its sensitivity; `label` names it.
    """
    from matplotlib.collections import LineCollection

    places = _places(trees)
    lines = [segment for tree in trees for basin in tree.walk() for segment in _branches(basin, places)]
    axes.add_collection(LineCollection(lines, colors="0.35", linewidths=0.8))
    leaves = [basin for tree in trees for basin in tree.walk() if basin.minimum is not None]
    x, y = [places[leaf] for leaf in leaves], [leaf.energy for leaf in leaves]
    if colours is None:
        axes.scatter(x, y, s=6, color="0.1", zorder=2)
    else:
        values = [colours.get(leaf.minimum, np.nan) for leaf in leaves if leaf.minimum is not None]
        marks = axes.scatter(x, y, s=12, c=values, cmap="viridis", zorder=2, plotnonfinite=False)
        axes.figure.colorbar(marks, ax=axes, label=label)
    axes.autoscale()
    axes.set_xticks([])
    axes.set_ylabel("energy")


def draw_energy_histogram(axes: Axes, energies: Array, bins: int = 50) -> None:
    """Draw how many minima lie in each interval of energy."""
    axes.hist(energies, bins=bins, color="0.35")
    axes.set_xlabel("energy")
    axes.set_ylabel("minima")


def _places(trees: Sequence[Basin]) -> dict[Basin, float]:
    """Where each basin stands from left to right: leaves one apart, a join midway between its outermost parts."""
    places: dict[Basin, float] = {}
    leaves = 0
    for tree in trees:
        ordered = _lowest_in_the_middle(tree)
        for basin in ordered:
            if not basin.parts:
                places[basin] = float(leaves)
                leaves += 1
        for basin in reversed(ordered):
            if basin.parts:
                ends = [places[part] for part in basin.parts]
                places[basin] = (min(ends) + max(ends)) / 2
    return places


def _lowest_in_the_middle(tree: Basin) -> list[Basin]:
    """The basins from left to right, parents first; of several parts the lowest stands in the middle."""
    order, stack = [], [tree]
    while stack:
        basin = stack.pop()
        order.append(basin)
        ranked = sorted(basin.parts, key=lambda part: part.lowest)
        stack.extend([*ranked[1::2][::-1], *ranked[::2]])
    return order


def _branches(basin: Basin, places: dict[Basin, float]) -> list[Segment]:
    """From a join to the top of each part: across at the join's energy, then down to the part's."""
    here = places[basin]
    segments: list[Segment] = []
    for part in basin.parts:
        there = places[part]
        segments.append(((here, basin.energy), (there, basin.energy)))
        segments.append(((there, basin.energy), (there, part.energy)))
    return segments

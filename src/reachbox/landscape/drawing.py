"""Pictures of a landscape: the disconnectivity graph, the network of minima, and the histogram of energies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from reachbox.landscape.disconnectivity import Basin
from reachbox.landscape.energy import Array
from reachbox.landscape.storage.stored import Minimum, TransitionState

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES, DOTS = "#5b646e", "#0072b2"
ROUNDS = 300
COLOURS = 9
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
    axes.add_collection(LineCollection(lines, colors=LINES, linewidths=0.8))
    leaves = [basin for tree in trees for basin in tree.walk() if basin.minimum is not None]
    x, y = [places[leaf] for leaf in leaves], [leaf.energy for leaf in leaves]
    if colours is None:
        axes.scatter(x, y, s=6, color=DOTS, zorder=2)
    else:
        values = [colours.get(leaf.minimum, np.nan) for leaf in leaves if leaf.minimum is not None]
        _coloured(axes, np.array([x, y]).T, values, 12, label)
    axes.autoscale()
    axes.set_xticks([])
    axes.set_ylabel("energy")


def draw_energy_histogram(axes: Axes, energies: Array, bins: int = 50, colour: str = DOTS) -> None:
    """Draw how many minima lie in each interval of energy."""
    axes.hist(energies, bins=bins, color=colour)
    axes.set_xlabel("energy")
    axes.set_ylabel("minima")


def draw_network(
    axes: Axes, minima: Sequence[Minimum], states: Sequence[TransitionState], label: str = "energy"
) -> None:
    """Draw a dot for each minimum, coloured by its energy, and a line for each pair that a transition state joins."""
    from matplotlib.collections import LineCollection

    number = {minimum.id: index for index, minimum in enumerate(minima)}
    joined = {(s.first, s.second) for s in states if s.first != s.second}
    pairs = sorted((number[first], number[second]) for first, second in joined if {first, second} <= number.keys())
    places = spring_layout(len(minima), pairs)
    axes.add_collection(LineCollection([places[list(pair)] for pair in pairs], colors=LINES, linewidths=0.6))
    _coloured(axes, places, [minimum.found.energy for minimum in minima], 16, label)
    axes.set_axis_off()


def _coloured(axes: Axes, places: Array, values: Sequence[float], size: float, label: str) -> None:
    """Dots coloured by value in a few steps; the scale ends where the highest in a hundred begin."""
    from matplotlib import colormaps

    top = float(np.nanquantile(values, 0.99)) if len(values) else None
    steps = colormaps["viridis"].resampled(COLOURS)
    marks = axes.scatter(places[:, 0], places[:, 1], s=size, c=values, cmap=steps, vmax=top, zorder=2)
    bar = axes.figure.colorbar(marks, ax=axes, label=label)
    if bar.solids is not None:
        bar.solids.set_rasterized(False)


def spring_layout(count: int, pairs: Sequence[tuple[int, int]]) -> Array:
    """Places in the plane `(count, 2)` where joined points lie close and others apart (Fruchterman & Reingold 1991)."""
    places = np.random.default_rng(0).random((count, 2))
    joined = np.zeros((count, count))
    for first, second in pairs:
        joined[first, second] = joined[second, first] = 1.0
    ideal = 1 / np.sqrt(max(count, 1))
    for heat in np.linspace(0.1, 0.001, ROUNDS):
        offsets = places[:, None] - places[None]
        lengths = np.maximum(np.linalg.norm(offsets, axis=2), 1e-3 * ideal)
        force = ideal**2 / lengths**2 - joined * lengths / ideal
        moves = (offsets * force[:, :, None]).sum(axis=1) - 2 * ideal * (places - places.mean(axis=0))
        sizes = np.maximum(np.linalg.norm(moves, axis=1, keepdims=True), 1e-12)
        places += moves / sizes * np.minimum(sizes, heat)
    return places


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

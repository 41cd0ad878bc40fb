"""Polytopes inside the cube `[-1, 1]^d`, known by their vertices and the facets that each vertex lies on.

Many polytopes share one store of vertices, each a range of it. Rows are padded with zeros to a multiple of `LANES`,
so that loops over coordinates are unrolled.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.core import types
from numba.extending import intrinsic

from reachbox.machine_code import compiled_for_finite
from reachbox.reach.program import Floats, Integers

Words = npt.NDArray[np.uint64]

LANES = 4
FIRST_ROOM = 256


class Vertices(NamedTuple):
    """A store of vertices. A mask has one bit for each facet: two for each of the cube's inputs, then hyperplanes."""

    points: Floats  # (room, padded coordinates)
    masks: Words  # (room, words)
    heights: Floats  # (room,): over the hyperplane at work, of the polytope at work
    above: Integers  # (room,): its vertices above the hyperplane at work
    below: Integers  # (room,): and those below


def _population_count(_context: Any, _word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


population_count = intrinsic(_population_count)


@compiled_for_finite
def padded(size: int) -> int:
    """`size` rounded up to a multiple of `LANES`."""
    return (size + LANES - 1) // LANES * LANES


@compiled_for_finite
def empty_store(coordinates: int, words: int, room: int) -> Vertices:
    """Room for this many vertices."""
    return Vertices(
        np.zeros((room, padded(coordinates))),
        np.zeros((room, words), dtype=np.uint64),
        np.empty(room),
        np.empty(room, dtype=np.int64),
        np.empty(room, dtype=np.int64),
    )


@compiled_for_finite
def cube(coordinates: int, hyperplanes: int) -> Vertices:
    """The corners of the cube, with masks wide enough for its facets and so many hyperplanes."""
    corners = 2**coordinates
    words = (2 * coordinates + hyperplanes + 63) // 64
    vertices = empty_store(coordinates, words, max(FIRST_ROOM, 4 * corners))
    for corner in range(corners):
        for column in range(coordinates):
            above = (corner >> column) & 1
            vertices.points[corner, column] = 1.0 if above else -1.0
            _add_facet(vertices.masks, corner, 2 * column + above)
    return vertices


@compiled_for_finite
def bounding_box(points: Floats, start: int, stop: int, low: Floats, high: Floats) -> None:
    """Fills the least and largest of each coordinate over a polytope."""
    for column in range(len(low)):
        low[column], high[column] = points[start, column], points[start, column]
    for vertex in range(start + 1, stop):
        for lane in range(0, len(low), LANES):
            for column in range(lane, lane + LANES):
                low[column] = min(low[column], points[vertex, column])
                high[column] = max(high[column], points[vertex, column])


@compiled_for_finite
def fill_heights(vertices: Vertices, start: int, stop: int, slope: Floats, offset: float) -> tuple[float, float]:
    """The height `slope . x + offset` of each vertex of a polytope; gives the least and the largest."""
    points, heights = vertices.points, vertices.heights
    least, most = 0.0, 0.0
    for vertex in range(start, stop):
        height = offset
        for lane in range(0, len(slope), LANES):
            one = slope[lane] * points[vertex, lane] + slope[lane + 1] * points[vertex, lane + 1]
            two = slope[lane + 2] * points[vertex, lane + 2] + slope[lane + 3] * points[vertex, lane + 3]
            height += one + two
        heights[vertex] = height
        if vertex == start:
            least, most = height, height
        least, most = min(least, height), max(most, height)
    return least, most


@compiled_for_finite
def split(
    vertices: Vertices, coordinates: int, start: int, stop: int, tolerance: float, facet: int
) -> tuple[Vertices, int, int, int]:
    """Cuts a polytope along the hyperplane whose heights are filled; vertices up to `tolerance` from it lie on it.

    Gives the store, the end of the part below, which begins at `start`, and the range of the part above.
    """
    heights, above, below = vertices.heights, vertices.above, vertices.below
    higher, lower = 0, 0
    for vertex in range(start, stop):
        if heights[vertex] > tolerance:
            above[higher] = vertex
            higher += 1
        elif heights[vertex] < -tolerance:
            below[lower] = vertex
            lower += 1
        else:
            _add_facet(vertices.masks, vertex, facet)
    vertices, new = _cut_edges(vertices, coordinates, stop, higher, lower, facet)
    shift = max(0, new - stop - higher)  # the part below grows into the room after `stop`
    for vertex in range(new - 1, stop - 1, -1):
        _move(vertices, vertex, vertex + shift)
    first, middle, end = stop + shift, start, new + shift
    for vertex in range(start, stop):
        if heights[vertex] >= -tolerance:
            _move(vertices, vertex, end)
            end += 1
        if heights[vertex] <= tolerance:
            _move(vertices, vertex, middle)
            middle += 1
    for vertex in range(first, new + shift):
        _move(vertices, vertex, middle)
        middle += 1
    return vertices, middle, first, end


@compiled_for_finite
def _cut_edges(
    vertices: Vertices, coordinates: int, stop: int, higher: int, lower: int, facet: int
) -> tuple[Vertices, int]:
    """Appends a vertex for each pair above and below that shares enough facets; leaves room to copy the polytope."""
    edges = np.empty((4 * (higher + lower), 2), dtype=np.int64)
    count = _edges_across(vertices.masks, vertices.above[:higher], vertices.below[:lower], coordinates - 1, edges)
    if count > len(edges):
        edges = np.empty((count, 2), dtype=np.int64)
        _edges_across(vertices.masks, vertices.above[:higher], vertices.below[:lower], coordinates - 1, edges)
    vertices = _with_room(vertices, 2 * (stop + count))
    points, masks, heights = vertices.points, vertices.masks, vertices.heights
    for edge in range(count):
        above, below, new = edges[edge, 0], edges[edge, 1], stop + edge
        share = heights[above] / (heights[above] - heights[below])
        for column in range(coordinates):
            moved = points[above, column] + share * (points[below, column] - points[above, column])
            points[new, column] = min(max(moved, -1.0), 1.0)
        for word in range(masks.shape[1]):
            masks[new, word] = masks[above, word] & masks[below, word]
        _add_facet(masks, new, facet)
    return vertices, stop + count


@compiled_for_finite
def _edges_across(masks: Words, above: Integers, below: Integers, facets: int, edges: Integers) -> int:
    """Counts the pairs that share at least so many facets, and notes as many as `edges` holds."""
    count = 0
    for one in above:
        for other in below:
            shared = 0
            for word in range(masks.shape[1]):
                shared += population_count(masks[one, word] & masks[other, word])
            if shared >= facets:
                if count < len(edges):
                    edges[count, 0], edges[count, 1] = one, other
                count += 1
    return count


@compiled_for_finite
def _with_room(vertices: Vertices, count: int) -> Vertices:
    """The same store, or a copy with more room."""
    room = len(vertices.masks)
    if count <= room:
        return vertices
    larger = empty_store(vertices.points.shape[1], vertices.masks.shape[1], 2 * count)
    for vertex in range(room):
        for column in range(vertices.points.shape[1]):
            larger.points[vertex, column] = vertices.points[vertex, column]
        for word in range(vertices.masks.shape[1]):
            larger.masks[vertex, word] = vertices.masks[vertex, word]
        larger.heights[vertex] = vertices.heights[vertex]
    return larger


@compiled_for_finite
def _move(vertices: Vertices, source: int, target: int) -> None:
    points, masks = vertices.points, vertices.masks
    for lane in range(0, points.shape[1], LANES):
        for column in range(lane, lane + LANES):
            points[target, column] = points[source, column]
    for word in range(masks.shape[1]):
        masks[target, word] = masks[source, word]


@compiled_for_finite
def _add_facet(masks: Words, vertex: int, facet: int) -> None:
    masks[vertex, facet >> 6] |= np.uint64(1) << np.uint64(facet & 63)

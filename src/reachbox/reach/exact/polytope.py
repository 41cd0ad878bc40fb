"""Polytopes inside the cube `[-1, 1]^d`, known by their vertices and the facets that each vertex lies on.

Many polytopes share one store of vertices, each a range of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.core import types
from numba.extending import intrinsic

from reachbox.machine_code import compiled_for_finite, compiled_in_place_for_finite
from reachbox.reach.program import Floats, Integers

Words = npt.NDArray[np.uint64]

FIRST_ROOM = 256
NO_ROOM = -1


class Vertices(NamedTuple):
    """A store of vertices. A mask has one bit for each facet: two for each of the cube's inputs, then hyperplanes.

    What stands below the masks is of the polytope and the hyperplane at work.
    """

    points: Floats  # (coordinates, room)
    masks: Words  # (room, words)
    heights: Floats  # (room,): over the hyperplane
    above: Integers  # (room,): the vertices above it
    below: Integers  # (room,): and those below
    edges: Integers  # (room, 2): a vertex above and one below that share an edge
    normal: Floats  # (coordinates,): of the hyperplane
    low: Floats  # (coordinates,): the polytope's bounding box
    high: Floats  # (coordinates,)


def _population_count(_context: Any, _word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


population_count = intrinsic(_population_count)


@compiled_for_finite
def empty_store(coordinates: int, words: int, room: int) -> Vertices:
    """Room for this many vertices."""
    return Vertices(
        np.empty((coordinates, room)),
        np.empty((room, words), dtype=np.uint64),
        np.empty(room),
        np.empty(room, dtype=np.int64),
        np.empty(room, dtype=np.int64),
        np.empty((room, 2), dtype=np.int64),
        np.empty(coordinates),
        np.empty(coordinates),
        np.empty(coordinates),
    )


@compiled_for_finite
def cube(coordinates: int, hyperplanes: int) -> Vertices:
    """The corners of the cube, with masks wide enough for its facets and so many hyperplanes."""
    corners = 2**coordinates
    words = (2 * coordinates + hyperplanes + 63) // 64
    vertices = empty_store(coordinates, words, max(FIRST_ROOM, 4 * corners))
    for corner in range(corners):
        for word in range(words):
            vertices.masks[corner, word] = 0
        for column in range(coordinates):
            above = (corner >> column) & 1
            vertices.points[column, corner] = 1.0 if above else -1.0
            _add_facet(vertices.masks, corner, 2 * column + above)
    return vertices


@compiled_for_finite
def with_twice_the_room(vertices: Vertices) -> Vertices:
    """A copy with more room."""
    room = len(vertices.masks)
    larger = empty_store(len(vertices.points), vertices.masks.shape[1], 2 * room)
    for vertex in range(room):
        larger.heights[vertex] = vertices.heights[vertex]
        for column in range(len(vertices.points)):
            larger.points[column, vertex] = vertices.points[column, vertex]
        for word in range(vertices.masks.shape[1]):
            larger.masks[vertex, word] = vertices.masks[vertex, word]
    return larger


@compiled_in_place_for_finite
def fill_bounding_box(vertices: Vertices, start: int, stop: int) -> None:
    """Fills the least and largest of each coordinate over a polytope."""
    for column in range(len(vertices.low)):
        row = vertices.points[column, start:stop]
        low, high = row[0], row[0]
        for vertex in range(len(row)):
            low, high = min(low, row[vertex]), max(high, row[vertex])
        vertices.low[column], vertices.high[column] = low, high


@compiled_in_place_for_finite
def fill_heights(vertices: Vertices, start: int, stop: int, offset: float) -> tuple[float, float]:
    """The height `normal . x + offset` of each vertex of a polytope; gives the least and the largest."""
    heights = vertices.heights[start:stop]
    for vertex in range(len(heights)):
        heights[vertex] = offset
    for column in range(len(vertices.normal)):
        row, slope = vertices.points[column, start:stop], vertices.normal[column]
        for vertex in range(len(heights)):
            heights[vertex] += slope * row[vertex]
    least, most = heights[0], heights[0]
    for vertex in range(len(heights)):
        least, most = min(least, heights[vertex]), max(most, heights[vertex])
    return least, most


@compiled_in_place_for_finite
def split(vertices: Vertices, start: int, stop: int, tolerance: float, facet: int) -> tuple[int, int, int]:
    """Cuts a polytope along the hyperplane whose heights are filled; vertices up to `tolerance` from it lie on it.

    Gives the end of the part below, which begins at `start`, and the range of the part above; or `NO_ROOM` where the
    store is too small, which leaves the polytope as it was.
    """
    heights, higher, lower = vertices.heights, 0, 0
    for vertex in range(start, stop):
        if heights[vertex] > tolerance:
            vertices.above[higher] = vertex
            higher += 1
        elif heights[vertex] < -tolerance:
            vertices.below[lower] = vertex
            lower += 1
        else:
            _add_facet(vertices.masks, vertex, facet)
    edges = _fill_edges(vertices, higher, lower)
    if edges == NO_ROOM or 2 * (stop + edges) > len(heights):
        return NO_ROOM, 0, 0
    _cut_edges(vertices, edges, stop, facet)
    new = stop + edges
    shift = max(0, edges - higher)  # the part below grows into the room after `stop`
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
    return middle, first, end


@compiled_in_place_for_finite
def _fill_edges(vertices: Vertices, higher: int, lower: int) -> int:
    """Notes each pair above and below that shares enough facets; gives their number, or `NO_ROOM`."""
    masks, facets, count = vertices.masks, len(vertices.points) - 1, 0
    for above in range(higher):
        for below in range(lower):
            one, other, shared = vertices.above[above], vertices.below[below], 0
            for word in range(masks.shape[1]):
                shared += population_count(masks[one, word] & masks[other, word])
            if shared >= facets:
                if count == len(vertices.edges):
                    return NO_ROOM
                vertices.edges[count, 0], vertices.edges[count, 1] = one, other
                count += 1
    return count


@compiled_in_place_for_finite
def _cut_edges(vertices: Vertices, edges: int, stop: int, facet: int) -> None:
    """Puts a vertex on each edge where it meets the hyperplane, from `stop` on."""
    points, masks, heights = vertices.points, vertices.masks, vertices.heights
    for edge in range(edges):
        above, below, new = vertices.edges[edge, 0], vertices.edges[edge, 1], stop + edge
        share = heights[above] / (heights[above] - heights[below])
        for column in range(len(points)):
            moved = points[column, above] + share * (points[column, below] - points[column, above])
            points[column, new] = min(max(moved, -1.0), 1.0)
        for word in range(masks.shape[1]):
            masks[new, word] = masks[above, word] & masks[below, word]
        _add_facet(masks, new, facet)


@compiled_in_place_for_finite
def _move(vertices: Vertices, source: int, target: int) -> None:
    for column in range(len(vertices.points)):
        vertices.points[column, target] = vertices.points[column, source]
    for word in range(vertices.masks.shape[1]):
        vertices.masks[target, word] = vertices.masks[source, word]


@compiled_in_place_for_finite
def _add_facet(masks: Words, vertex: int, facet: int) -> None:
    masks[vertex, facet >> 6] |= np.uint64(1) << np.uint64(facet & 63)

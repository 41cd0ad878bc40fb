"""The disconnectivity graph: which minima can reach which, as the energy they may use rises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reachbox.landscape.storage.stored import Minimum, TransitionState


@dataclass(frozen=True, eq=False)
class Basin:
    """Minima that reach one another below every energy above `energy`: a node of the tree.

    A leaf is one `minimum`, by its number, at its own energy. An inner node stands at the lowest transition state
    energy at which its parts join. `lowest` is the energy of the lowest minimum within.
    """

    energy: float
    lowest: float
    minimum: int | None = None
    parts: tuple[Basin, ...] = ()

    @property
    def minima(self) -> frozenset[int]:
        """The numbers of all minima within."""
        return frozenset(basin.minimum for basin in self.walk() if basin.minimum is not None)

    def walk(self) -> Iterator[Basin]:
        """This basin and all within, parents first; no recursion, since a tree can be as deep as it has minima."""
        stack = [self]
        while stack:
            basin = stack.pop()
            yield basin
            stack.extend(basin.parts)


def disconnectivity(minima: Sequence[Minimum], states: Sequence[TransitionState]) -> tuple[Basin, ...]:
    """The trees of the disconnectivity graph, one for each connected part of the landscape, the lowest first.

    By union-find over the transition states in order of energy, so that every join stands at its exact energy
    (Becker & Karplus 1997, without levels). A minimum that no transition state joins is a tree of its own.
    """
    basins = {minimum.id: Basin(minimum.found.energy, minimum.found.energy, minimum.id) for minimum in minima}
    root = {minimum.id: minimum.id for minimum in minima}
    for state in sorted(states, key=lambda state: state.found.energy):
        first, second = _find(root, state.first), _find(root, state.second)
        if first != second:
            basins[first] = _joined(state.found.energy, basins[first], basins.pop(second))
            root[second] = first
    return tuple(sorted(basins.values(), key=lambda basin: basin.lowest))


def barrier(trees: Sequence[Basin], first: int, second: int) -> float | None:
    """The lowest energy at which a path between two minima (by number) is known, or None where none is."""
    both = {first, second}
    levels = [basin.energy for tree in trees for basin in tree.walk() if both <= basin.minima]
    return min(levels) if levels else None


def _find(root: dict[int, int], number: int) -> int:
    while root[number] != number:
        root[number] = root[root[number]]
        number = root[number]
    return number


def _joined(energy: float, first: Basin, second: Basin) -> Basin:
    """One basin for both; those that already stand at this energy give their parts, so that joins can be manifold."""
    parts: list[Basin] = []
    for basin in (first, second):
        parts.extend(basin.parts if basin.parts and basin.energy == energy else [basin])
    return Basin(energy, min(first.lowest, second.lowest), parts=tuple(parts))

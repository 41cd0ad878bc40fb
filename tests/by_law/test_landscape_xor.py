"""The landscape of XOR: searches agree, l2 thins it out, and a larger network contains a smaller one's."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from reachbox.landscape import (
    Database,
    Exploration,
    PerceptronEnergy,
    Searching,
    Tanh,
    Tolerance,
    explore,
    inertia,
    landscape_of,
)
from reachbox.landscape.exploring.search import Search
from reachbox.landscape.stationary_point import Catalogue

INPUTS, LABELS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
JOBS = 24


def network(hidden: int, l2: float) -> PerceptronEnergy:
    return PerceptronEnergy((2, hidden, 1), Tanh(), INPUTS, LABELS, l2=l2)


def explored(
    energy: PerceptronEnergy, folder: Path, seed: int = 0, jobs: int = JOBS
) -> tuple[list[np.ndarray], list[float], list[float]]:
    """Points and energies of the minima, and energies of the transition states, ascending."""
    kinds = ("quench", "climb_from_random", "climb_from_minima")
    options = Exploration(seed=seed, batch=64, kinds=kinds, searching=Searching.for_networks(1e-8))  # type: ignore[arg-type]
    with Database(folder / f"{seed}.db", energy.describe()) as database:
        for progress in explore(energy, database, options):
            if progress.attempts == jobs:
                break
        minima, states = database.minima(), database.transition_states()
    heights = [minimum.found.energy for minimum in minima]
    return [minimum.found.point for minimum in minima], heights, [state.found.energy for state in states]


def test_explorations_with_different_seeds_agree(tmp_path: Path) -> None:
    found = [explored(network(2, 0.01), tmp_path, seed)[1:] for seed in (0, 1)]
    for minima, states in found:
        assert minima == pytest.approx([0.519017, 0.563285, 0.625206, 0.693147], abs=1e-6)
        expected = [0.639127, 0.649610, 0.656574, 0.669472, 0.683374, 0.694244, 0.695729, 0.707567]
        assert states == pytest.approx(expected, abs=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize(("l2", "minima", "states"), [(0.003, 5, 16), (0.01, 3, 12)])
def test_three_units_too(tmp_path: Path, l2: float, minima: int, states: int) -> None:
    found = []
    for seed in (0, 1, 2):
        landscape = landscape_of(network(3, l2), seed=seed)
        with Database(tmp_path / f"{seed}.db", landscape.energy.describe()) as database:
            for progress in explore(landscape.energy, database, landscape.exploration):
                if progress.attempts == 100:
                    break
            points = database.minima(), database.transition_states()
        found.append([np.array([point.found.energy for point in part]) for part in points])
    for part, other in product(found, found):
        assert [len(part[0]), len(part[1])] == [minima, states]
        assert all(np.abs(one - two).max(initial=0) < 1e-6 for one, two in zip(part, other, strict=True))


def test_minima_become_fewer_as_l2_grows(tmp_path: Path) -> None:
    counts = []
    for l2 in (0.001, 0.01, 0.03):
        (tmp_path / str(l2)).mkdir()
        _, minima, states = explored(network(2, l2), tmp_path / str(l2), jobs=6)
        counts.append((len(minima), len(states) > 0))
    assert counts == [(5, True), (4, True), (1, False)]


def test_minima_of_two_units_are_transition_states_of_three(tmp_path: Path) -> None:
    """With a zero unit they stay stationary. All but the zero network turn into saddles of index 1."""
    smaller, larger = network(2, 0.01), network(3, 0.01)
    points, heights, _ = explored(smaller, tmp_path, jobs=3)
    for point, height in zip(points, heights, strict=True):
        arrays, whole = smaller.layout.split(point[None]), np.zeros((1, larger.dimension))
        targets = larger.layout.split(whole)
        targets[0][:, :2], targets[1][:, :2], targets[2][:, :, :2], targets[3][:] = arrays
        values, gradients = larger.value_and_gradient(whole)
        assert values[0] == pytest.approx(height, abs=1e-12)
        assert np.abs(gradients).max() < 1e-6
        assert inertia(larger, whole[0]).negative == (0 if height > 0.69 else 1)


def test_searches_find_those_that_are_met_often(tmp_path: Path) -> None:
    _, minima, states = explored(network(3, 0.01), tmp_path, seed=1, jobs=6)
    assert minima == pytest.approx([0.496669, 0.548206, 0.693147], abs=1e-6)
    for height in (0.519017, 0.625206):
        assert np.abs(np.array(states) - height).min() < 1e-6


def test_paths_that_keep_a_symmetry_go_on_from_a_saddle_to_a_minimum(tmp_path: Path) -> None:
    """The minimum of two units, beside a zero one, falls on one side to a saddle that no swap of the inputs changes."""
    smaller, larger = network(2, 0.01), network(3, 0.01)
    points, heights, _ = explored(smaller, tmp_path, jobs=6)
    start = np.zeros((1, larger.dimension))
    for target, array in zip(larger.layout.split(start), smaller.layout.split(points[1][None]), strict=True):
        target[tuple(slice(0, size) for size in array.shape)] = array
    search = Search(larger, Searching.for_networks(1e-7), Catalogue(Tolerance()), Catalogue(Tolerance()))
    search.climb(start, np.random.default_rng(0).standard_normal(start.shape))
    (crossing,) = search.crossings
    assert crossing.state.energy == pytest.approx(heights[1], abs=1e-9)
    for end in (crossing.first, crossing.second):
        assert end.inertia is not None
        assert end.inertia.is_minimum
        assert end.energy < heights[1] - 1e-3

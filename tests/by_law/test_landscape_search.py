"""Laws of the searches: states are strict, paths go down, walks repeat, workers change nothing."""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from reachbox.errors import InputError
from reachbox.landscape import (
    Database,
    EigenvectorFollowing,
    ElasticBand,
    Energy,
    Exploration,
    Hopping,
    LennardJones,
    LocalWorkers,
    Minimiser,
    MuellerBrown,
    PerceptronEnergy,
    Searching,
    Tanh,
    barrier,
    basin_hopping,
    climb,
    disconnectivity,
    downhill_ends,
    eigenvalues,
    elastic_bands,
    explore,
    is_transition_state,
    minimise,
)
from reachbox.landscape.energy import perturb

XOR = PerceptronEnergy(
    (2, 2, 1), Tanh(), np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0]), l2=0.01
)
CLUSTER = LennardJones(6)
SETTINGS = {
    "cluster": (CLUSTER, EigenvectorFollowing(), 1e-3),
    "network": (XOR, EigenvectorFollowing.for_networks(1e-8), 1e-6),
}
settings = pytest.mark.parametrize(("energy", "options", "threshold"), SETTINGS.values(), ids=SETTINGS.keys())


def climbed(energy: Energy, options: EigenvectorFollowing) -> tuple[np.ndarray, np.ndarray]:
    """Converged points and modes."""
    generator = np.random.default_rng(0)
    starts = minimise(energy, energy.random_points(24, generator), Minimiser(max_steps=20)).points
    end = climb(energy, starts, generator.standard_normal(starts.shape), options)
    assert end.converged.mean() > 0.5
    assert (end.rms[end.converged] <= options.rms).all()
    return end.points[end.converged], end.modes[end.converged]


@settings
def test_converged_climbs_are_saddles_with_two_sides_down(
    energy: Energy, options: EigenvectorFollowing, threshold: float
) -> None:
    points, modes = climbed(energy, options)
    strict = np.array([is_transition_state(energy, point, threshold) for point in points])
    assert strict.mean() > 0.8
    states, along = points[strict], modes[strict]
    heights, _ = energy.value_and_gradient(states)
    for state in states[:4]:
        assert (np.sign(eigenvalues(energy, state)) < 0).sum() == 1
    for side in downhill_ends(energy, states, along, options=Minimiser(rms=1e-7, max_step=0.1)):
        assert side.converged.all()
        assert (side.energies < heights).all()


def test_a_band_between_two_minima_leads_to_the_state_between_them() -> None:
    surface = MuellerBrown()
    ends = minimise(surface, np.array([[0.6, 0.0], [-0.05, 0.5]]), Minimiser(rms=1e-9, max_step=0.1)).points
    band = elastic_bands(surface, ends[:1], ends[1:])
    assert band.points[0, [0, -1]] == pytest.approx(ends)
    steps = np.linalg.norm(np.diff(band.points[0], axis=0), axis=1)
    assert steps.max() < 2 * steps.min()
    summits, tangents = band.summits()
    state = climb(surface, summits, tangents)
    assert state.energies == pytest.approx([-72.24894], abs=1e-5)


def test_a_band_does_not_pay_for_exchanged_units() -> None:
    """The copy of a minimum under an exchange of units is the minimum itself: there is no barrier."""
    minimum = minimise(XOR, XOR.random_points(1, np.random.default_rng(2)), Minimiser(rms=1e-8)).points
    copy = minimum.copy()
    first, bias, second, _ = XOR.layout.split(copy)
    for array, axis in ((first, 1), (bias, 1), (second, 2)):
        array[:] = -np.flip(array, axis=axis)
    band = elastic_bands(XOR, minimum, copy, ElasticBand(images=5))
    assert band.energies == pytest.approx(np.full((1, 7), band.energies[0, 0]))


def test_basin_hopping_finds_the_icosahedron() -> None:
    cluster, generator = LennardJones(13), np.random.default_rng(1)
    walk = basin_hopping(cluster, cluster.random_points(16, generator), generator)
    lowest = min(float(quench.energies.min()) for quench in islice(walk, 60))
    assert lowest == pytest.approx(-44.326801, abs=1e-6)


def test_the_same_seed_takes_the_same_walk() -> None:
    walks = []
    for _ in range(2):
        generator = np.random.default_rng(3)
        walk = basin_hopping(CLUSTER, CLUSTER.random_points(4, generator), generator, Hopping(adaptation_interval=2))
        walks.append(np.stack([quench.energies for quench in islice(walk, 6)]))
    assert np.array_equal(walks[0], walks[1])


def test_a_walk_without_temperature_sets_out_from_ever_lower_minima(monkeypatch: pytest.MonkeyPatch) -> None:
    left_from: list[np.ndarray] = []

    def recorded(energy: Energy, points: np.ndarray, size: float, generator: np.random.Generator) -> np.ndarray:
        left_from.append(energy.value_and_gradient(points)[0])
        return perturb(energy, points, size, generator)

    monkeypatch.setattr(import_module("reachbox.landscape.descent.basin_hopping"), "perturb", recorded)
    generator = np.random.default_rng(5)
    walk = basin_hopping(CLUSTER, CLUSTER.random_points(8, generator), generator, Hopping(temperature=0.0))
    assert len(list(islice(walk, 9))) == 9
    assert all((later <= earlier).all() for earlier, later in pairwise(left_from))


@pytest.mark.parametrize("kind", ["hop", "connect", "climb_from_minima"])
def test_kinds_that_need_minima_quench_first(tmp_path: Path, kind: str) -> None:
    options = Exploration(batch=32, walkers=4, kinds=(kind,))  # type: ignore[arg-type]
    with Database(tmp_path / "kinds.db", CLUSTER.describe()) as database:
        for progress in explore(CLUSTER, database, options):
            if progress.attempts == 3:
                break
        assert [minimum.found.energy for minimum in database.minima()] == pytest.approx([-12.712062, -12.302928])
        assert (kind == "hop") == (len(database.transition_states()) == 0)
        assert sum(minimum.searches for minimum in database.minima()) > 0


def test_all_kinds_together_connect_the_landscape_of_xor(tmp_path: Path) -> None:
    kinds = ("quench", "climb_from_random", "connect")
    options = Exploration(batch=64, kinds=kinds, searching=Searching.for_networks(1e-8))  # type: ignore[arg-type]
    with Database(tmp_path / "xor.db", XOR.describe()) as database:
        for progress in explore(XOR, database, options):
            if progress.attempts == 3:
                break
        minima, states = database.minima(), database.transition_states()
    assert [minimum.found.energy for minimum in minima] == pytest.approx(
        [0.519017, 0.563285, 0.625206, 0.693147], abs=1e-6
    )
    trees = disconnectivity(minima, states)
    assert len(trees) == 1
    height = barrier(trees, minima[0].id, minima[1].id)
    assert height is not None
    assert height == pytest.approx(0.649610, abs=1e-6)


def test_workers_find_what_one_process_finds(tmp_path: Path) -> None:
    options, found = Exploration(batch=64, seed=3), []
    for name, workers in (("one", None), ("two", LocalWorkers(2))):
        with Database(tmp_path / f"{name}.db", CLUSTER.describe()) as database, workers or nullcontext():
            for progress in explore(CLUSTER, database, options, workers):
                if progress.attempts == 6:
                    break
            found.append((len(database.minima()), len(database.transition_states())))
    assert found == [(2, 3), (2, 3)]


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(InputError, match=r"one or more kinds of quench, kick, hop, .* are needed, found \('walk',\)"):
        Exploration(kinds=("walk",))  # type: ignore[arg-type]

"""Laws of networks without idle or repeated units: the same energy, the same index, and Newton's method at the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reachbox.errors import InputError
from reachbox.landscape import (
    Camelback,
    Condensed,
    Database,
    Exploration,
    LennardJones,
    Newton,
    PerceptronEnergy,
    ReLU,
    Searching,
    Softplus,
    StationaryPoint,
    Status,
    Tanh,
    TransitionState,
    condense,
    eigenvalues,
    explore,
    follow_state,
    hessian,
    newton_climb,
    newton_descent,
    smoothed,
)
from reachbox.landscape.energy.unit_symmetry import set_unit_rows, unit_rows

DATA = np.random.default_rng(21)
INPUTS = DATA.standard_normal((30, 3))
LABELS = (np.abs(INPUTS[:, :2]).sum(axis=1) > 1).astype(int)
NETWORK = PerceptronEnergy((3, 6, 5, 2), ReLU(), INPUTS, LABELS, l2=0.002)


def with_idle_units() -> tuple[np.ndarray, Condensed]:
    """A point of the smoothed network at which a unit of either layer has no weights but zeros."""
    energy = smoothed(NETWORK, 0.1)
    point = energy.random_points(1, np.random.default_rng(22))
    arrays = energy.layout.split(point)
    for layer, unit in ((0, 2), (1, 4)):
        arrays[2 * layer][0][unit], arrays[2 * layer + 1][0][unit], arrays[2 * layer + 2][0][:, unit] = 0.0, 0.0, 0.0
    return point[0], condense(energy, point[0], tolerance=0.0)


def test_without_idle_units_energy_and_gradient_are_the_same() -> None:
    point, condensed = with_idle_units()
    assert all(smaller < units for smaller, units in zip(condensed.energy.widths[1:-1], (6, 5), strict=True))
    assert condensed.lift(condensed.point[None])[0] == pytest.approx(point)
    values, gradients = condensed.whole.value_and_gradient(point[None])
    fewer_values, fewer_gradients = condensed.energy.value_and_gradient(condensed.point[None])
    assert fewer_values == pytest.approx(values, rel=1e-12)
    assert condensed.lift(fewer_gradients) == pytest.approx(gradients, abs=1e-12)


def test_the_hessian_gains_only_the_curvature_of_the_l2_term() -> None:
    """The shortcut for idle units gives what products with every unit vector give."""
    point, condensed = with_idle_units()
    whole, count = condensed.whole, condensed.whole.dimension
    every = whole.hessian_vector(np.tile(point, (count, 1)), np.eye(count))
    assert hessian(whole, point) == pytest.approx((every + every.T) / 2, abs=1e-12)
    left_out = np.full(count - condensed.energy.dimension, 2 * whole.l2)
    expected = np.sort(np.concatenate([eigenvalues(condensed.energy, condensed.point), left_out]))
    assert eigenvalues(whole, point) == pytest.approx(expected, abs=1e-10)
    assert eigenvalues(whole, point) == pytest.approx(np.linalg.eigvalsh((every + every.T) / 2), abs=1e-10)


def test_parallel_relu_units_are_one_at_no_more_cost() -> None:
    point = NETWORK.random_points(1, np.random.default_rng(23))
    arrays = NETWORK.layout.split(point)
    arrays[0][0][3], arrays[1][0][3] = 2.5 * arrays[0][0][1], 2.5 * arrays[1][0][1]
    condensed = condense(NETWORK, point[0], tolerance=1e-6)
    lifted = condensed.lift(condensed.point[None])
    assert not NETWORK.layout.split(lifted)[0][0][3].any()
    assert NETWORK.logits(lifted) == pytest.approx(NETWORK.logits(point), abs=1e-10)
    assert np.square(lifted).sum() <= np.square(point).sum()


def test_idle_units_stay_idle_in_moves_unless_they_are_revived() -> None:
    point, condensed = with_idle_units()
    moved = condensed.whole.scales(point[None]) > 0
    assert (condensed.lift(np.ones((1, condensed.energy.dimension))) > 0).tolist() == moved.tolist()
    revived = condensed.whole.revived(np.tile(point, (20, 1)), np.random.default_rng(0))
    assert (revived[:, moved[0]] == point[moved[0]]).all()
    assert (revived != point).any()


def test_biases_that_cost_nothing_cannot_be_left_out() -> None:
    free = PerceptronEnergy((3, 4, 2), ReLU(), INPUTS, LABELS, biases_count=False)
    with pytest.raises(InputError, match="ReLU and an l2 term that counts biases are needed"):
        condense(free, np.zeros(free.dimension))


@pytest.mark.parametrize("activation", [Tanh(), Softplus()])
@pytest.mark.parametrize("biases_count", [True, False])
def test_equal_units_stand_as_one(activation: Tanh | Softplus, biases_count: bool) -> None:
    """Energy, gradient and products are those of the whole; its eigenvalues come from small blocks, each exact."""
    network = PerceptronEnergy((3, 7, 6, 2), activation, INPUTS, LABELS, l2=0.01, biases_count=biases_count)
    condensed = with_equal_units(network)
    assert condensed.energy.multiplicities == ((3, 2, 1, 1), (2, 3, 1))
    point = condensed.lift(condensed.point[None])
    values, gradients = network.value_and_gradient(point)
    fewer_values, fewer_gradients = condensed.energy.value_and_gradient(condensed.point[None])
    assert fewer_values == pytest.approx(values, rel=1e-12)
    assert condensed.lift(fewer_gradients) == pytest.approx(gradients, abs=1e-12)
    vector = np.random.default_rng(26).standard_normal((1, condensed.energy.dimension))
    product = condensed.energy.hessian_vector(condensed.point[None], vector)
    assert condensed.lift(product) == pytest.approx(network.hessian_vector(point, condensed.lift(vector)), abs=1e-11)
    assert condensed.restrict(condensed.lift(vector)) == pytest.approx(vector)
    assert eigenvalues(network, point[0]) == pytest.approx(np.linalg.eigvalsh(hessian(network, point[0])), abs=1e-11)


def with_equal_units(network: PerceptronEnergy) -> Condensed:
    """Units 0 to 2 and 3 to 4 of the first hidden layer are equal, 0 to 1 and 2 to 4 of the second, some negated."""
    point = network.random_points(1, np.random.default_rng(25))
    arrays, minus = network.layout.split(point), -1.0 if network.activation.is_odd else 1.0
    for _ in range(2):  # what leaves a unit of the first layer enters one of the second
        for layer, (first, *others) in ((0, (0, 1, 2)), (0, (3, 4)), (1, (0, 1)), (1, (2, 3, 4))):
            units = unit_rows(arrays, layer)
            units[others] = units[first] * np.where(np.arange(len(others)) % 2, 1.0, minus)[:, None]
            set_unit_rows(arrays, layer, units)
    return condense(network, point[0], tolerance=0.0)


def three_states(
    energy: PerceptronEnergy, options: Exploration, path: Path, most_jobs: int
) -> tuple[list[TransitionState], dict[int, StationaryPoint]]:
    """Three transition states or more, and all minima by number."""
    with Database(path, energy.describe()) as database:
        for progress in explore(energy, database, options):
            if progress.transition_states >= 3 or progress.attempts == most_jobs:
                break
        states, minima = database.transition_states(), database.minima()
    assert len(states) >= 3
    return states, {minimum.id: minimum.found for minimum in minima}


def test_a_unit_midway_to_another_leads_to_transition_states(tmp_path: Path) -> None:
    network = PerceptronEnergy((3, 8, 2), Tanh(), INPUTS, LABELS, l2=0.002)
    kinds = ("quench", "climb_from_moves", "climb_from_moves")
    options = Exploration(batch=8, kinds=kinds, searching=Searching.for_networks())  # type: ignore[arg-type]
    states, minima = three_states(network, options, tmp_path / "moves.db", most_jobs=9)
    for state in states:
        values = np.linalg.eigvalsh(hessian(network, state.found.point))
        assert ((values < -1e-6).sum(), (np.abs(values) <= 1e-6).sum()) == (1, 0)
        assert all(
            np.linalg.eigvalsh(hessian(network, minima[end].point))[0] > 1e-6 for end in (state.first, state.second)
        )


def test_newton_s_method_ends_at_minima_and_at_states() -> None:
    generator = np.random.default_rng(24)
    surface = Camelback()
    ends = newton_descent(surface, surface.random_points(8, generator), Newton(rms=1e-12, max_steps=200))
    assert ends.converged.all()
    assert all(eigenvalues(surface, point)[0] > 0 for point in ends.points)
    assert (np.abs(ends.energies[:, None] - [-1.0316285, -0.2154638, 2.1042503]).min(axis=1) < 1e-6).all()
    top = newton_climb(surface, np.full((1, 2), 0.05), np.array([[0.0, 1.0]]), Newton(rms=1e-13))
    assert top.status[0] == Status.CONVERGED
    assert top.points[0] == pytest.approx([0, 0], abs=1e-10)


def test_newton_s_method_knows_rigid_motions() -> None:
    cluster = LennardJones(5)
    ends = newton_descent(cluster, cluster.random_points(3, np.random.default_rng(3)), Newton(max_steps=300))
    assert ends.converged.all()
    assert ends.energies == pytest.approx(np.full(3, -9.103852), abs=1e-6)


def test_states_of_a_smoothed_loss_are_strict_and_are_followed_down(tmp_path: Path) -> None:
    energy = smoothed(NETWORK, 1.0)
    kinds = ("quench", "climb_from_minima")
    options = Exploration(batch=8, kinds=kinds, searching=Searching.for_smoothed_relu(1.0))  # type: ignore[arg-type]
    states, minima = three_states(energy, options, tmp_path / "smoothed.db", most_jobs=12)
    for state in states:
        values, vectors = np.linalg.eigh(hessian(energy, state.found.point))
        assert (values < -1e-7).sum() == 1
        assert (np.abs(values) <= 1e-7).sum() == 0
        assert state.found.rms <= 1e-7
        for end in (minima[state.first], minima[state.second]):
            assert end.rms <= 1e-8
            assert end.energy < state.found.energy - (state.found.error or 0.0)
        assert state.found.width is not None
        newton = Newton(rms=1e-8, max_steps=100)
        reached = follow_state(energy, state.found.point, vectors[:, 0], 1.0, newton)
        assert reached == pytest.approx(state.found.width)
        assert reached <= 1.0

"""Laws of ReLU losses: the smoothing shrinks with its width, and a settled point has nowhere lower to go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reachbox.errors import InputError
from reachbox.landscape import (
    Camelback,
    Condensing,
    Database,
    Exploration,
    LennardJones,
    Minimiser,
    PerceptronEnergy,
    ReLU,
    Searching,
    Settling,
    Smoothing,
    Tanh,
    explore,
    follow_minima,
    minimise,
    settle,
    smoothed,
)

DATA = np.random.default_rng(11)
INPUTS = DATA.standard_normal((30, 2))
LABELS = (np.abs(INPUTS).sum(axis=1) > 1).astype(int)
NETWORK = PerceptronEnergy((2, 6, 2), ReLU(), INPUTS, LABELS, l2=0.003)
STARTS = NETWORK.random_points(12, np.random.default_rng(12))


def test_the_smoothed_loss_differs_by_a_multiple_of_the_width() -> None:
    exact, _ = NETWORK.value_and_gradient(STARTS)
    wide, narrow = (smoothed(NETWORK, width).value_and_gradient(STARTS)[0] for width in (1e-2, 1e-4))
    assert np.abs(narrow - exact).max() <= 0.02 * np.abs(wide - exact).max()
    assert np.abs(narrow - exact).max() <= 1e-2


def test_followed_minima_reach_a_width_where_quenches_of_the_loss_itself_stall() -> None:
    options = Minimiser(rms=1e-6, max_steps=4000, max_step=0.5, memory=20)
    followed = follow_minima(NETWORK, STARTS, Smoothing(condensing=Condensing(options)))
    reached = followed.widths == 1e-3
    assert reached.mean() > minimise(NETWORK, STARTS, options).converged.mean()
    for width in np.unique(followed.widths[np.isfinite(followed.widths)]):
        rows = followed.widths == width
        values, gradients = smoothed(NETWORK, float(width)).value_and_gradient(followed.points[rows])
        assert values == pytest.approx(followed.energies[rows])
        assert np.sqrt(np.square(gradients).mean(axis=1)) == pytest.approx(followed.rms[rows], rel=1e-6)
        assert (followed.rms[rows] <= 1e-6).all()


def test_a_settled_network_has_nowhere_lower_to_go() -> None:
    followed = follow_minima(NETWORK, STARTS[:4])
    best = int(np.argmin(followed.energies))
    energy = smoothed(NETWORK, float(followed.widths[best]))
    settled = settle(energy, followed.points[best])
    assert settled.is_settled
    assert settled.found.energy <= followed.energies[best] + 1e-9
    assert settled.found.rms <= 1e-6
    generator = np.random.default_rng(13)
    nearby = settled.found.point + 1e-3 * generator.standard_normal((8, energy.dimension))
    ends = minimise(energy, nearby, Minimiser(rms=1e-6, max_step=0.1, memory=20))
    assert (ends.energies >= settled.found.energy - 1e-6).all()


def test_a_saddle_does_not_settle_where_it_is() -> None:
    settled = settle(Camelback(), np.zeros(2))
    assert settled.is_settled
    assert settled.rounds == 2
    assert settled.found.energy == pytest.approx(-1.0316285)
    assert settled.found.inertia is not None
    assert settled.found.inertia.is_minimum


def test_rounds_that_run_out_are_told() -> None:
    settled = settle(Camelback(), np.zeros(2), Settling(max_rounds=1))
    assert not settled.is_settled
    assert settled.drop == pytest.approx(1.0316285)


def test_rigid_motions_are_no_way_down() -> None:
    cluster = LennardJones(5)
    settled = settle(cluster, cluster.random_points(1, np.random.default_rng(0))[0], Settling(threshold=1e-3))
    assert settled.is_settled
    assert settled.found.energy == pytest.approx(-9.103852, abs=1e-6)


def test_an_exploration_of_the_smoothed_loss_keeps_settled_minima(tmp_path: Path) -> None:
    energy = smoothed(NETWORK, 0.01)
    options = Exploration(batch=8, kinds=("quench",), searching=Searching.for_smoothed_relu(0.01))
    with Database(tmp_path / "relu.db", energy.describe()) as database:
        for progress in explore(energy, database, options):
            if progress.attempts == 2:
                break
        minima = database.minima()
    assert minima
    for minimum in minima[:2]:
        assert minimum.found.rms <= 1e-6
        assert settle(energy, minimum.found.point).found.energy >= minimum.found.energy - 1e-7


def test_misuse_is_refused() -> None:
    with pytest.raises(InputError, match="a PerceptronEnergy with ReLU is needed, found Tanh"):
        smoothed(PerceptronEnergy((2, 3, 2), Tanh(), INPUTS, LABELS), 0.1)
    with pytest.raises(InputError, match="from wide to narrow are needed"):
        Smoothing(widths=(0.1, 0.3))
    with pytest.raises(InputError, match="push, drop and rounds must be positive"):
        Settling(push=0.0)

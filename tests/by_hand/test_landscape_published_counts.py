"""Landscapes whose minima and transition states are published, found from scratch: nothing missing, nothing extra."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reachbox.landscape import (
    Camelback,
    Database,
    Energy,
    Exploration,
    LennardJones,
    Minimiser,
    MuellerBrown,
    Searching,
    explore,
)

PLANE = Exploration(batch=32, searching=Searching(minimiser=Minimiser(rms=1e-9, max_step=0.1)))


def explored(energy: Energy, folder: Path, options: Exploration, jobs: int) -> tuple[list[float], list[float]]:
    """Energies of the distinct minima and transition states after so many jobs, ascending."""
    with Database(folder / "landscape.db", energy.describe()) as database:
        for progress in explore(energy, database, options):
            if progress.attempts == jobs:
                break
        minima = [minimum.found.energy for minimum in database.minima()]
        return minima, [state.found.energy for state in database.transition_states()]


@pytest.mark.parametrize(("atoms", "minima", "states"), [(4, 1, 1), (5, 1, 2), (6, 2, 3)])
def test_small_lennard_jones_clusters(tmp_path: Path, atoms: int, minima: int, states: int) -> None:
    """Doye & Wales, J. Chem. Phys. 116, 3777 (2002)."""
    found = explored(LennardJones(atoms), tmp_path, Exploration(batch=128), jobs=6)
    assert tuple(map(len, found)) == (minima, states)


def test_seven_atoms_have_four_minima_and_twelve_transition_states(tmp_path: Path) -> None:
    minima, states = explored(LennardJones(7), tmp_path, Exploration(), jobs=6)
    assert minima == pytest.approx([-16.505384, -15.935043, -15.593211, -15.533060], abs=1e-6)
    expected = [-15.444734, -15.319864, -15.283421, -15.097846, -15.033384, -15.026438]
    expected += [-14.816400, -14.811130, -14.596946, -14.568061, -14.548573, -12.548938]
    assert states == pytest.approx(expected, abs=1e-6)


def test_eight_atoms_have_eight_minima_and_42_transition_states(tmp_path: Path) -> None:
    found = explored(LennardJones(8), tmp_path, Exploration(), jobs=14)
    assert tuple(map(len, found)) == (8, 42)


@pytest.mark.thorough
def test_nine_atoms_have_21_minima_and_165_transition_states(tmp_path: Path) -> None:
    """The last one, eight atoms around one, is reached by symmetric starts alone: its surroundings are tiny."""
    minima, states = explored(LennardJones(9), tmp_path, Exploration(), jobs=300)
    assert (len(minima), len(states)) == (21, 165)
    assert states[-1] == pytest.approx(-19.772296, abs=1e-6)


def test_the_camelback_has_six_minima_and_seven_transition_states(tmp_path: Path) -> None:
    minima, states = explored(Camelback(), tmp_path, PLANE, jobs=6)
    assert minima == pytest.approx(np.repeat([-1.0316285, -0.2154638, 2.1042503], 2), abs=1e-6)
    assert len(states) == 7
    assert states[0] == pytest.approx(0.0, abs=1e-9)  # the origin


def test_mueller_brown_has_three_minima_and_two_transition_states(tmp_path: Path) -> None:
    minima, states = explored(MuellerBrown(), tmp_path, PLANE, jobs=6)
    assert minima == pytest.approx([-146.69952, -108.16672, -80.76782], abs=1e-5)
    assert states == pytest.approx([-72.24894, -40.66484], abs=1e-5)

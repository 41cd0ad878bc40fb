"""Point groups, and clusters that have one."""

from __future__ import annotations

import numpy as np
import pytest

from reachbox.landscape import LennardJones, Minimiser, minimise
from reachbox.landscape.energy.point_groups import CLOSEST, PointGroup, _groups, _orbit, symmetric_atoms


@pytest.mark.parametrize("order", range(1, 9))
def test_operations_form_a_group(order: int) -> None:
    sizes = [len(group.operations) for group in _groups(order)]
    assert sizes == [order, *[2 * order] * 4, *[4 * order] * 2]
    for group in _groups(order):
        products = np.einsum("aij,bjk->abik", group.operations, group.operations)
        apart = np.abs(products[:, :, None] - group.operations).max(axis=(3, 4))
        assert (apart.min(axis=2) < 1e-9).all()  # each product is an operation
        assert (np.sort(np.argmin(apart, axis=2), axis=1) == np.arange(len(group.operations))).all()


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_an_operation_leaves_its_projections_where_they_are_and_orbits_as_a_whole(order: int) -> None:
    generator = np.random.default_rng(order)
    for group in _groups(order):
        for operation, projection in zip(group.operations, group.projections, strict=True):
            assert np.allclose(operation @ projection, projection)
            assert np.allclose(projection @ projection, projection)
        orbit = _orbit(group, generator.standard_normal(3), generator)
        assert len(group.operations) % len(orbit) == 0
        for operation in group.operations:
            apart = np.linalg.norm((orbit @ operation.T)[:, None] - orbit, axis=2)
            assert apart.min(axis=1) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("atoms", [3, 7, 13])
def test_symmetric_clusters_are_whole_and_open(atoms: int) -> None:
    generator = np.random.default_rng(atoms)
    alike = 0
    for _ in range(100):
        places = symmetric_atoms(atoms, atoms ** (1 / 3), generator)
        apart = np.sort(np.linalg.norm(places[:, None] - places, axis=2)[np.triu_indices(atoms, 1)])
        assert places.shape == (atoms, 3)
        assert apart[0] > CLOSEST
        alike += bool((np.diff(apart) < 1e-9).any())
    assert alike > 50


def test_a_descent_keeps_the_symmetry() -> None:
    """A mirror plane holds every atom of some: they stay in it."""
    energy, group = LennardJones(5), PointGroup.generated_by(np.diag([1.0, 1.0, -1.0]))
    flat = np.random.default_rng(0).uniform(-1.5, 1.5, (6, 5, 3)) @ group.projections[1]
    found = minimise(energy, flat.reshape(6, 15), Minimiser(max_steps=200))
    assert np.abs(found.points.reshape(6, 5, 3)[:, :, 2]).max() < 1e-9

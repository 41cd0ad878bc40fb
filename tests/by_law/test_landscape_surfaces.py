"""What must hold on every surface: derivatives agree, symmetry keeps the energy, quenches go down."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import nn

from reachbox.landscape import (
    Camelback,
    Energy,
    LennardJones,
    Minimiser,
    ModuleEnergy,
    MuellerBrown,
    PerceptronEnergy,
    ReLU,
    SmoothedReLU,
    Tanh,
    climb,
    eigenvalues,
    hessian,
    lowest_modes,
    minimise,
)
from reachbox.landscape.descent.minimise import descend

DATA = np.random.default_rng(7)
INPUTS, LABELS = DATA.standard_normal((12, 3)), DATA.integers(0, 3, 12)
WIDTHS = (3, 5, 4, 3)
LINEAR = [nn.Linear(fan_in, fan_out) for fan_in, fan_out in ((3, 5), (5, 4), (4, 3))]


def module(activation: nn.Module) -> nn.Module:
    return nn.Sequential(LINEAR[0], activation, LINEAR[1], activation, LINEAR[2])


SURFACES: dict[str, Energy] = {
    "camelback": Camelback(),
    "mueller brown": MuellerBrown(),
    "cluster": LennardJones(6),
    "tanh": PerceptronEnergy(WIDTHS, Tanh(), INPUTS, LABELS),
    "relu": PerceptronEnergy(WIDTHS, ReLU(), INPUTS, LABELS),
    "smoothed relu": PerceptronEnergy(WIDTHS, SmoothedReLU(0.5), INPUTS, LABELS, biases_count=False),
    "binary": PerceptronEnergy((3, 4, 1), Tanh(), INPUTS, LABELS % 2),
    "module": ModuleEnergy(nn.Sequential(nn.Linear(3, 2), nn.Softplus(), nn.Linear(2, 3)), INPUTS, LABELS),
}
every_surface = pytest.mark.parametrize("energy", SURFACES.values(), ids=SURFACES.keys())


@every_surface
def test_derivatives_equal_finite_differences(energy: Energy) -> None:
    generator = np.random.default_rng(1)
    points = minimise(energy, energy.random_points(10, generator), Minimiser(max_steps=5)).points
    directions, step = generator.standard_normal(points.shape), 1e-5
    ahead, behind = (energy.value_and_gradient(points + sign * step * directions) for sign in (1, -1))
    _, gradients = energy.value_and_gradient(points)
    slope = (ahead[0] - behind[0]) / (2 * step)
    assert (gradients * directions).sum(axis=1) == pytest.approx(slope, rel=1e-5, abs=1e-6)
    change, product = (ahead[1] - behind[1]) / (2 * step), energy.hessian_vector(points, directions)
    assert np.abs(product - change).max() <= 1e-4 * np.abs(product).max()


@every_surface
def test_replicas_do_not_meet(energy: Energy) -> None:
    generator = np.random.default_rng(2)
    points = energy.random_points(19, generator)
    vectors = generator.standard_normal(points.shape)
    values, gradients = energy.value_and_gradient(points)
    products = energy.hessian_vector(points, vectors)
    for row in (0, 8, 18):
        value, gradient = energy.value_and_gradient(points[row : row + 1])
        product = energy.hessian_vector(points[row : row + 1], vectors[row : row + 1])
        assert value[0] == pytest.approx(values[row], rel=1e-12)
        assert gradient[0] == pytest.approx(gradients[row], rel=1e-9, abs=1e-12)
        assert product[0] == pytest.approx(products[row], rel=1e-9, abs=1e-12)


@every_surface
def test_quenches_go_down_to_a_small_gradient(energy: Energy) -> None:
    starts = energy.random_points(12, np.random.default_rng(3))
    quench = minimise(energy, starts, Minimiser(rms=1e-5, max_steps=3000, max_step=0.2))
    values, gradients = energy.value_and_gradient(quench.points)
    assert (quench.energies <= energy.value_and_gradient(starts)[0] + 1e-9).all()
    assert values == pytest.approx(quench.energies, rel=1e-12)
    assert np.sqrt(np.square(gradients).mean(axis=1)) == pytest.approx(quench.rms)
    assert (quench.rms[quench.converged] <= 1e-5).all()
    if energy is not SURFACES["relu"]:  # its minima lie on kinks, where no gradient is small
        assert quench.converged.mean() >= 0.5


@pytest.mark.parametrize("network", [name for name, energy in SURFACES.items() if isinstance(energy, PerceptronEnergy)])
def test_a_perceptron_s_descent_in_machine_code_takes_the_same_steps(network: str) -> None:
    energy, options = SURFACES[network], Minimiser(rms=1e-12, max_steps=25)
    starts = energy.random_points(5, np.random.default_rng(6))
    fast = minimise(energy, starts, options)
    plain = descend(lambda points, _: energy.value_and_gradient(points), starts, options)
    assert (fast.evaluations == plain.evaluations).all()
    assert (fast.status == plain.status).all()
    assert fast.energies == pytest.approx(plain.energies, rel=1e-7)
    assert fast.points == pytest.approx(plain.points, rel=1e-5, abs=1e-6)


@every_surface
def test_the_lowest_mode_is_the_hessians(energy: Energy) -> None:
    generator = np.random.default_rng(4)
    points = minimise(energy, energy.random_points(4, generator), Minimiser(max_steps=30)).points
    modes = lowest_modes(energy, points, generator.standard_normal(points.shape), 400, 1e-7)
    lowest = [eigenvalues(energy, point)[0] for point in points]
    assert modes.values == pytest.approx(lowest, rel=1e-5, abs=1e-6)
    assert np.linalg.norm(modes.vectors, axis=1) == pytest.approx(np.ones(4))
    for point, value, vector, residual in zip(points, modes.values, modes.vectors, modes.residuals, strict=True):
        image = hessian(energy, point) @ vector
        free = image - energy.zero_modes(point[None])[0].T @ (energy.zero_modes(point[None])[0] @ image)
        assert np.linalg.norm(free - value * vector) == pytest.approx(residual, abs=1e-6)


@every_surface
def test_no_replicas_are_no_matter(energy: Energy) -> None:
    none = np.zeros((0, energy.dimension))
    assert minimise(energy, none).points.shape == none.shape
    assert climb(energy, none, none).points.shape == none.shape


@pytest.mark.parametrize(("activation", "layer"), [(Tanh(), nn.Tanh()), (ReLU(), nn.ReLU())])
def test_the_closed_form_equals_automatic_differentiation(activation: Tanh | ReLU, layer: nn.Module) -> None:
    closed = PerceptronEnergy(WIDTHS, activation, INPUTS, LABELS, l2=0.01, biases_count=False)
    automatic = ModuleEnergy(module(layer), INPUTS, LABELS, l2=0.01, biases_count=False)
    generator = np.random.default_rng(5)
    points = closed.random_points(9, generator)
    vectors = generator.standard_normal(points.shape)
    for own, other in zip(closed.value_and_gradient(points), automatic.value_and_gradient(points), strict=True):
        assert own == pytest.approx(other, rel=1e-10, abs=1e-12)
    products = automatic.hessian_vector(points, vectors)
    assert closed.hessian_vector(points, vectors) == pytest.approx(products, rel=1e-9, abs=1e-12)


def test_a_module_s_own_parameters_are_a_point() -> None:
    own = module(nn.Tanh())
    energy = ModuleEnergy(own, INPUTS, LABELS, l2=0.0)
    outputs = own.double()(torch.as_tensor(INPUTS))
    expected = nn.functional.cross_entropy(outputs, torch.as_tensor(LABELS))
    assert energy.value_and_gradient(energy.point(own)[None])[0][0] == pytest.approx(float(expected.detach()))


def test_a_moved_turned_mirrored_renumbered_cluster_is_the_same() -> None:
    energy, generator = LennardJones(7), np.random.default_rng(6)
    point = minimise(energy, energy.random_points(1, generator)).points[0]
    atoms = -point.reshape(7, 3)[generator.permutation(7)]
    copy = (atoms @ Rotation.random(rng=generator).as_matrix() + [3.0, -1.0, 2.0]).ravel()
    assert energy.value_and_gradient(copy[None])[0] == pytest.approx(energy.value_and_gradient(point[None])[0])
    assert energy.invariant(copy[None]) == pytest.approx(energy.invariant(point[None]))
    assert energy.align(copy, point) == pytest.approx(point, abs=1e-8)


def test_rigid_motions_are_orthonormal_and_keep_the_energy() -> None:
    energy = LennardJones(6)
    points = minimise(energy, energy.random_points(3, np.random.default_rng(8)), Minimiser(rms=1e-9)).points
    modes = energy.zero_modes(points)
    assert modes @ modes.swapaxes(1, 2) == pytest.approx(np.tile(np.eye(6), (3, 1, 1)), abs=1e-12)
    for mode in range(6):
        assert np.abs(energy.hessian_vector(points, np.ascontiguousarray(modes[:, mode]))).max() < 1e-6


@pytest.mark.parametrize(("activation", "signs"), [(Tanh(), True), (ReLU(), False)])
def test_exchanged_units_are_put_back(activation: Tanh | ReLU, signs: bool) -> None:
    energy, generator = PerceptronEnergy(WIDTHS, activation, INPUTS, LABELS), np.random.default_rng(9)
    point = energy.random_points(1, generator)
    copy = point.copy()
    weights = energy.layout.split(copy)
    for layer, units in ((0, 5), (1, 4)):
        order = generator.permutation(units)
        sign = generator.choice([-1.0, 1.0], units) if signs else np.ones(units)
        weights[2 * layer][0][:] = sign[:, None] * weights[2 * layer][0][order]
        weights[2 * layer + 1][0][:] = sign * weights[2 * layer + 1][0][order]
        weights[2 * layer + 2][0][:] = sign * weights[2 * layer + 2][0][:, order]
    assert energy.value_and_gradient(copy)[0] == pytest.approx(energy.value_and_gradient(point)[0])
    aligned = energy.align(copy[0], point[0])
    assert energy.value_and_gradient(aligned[None])[0] == pytest.approx(energy.value_and_gradient(point)[0])
    assert np.linalg.norm(aligned - point[0]) < 0.5 * np.linalg.norm(copy - point)

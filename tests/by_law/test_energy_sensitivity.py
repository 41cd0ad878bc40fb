"""Fig. 5's statistic on made-up minima, its sensitivities against `reach`, and what refinement tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import reachbox as rb
from reachbox.landscape import Minimiser, PerceptronEnergy, ReLU, Tanh, minimise
from reachbox.studies.energy_sensitivity import Cell, Correlation, Measured, correlation, measured
from reachbox.studies.fig5 import Found
from reachbox.studies.kept import hash_of, kept
from reachbox.studies.refinement import refine
from reachbox.studies.sections.energy_sensitivity import energy_sensitivity_section

DATA = np.random.default_rng(3)
INPUTS = DATA.standard_normal((24, 2))
LABELS = (np.abs(INPUTS).sum(axis=1) > 1).astype(np.int64)
NETWORK = PerceptronEnergy((2, 5, 4, 2), ReLU(), INPUTS, LABELS, l2=0.003)


def exploration(slope: float, seed: int, noise: float = 0.0) -> Measured:
    generator = np.random.default_rng(seed)
    energies = generator.random(20)
    values = slope * energies + noise * generator.standard_normal(20)
    return Measured(energies, values, -values)


def test_sensitivities_are_those_of_the_networks_one_by_one() -> None:
    points = NETWORK.random_points(3, np.random.default_rng(4))
    box = rb.Box.around(torch.as_tensor(INPUTS), 0.1)
    found = measured(NETWORK, points, np.zeros(3), box)
    for row, point in enumerate(points):
        parts = [torch.as_tensor(array[0].copy()) for array in NETWORK.layout.split(point[None])]
        layers = [nn.Linear(weight.shape[1], weight.shape[0]).double() for weight in parts[::2]]
        for layer, weight, bias in zip(layers, parts[::2], parts[1::2], strict=True):
            layer.weight.data, layer.bias.data = weight, bias
        module = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
        volumes = rb.reach(module, box, method="exact").log_volume
        summary = rb.summarise(volumes)
        assert found.log10_geometric_mean[row] == pytest.approx(summary.log_geometric_mean / np.log(10), abs=1e-9)
        assert found.log10_mean[row] == pytest.approx(summary.log_mean / np.log(10), abs=1e-9)


@pytest.mark.parametrize(("slope", "sign"), [(1.0, 1.0), (-2.0, -1.0)])
def test_a_rank_correlation_that_is_plain_is_sure(slope: float, sign: float) -> None:
    found = correlation([exploration(slope, seed) for seed in range(5)], lambda one: one.log10_geometric_mean)
    assert (found.value, found.lower, found.upper) == pytest.approx((sign, sign, sign))
    assert found.minima == 100
    assert found.is_sure
    opposite = correlation([exploration(slope, seed) for seed in range(5)], lambda one: one.log10_mean)
    assert opposite.value == pytest.approx(-sign)


def test_noise_is_not_sure_and_neither_is_a_single_exploration() -> None:
    noisy = correlation([exploration(0.0, seed, noise=1.0) for seed in range(5)], lambda one: one.log10_mean)
    assert noisy.lower < 0 < noisy.upper
    assert not noisy.is_sure
    single = correlation([exploration(1.0, 0)], lambda one: one.log10_geometric_mean)
    assert single.value == pytest.approx(1.0)
    assert np.isnan([single.lower, single.upper]).all()
    assert not single.is_sure


def test_explorations_that_disagree_widen_the_interval() -> None:
    agreeing = [exploration(1.0, seed, noise=0.3) for seed in range(6)]
    mixed = [exploration((-1.0) ** seed, seed, noise=0.3) for seed in range(6)]
    widths = []
    for explorations in (agreeing, mixed):
        found = correlation(explorations, lambda one: one.log10_geometric_mean)
        widths.append(found.upper - found.lower)
    assert widths[1] > 2 * widths[0]


def test_tighter_quenches_leave_fewer_points() -> None:
    starts = NETWORK.random_points(40, np.random.default_rng(5))
    loose = minimise(NETWORK, starts, Minimiser(rms=1e-3, max_steps=1000, max_step=0.5, memory=20))
    points = loose.points[loose.converged]
    rows = list(refine(NETWORK, points))
    assert [row.name.split(",")[0] for row in rows] == ["plain", "plain", "plain", "smoothed"]
    assert rows[0].converged == len(points)
    assert rows[0].median_fall == pytest.approx(0.0, abs=1e-12)
    assert rows[0].converged >= rows[1].converged >= rows[2].converged
    assert rows[3].converged > rows[2].converged


def test_sensitivities_of_tanh_are_by_dual_bounds() -> None:
    energy = PerceptronEnergy((2, 4, 2), Tanh(), INPUTS, LABELS, l2=0.003)
    points = energy.random_points(2, np.random.default_rng(6))
    box = rb.Box.around(torch.as_tensor(INPUTS), 0.1)
    found = measured(energy, points, np.zeros(2), box)
    for row, point in enumerate(points):
        module = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)).double()
        nn.utils.vector_to_parameters(torch.as_tensor(point), module.parameters())
        torch.testing.assert_close(
            module(torch.as_tensor(INPUTS)).log_softmax(1)[range(24), LABELS].mean().item(),
            -energy.value_and_gradient(points)[0][row] + 0.003 * float((point**2).sum()),
        )
        summary = rb.summarise(rb.sensitivity(module, box, "dual"))
        assert found.log10_geometric_mean[row] == pytest.approx(summary.log10_geometric_mean, abs=1e-9)


def test_the_section_counts_what_is_sure_of_each_variant() -> None:
    known = [(0.5, 0.2, 0.7), (-0.4, -0.6, -0.1), (0.1, -0.2, 0.3), (np.nan, np.nan, np.nan)]
    cells = [Cell("raw", 0.1, 30, "mean", Correlation(*values, minima=40)) for values in known]
    cells.append(Cell("standardised", 0.1, 30, "mean", Correlation(0.9, 0.8, 1.0, minima=20)))
    section = energy_sensitivity_section([exploration(1.0, 0)], 0.1, cells)
    assert section.sentence.startswith(
        "Of 5 rank correlations of energy and sensitivity 2 are above 0 beyond doubt, 1 "
    )
    assert section.table is not None
    assert section.table.rows == (("raw", 40, 1, 1, 2, -0.4, 0.5), ("standardised", 20, 1, 0, 0, 0.9, 0.9))
    (every,) = section.figures[1].data
    assert len(every.rows) == len(cells)


def test_what_was_computed_is_kept_by_what_it_is_of(tmp_path: Path) -> None:
    calls: list[int] = []

    def compute() -> dict[str, np.ndarray]:
        calls.append(1)
        return {"value": np.arange(3.0)}

    for number in (1, 1, 2):
        np.testing.assert_array_equal(kept(tmp_path, "things", {"number": number}, compute)["value"], [0, 1, 2])
    assert len(calls) == 2
    assert len({hash_of(np.zeros((2, 3))), hash_of(np.zeros((3, 2))), hash_of(np.zeros((2, 3), np.float32))}) == 3


def test_sensitivities_are_measured_once_for_each_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = NETWORK.random_points(2, np.random.default_rng(5))
    found = Found(NETWORK, points, np.zeros(2), tmp_path)
    narrow, wide = (rb.Box.around(torch.as_tensor(INPUTS), radius) for radius in (0.1, 0.2))
    first, other = found.measured(narrow), found.measured(wide)
    assert (first.log10_mean < other.log10_mean).all()
    monkeypatch.setattr("reachbox.studies.fig5.measured", lambda *_: pytest.fail("measured again"))
    np.testing.assert_array_equal(found.measured(narrow).log10_mean, first.log10_mean)

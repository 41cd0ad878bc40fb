"""Fig. 4: ratios on paper, and a study that goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest

from reachbox.data import load
from reachbox.landscape import Smoothing
from reachbox.studies import fig4, overestimate
from reachbox.studies.chapter import Request
from reachbox.studies.overestimate import Overestimates
from reachbox.studies.sections.overestimate import over_radius_section, overestimate_section

# Two networks, two methods, two samples; the second network's true boxes are all flat.
FOUND = Overestimates(
    energies=np.array([0.1, 0.2]),
    methods=("dual", "lp"),
    log_volumes=np.log(np.array([[[2.0, 4.0], [1.5, 1.5]], [[1.0, 1.0], [1.0, 1.0]]])),
    exact=np.array([[log(1.0), log(2.0)], [-np.inf, -np.inf]]),
    starts=5,
)


def test_the_relative_over_estimate() -> None:
    # The means are 3 and 1.5 against 1.5: over-estimates of 1 and 0; against 0 there is none.
    assert FOUND.relative[0] == pytest.approx([1.0, 0.0], abs=1e-15)
    assert np.isnan(FOUND.relative[1]).all()
    assert (FOUND.undefined_networks, FOUND.flat_samples) == (1, 2)


def test_what_is_undefined_is_counted_and_not_dropped() -> None:
    section = overestimate_section(FOUND, "σ 0.1")
    assert "One network has a true sensitivity of 0" in section.sentence
    assert "Of all 4 true boxes 2 have no volume" in section.sentence
    figure, summary = section.tables
    assert [row[0] for row in figure.rows] == [1, 2]
    assert figure.shown()[1][1] == "undefined"
    assert figure.shown()[0][2] == "0"
    assert [row[-1] for row in summary.rows] == [1, 1]
    assert summary.rows[0][1:5] == pytest.approx((1.0,) * 4)


def test_every_radius_has_a_row() -> None:
    smaller = replace(FOUND, methods=("dual",), log_volumes=np.log(np.array([[[2.0, 1.0]], [[1.0, 1.0]]])))
    section = over_radius_section({0.1: FOUND, 0.01: smaller})
    (table,) = section.tables
    assert table.rows == ((0.01, pytest.approx(0.0), pytest.approx(0.0)), (0.1, pytest.approx(1.0), pytest.approx(1.0)))
    assert "100\u202f% or less at 0.1" in section.sentence


def test_the_study_is_sound_and_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    iris = load("iris")
    few = replace(iris, x_train=iris.x_train[::10], y_train=iris.y_train[::10])
    monkeypatch.setattr(fig4, "load", lambda *_, **__: few)
    monkeypatch.setattr(fig4, "QUICK_NETWORKS", 2)
    monkeypatch.setattr(overestimate, "METHODS", ("dual", "interval", "crown", "lp"))
    monkeypatch.setattr(overestimate, "SMALLER", (0.01,))
    monkeypatch.setattr(overestimate, "SMOOTHING", Smoothing(widths=(1.0, 0.1)))
    told: list[float] = []
    request = Request(tmp_path / "fig4", quick=True, progress=lambda _, share: told.append(share))
    first = fig4.fig4(request)
    assert told == sorted(told)
    kept = sorted(request.folder.iterdir())
    monkeypatch.setattr(overestimate, "follow_minima", lambda *_: pytest.fail("searched again"))
    monkeypatch.setattr(overestimate, "data_sensitivity", lambda *_: pytest.fail("bounded again"))
    second = fig4.fig4(request)
    assert first.sections == second.sections
    assert sorted(request.folder.iterdir()) == kept
    by_method = {row[0]: np.array(row[1:5], dtype=np.float64) for row in first.sections[0].tables[1].rows}
    assert (by_method["lp"] >= 0).all()
    assert (by_method["lp"] <= by_method["dual"]).all()
    (by_radius,) = first.sections[1].tables
    assert [row[0] for row in by_radius.rows] == [0.01, 0.1]
    assert 0 <= by_radius.rows[0][1] < by_radius.rows[1][1]

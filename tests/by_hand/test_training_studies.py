"""The studies of Sec. 6: the paper's figures, the order of methods, fronts, spreads, and trainings that are found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reachbox.data import Dataset, load
from reachbox.report.figures import front
from reachbox.report.spread import Spread, spread_from_log10, spread_percent
from reachbox.studies.chapter import Request
from reachbox.studies.runs import FINAL, Finished, Measured, Plan, finished
from reachbox.studies.tables.experiment import SENSITIVITY_METHODS, plans_of
from reachbox.studies.tables.order import order_sentence
from reachbox.studies.tables.paper import paper_table
from reachbox.studies.wording import trained_on
from reachbox.training import PRESETS, Evaluation, Settings
from reachbox.training.description import describe


def test_the_papers_figures() -> None:
    table = paper_table(1)
    assert table.methods == ("Base", "specM", "jacobM", "SM")
    assert table.metrics == ("CE", "ERR", "ADV_LOSS", "ADV_ERR", "SENSE", "JACOB", "SPECTRAL")
    assert table.value("SM", "ADV_ERR") == 0.1262
    assert table.value("SM", "SENSE") == pytest.approx(3.7427, abs=1e-4)
    assert table.value("recommended", "ERR") is None
    assert [paper_table(number).samples for number in (1, 2, 3)] == ["test", "train", "test"]


def test_the_order_is_told_where_it_differs() -> None:
    table = paper_table(3)
    assert "is the paper's" in order_sentence(table, lambda method, metric: [table.values[method, metric]])

    def swapped(method: str, metric: str) -> list[float]:
        return [-table.values[method, metric] if metric == "ERR" else table.values[method, metric]]

    assert order_sentence(table, swapped, ["SM"]) == order_sentence(table, lambda method, metric: [0.0], ["SM"])
    told = order_sentence(table, swapped)
    assert "in ERR it is K&W, SM, Base, in the paper Base, SM, K&W; in the other columns" in told


def test_a_table_has_the_seeds_asked_for(tmp_path: Path) -> None:
    methods = SENSITIVITY_METHODS.methods[:2]
    asked = plans_of(methods, Request(tmp_path, seed=4, seeds=2))
    assert [(plan.name, plan.seed) for plan in asked] == [("base", 4), ("specm", 4), ("base", 5), ("specm", 5)]
    assert {plan.seed for plan in plans_of(methods, Request(tmp_path))} == {0, 1, 2}
    assert {plan.seed for plan in plans_of(methods, Request(tmp_path, quick=True))} == {0}


def test_a_front_keeps_what_nothing_beats() -> None:
    assert front([(2.0, 2.0), (1.0, 3.0), (2.0, 4.0), (3.0, 2.0)]) == [(1.0, 3.0), (2.0, 2.0)]


def test_a_spread_is_its_mean_with_a_deviation() -> None:
    assert spread_percent(Spread.of([0.01, 0.02, 0.03])) == "2.00\u00a0±\u00a01.00\u202f%"
    assert spread_percent(Spread.of([0.02])) == "2.00\u202f%"
    assert spread_from_log10(Spread.of([3.0, 3.0])).endswith("×÷\u00a01")


@pytest.fixture(scope="module")
def iris() -> Dataset:
    return load("iris")


def trained(iris: Dataset, folder: Path, epochs: int = 2) -> Finished:
    settings = Settings(epochs=epochs, batch_size=50)
    preset = replace(PRESETS["plain"], network="mlp:4", settings=settings)
    evaluation = Evaluation(iris.x_train, iris.y_train, 0.1, ("ERR", "SENSE"))
    measured = Measured({}, {"train": evaluation})
    (found,) = finished([Plan("plain", preset, 3)], iris, measured, Request(folder))
    return found


def test_a_training_is_done_once(iris: Dataset, tmp_path: Path) -> None:
    first = trained(iris, tmp_path)
    written = (first.folder / FINAL).stat().st_mtime_ns
    again = trained(iris, tmp_path)
    assert again == first  # the seconds too: nothing was computed again
    assert (again.folder / FINAL).stat().st_mtime_ns == written
    assert again.folder.name == "plain-3"
    assert trained_on(again) == "CPU"


def test_a_training_on_two_machines_tells_what_each_took(iris: Dataset, tmp_path: Path) -> None:
    run = trained(iris, tmp_path)
    start, first, second = run.history
    moved = replace(run, history=(start, replace(first, device="GPU", cpu_seconds=3.0), replace(second, cpu_seconds=8)))
    assert moved.devices == {"GPU": (3.0,), "CPU": (8,)}
    assert trained_on(moved) == "GPU (1 at 3 s), CPU (1 at 8 s)"


def test_what_a_run_was_begun_with_stays_written(iris: Dataset, tmp_path: Path) -> None:
    file = trained(iris, tmp_path).folder / "run.json"
    begun = json.loads(file.read_text())
    file.write_text(json.dumps({**begun, "versions": {"torch": "another"}}))
    trained(iris, tmp_path)
    assert json.loads(file.read_text())["versions"] == {"torch": "another"}
    trained(iris, tmp_path, epochs=3)
    assert json.loads(file.read_text()) == {**begun, "versions": {"torch": "another"}, "epochs": 3}


def test_as_is_shows_what_is_finished_and_trains_nothing(iris: Dataset, tmp_path: Path) -> None:
    done = trained(iris, tmp_path)
    other = Plan("plain", done.plan.preset, 4)
    unmeasured = replace(done.plan, name="unmeasured")
    evaluation = Evaluation(iris.x_train, iris.y_train, 0.1, ("ERR", "SENSE"))
    finished([unmeasured], iris, Measured({}, {}), Request(tmp_path))
    (tmp_path / "unmeasured-3" / FINAL).unlink()
    plans, measured = [done.plan, other, unmeasured], Measured({}, {"train": evaluation})
    assert finished(plans, iris, measured, Request(tmp_path, as_is=True)) == (done,)
    assert not (tmp_path / "plain-4").exists()


def test_damaged_final_metrics_are_measured_again(iris: Dataset, tmp_path: Path) -> None:
    first = trained(iris, tmp_path)
    (first.folder / FINAL).write_text("{")
    assert trained(iris, tmp_path) == first


def test_metrics_of_other_weights_are_not_taken(iris: Dataset, tmp_path: Path) -> None:
    first = trained(iris, tmp_path)
    longer = trained(iris, tmp_path, epochs=40)
    assert longer.metrics != first.metrics


def test_samples_that_changed_are_described_anew() -> None:
    samples = torch.zeros(3)
    before = describe(samples)
    assert describe(samples) == before
    samples.add_(1)
    assert describe(samples) != before

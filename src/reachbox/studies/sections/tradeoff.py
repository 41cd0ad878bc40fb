"""Clean error against proven error: every method's points, their fronts, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from reachbox.report import Column, Section, Table
from reachbox.report.canvas import tick
from reachbox.report.figures import Axis, fronts
from reachbox.report.numbers import count, from_log10, number, percent
from reachbox.report.section import Figure
from reachbox.report.table import Cell
from reachbox.studies.runs import Finished
from reachbox.studies.wording import trained_on

OURS = "sensitivity"
FRONTS = "Every point is a training with another weight; the lines are each method's front."
Runs = Mapping[str, Mapping[float, Finished]]


def tradeoff_section(runs: Runs, words: Mapping[str, str], samples: int, radius: str) -> Section:
    """The fronts of ADV_ERR, PGD_ERR, SENSE and time over ERR, and every run."""
    where = f"{samples} test samples, {radius}"
    share = Axis("ERR, %", _percent_tick)
    return Section(
        "The trade-off",
        " ".join(filter(None, (FRONTS, _best(runs), _beaten(runs)))),
        terms=tuple(words.items()),
        figures=(
            _figure("tradeoff-adv-err", f"Proven error over clean error on {where}.", runs, "ADV_ERR", share),
            _figure("tradeoff-pgd-err", f"Error under attack over clean error on {where}.", runs, "PGD_ERR", share),
            _figure("tradeoff-sense", f"Sensitivity over clean error on {where}.", runs, "SENSE", share),
            _time_figure(runs),
        ),
        table=_table(runs),
    )


def _percent_tick(value: float, _position: int) -> str:
    return tick(100 * value)


def _best(runs: Runs) -> str:
    """Each method's point of least proven error."""
    parts = []
    for method, points in runs.items():
        run = min(points.values(), key=lambda run: run.metrics["test_ADV_ERR"])
        parts.append(f"{method} {percent(run.metrics['test_ADV_ERR'], 2)} at {percent(run.metrics['test_ERR'], 2)}")
    return f"The least ADV_ERR, and the ERR it comes with: {', '.join(parts)}."


def _beaten(runs: Runs) -> str:
    """How the points of sensitivity stand to those of every other method, by ERR and ADV_ERR together."""
    own = [_errors(run) for run in runs.get(OURS, {}).values()]
    others = {method: [_errors(run) for run in points.values()] for method, points in runs.items() if method != OURS}
    if not own or not others:
        return ""
    beats = ", ".join(
        f"{sum(any(_is_better(one, point) for one in own) for point in points)} of {len(points)} of {method}"
        for method, points in others.items()
    )
    back = {
        method: sum(any(_is_better(point, one) for point in points) for one in own) for method, points in others.items()
    }
    beaten = ", ".join(f"{method} {number} of its {len(own)}" for method, number in back.items() if number)
    return f"Lower in both is a point of {OURS} than {beats}; the other way round {beaten or 'none'}."


def _errors(run: Finished) -> tuple[float, float]:
    return run.metrics["test_ERR"], run.metrics["test_ADV_ERR"]


def _is_better(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] < other[0] and one[1] < other[1]


def _figure(name: str, caption: str, runs: Runs, metric: str, share: Axis) -> Figure:
    y = Axis("log10 SENSE", tick) if metric == "SENSE" else Axis(f"{metric}, %", _percent_tick, by_factors=True)
    series = {
        method: {number(w): (run.metrics["test_ERR"], run.metrics[f"test_{metric}"]) for w, run in points.items()}
        for method, points in runs.items()
    }
    return fronts(name, caption, series, x=share, y=y)


def _time_figure(runs: Runs) -> Figure:
    series = {
        method: {number(w): (run.cpu_seconds, run.metrics["test_ADV_ERR"]) for w, run in points.items()}
        for method, points in runs.items()
    }
    x, y = Axis("CPU seconds an epoch", by_factors=True), Axis("ADV_ERR, %", _percent_tick, by_factors=True)
    return fronts(
        "tradeoff-time",
        "Proven error over the time of an epoch; times of different machines, as the table names them, do not compare.",
        series,
        x=x,
        y=y,
    )


def _table(runs: Runs) -> Table:
    columns = [Column("method", "method"), Column("weight", "weight", number), Column("run folder", "folder")]
    columns += [Column(error, error, partial(percent, decimals=2)) for error in ("ERR", "PGD_ERR", "ADV_ERR")]
    columns += [Column("SENSE", "log10 SENSE", from_log10), Column("epochs", "epochs", count)]
    columns += [Column("CPU s an epoch", "cpu_seconds_per_epoch", number), Column("trained on", "trained_on")]
    errors = ("ERR", "PGD_ERR", "ADV_ERR", "SENSE")
    rows: list[list[Cell]] = [
        [
            method,
            weight,
            run.folder.name,
            *(run.metrics[f"test_{error}"] for error in errors),
            run.plan.preset.settings.epochs,
            run.cpu_seconds,
            trained_on(run),
        ]
        for method, points in runs.items()
        for weight, run in points.items()
    ]
    return Table("tradeoff", columns, rows)

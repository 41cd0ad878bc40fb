"""One of the paper's tables with its figures below ours, the runs behind it, and the curves that led there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite, log10
from typing import Any

from reachbox.report import Column, Section, Table
from reachbox.report.figures import Panel, panels
from reachbox.report.figures.panels import LINEAR, LOGARITHM, SHARE
from reachbox.report.numbers import count
from reachbox.report.section import Figure
from reachbox.report.spread import Spread, spread_from_log10, spread_number, spread_percent
from reachbox.report.table import Cell
from reachbox.studies.runs import Finished
from reachbox.studies.tables.experiment import Trained, described_methods
from reachbox.studies.tables.order import order_sentence
from reachbox.studies.tables.paper import PaperTable
from reachbox.studies.wording import trained_on
from reachbox.training.presets import CHOICES

SHOWN: dict[str, Callable[[Any], str]] = {
    "ERR": spread_percent,
    "ADV_ERR": spread_percent,
    "PGD_ERR": spread_percent,
    "SENSE": spread_from_log10,
}
SCALES = {"ERR": SHARE, "ADV_ERR": SHARE, "SENSE": LOGARITHM, "ADV_LOSS": LOGARITHM, "JACOB": LINEAR}


def table_section(table: PaperTable, trained: Trained) -> Section:
    """The table itself: for every method of the paper a row of ours and the paper's."""
    values = {"test": len(trained.dataset.y_test), "train": len(trained.dataset.y_train)}[table.samples]
    sentence = (
        f"Every method starts from the same weights and sees the same mini-batches of {trained.dataset.name}; measured "
        f"on {values} {_samples(table)} samples, {_spread(trained)}. {_caution(trained)}{_order(table, trained)}"
    )
    return Section(
        f"Table {table.number}",
        sentence,
        terms=described_methods(trained.methods),
        table=_table(table, trained),
    )


def _spread(trained: Trained) -> str:
    """Over how many seeds the numbers are."""
    counts = [len(runs) for runs in trained.runs.values()]
    least, most = min(counts), max(counts)
    if most == 1:
        return "one seed"
    seeds = f"{most}" if least == most else f"{least} to {most}"
    return f"the mean of {seeds} seeds ± their standard deviation (of SENSE the geometric mean, times or divided by)"


def _caution(trained: Trained) -> str:
    """What a quick look, or an experiment that is not done, is not."""
    if trained.missing:
        return f"Not trained yet: {', '.join(trained.missing)}. "
    if trained.dataset.name == "mnist":
        return ""
    return "The paper's figures are of whole MNIST and many more steps: here the order matters, not the size. "


def _samples(table: PaperTable) -> str:
    return "training" if table.samples == "train" else table.samples


def _order(table: PaperTable, trained: Trained) -> str:
    return order_sentence(
        table, lambda method, metric: trained.values(method, f"{table.samples}_{metric}"), list(trained.runs)
    )


def _table(table: PaperTable, trained: Trained) -> Table:
    metrics = (*table.metrics, "PGD_ERR")
    columns = [Column("method", "method"), Column("", "whose")]
    columns += [Column(metric, _field(metric), SHOWN.get(metric, spread_number)) for metric in metrics]
    columns.append(Column("CPU s an epoch", "cpu_seconds_per_epoch", spread_number))
    rows: list[list[Cell]] = []
    for method in trained.methods:
        own = [Spread.of(trained.values(method.name, f"{table.samples}_{metric}")) for metric in metrics]
        seconds = Spread.of([run.cpu_seconds for run in trained.runs[method.name]])
        rows.append([method.name, "here", *own, seconds])
        if method.name in table.methods:
            rows.append([method.name, "paper", *(table.value(method.name, metric) for metric in metrics), None])
    return Table(f"table{table.number}", columns, rows)


def _field(metric: str) -> str:
    return "log10 SENSE" if metric == "SENSE" else metric


def runs_section(table: PaperTable, trained: Trained) -> Section:
    """Every run by itself, with the folder that holds its configuration, its epochs and its metrics."""
    metrics = [f"{table.samples}_{metric}" for metric in (*table.metrics, "PGD_ERR")]
    runs = [(method.name, run) for method in trained.methods for run in trained.runs[method.name]]
    columns = [Column("method", "method"), Column("seed", "seed", count), Column("run folder", "folder")]
    columns += [
        Column(name.partition("_")[2], name, SHOWN.get(name.partition("_")[2], spread_number)) for name in metrics
    ]
    columns += [Column("minutes", "minutes", spread_number), Column("CPU minutes", "cpu_minutes", spread_number)]
    columns.append(Column("trained on", "device"))
    rows: list[list[Cell]] = [
        [name, run.plan.seed, _folder(run), *(run.metrics[metric] for metric in metrics), *_time(run)]
        for name, run in runs
    ]
    return Section(
        f"Where the numbers of Table {table.number} come from",
        "Each run has a folder with its configuration, seed and versions (run.json), a row for every epoch "
        "(metrics.csv), the final metrics (final.json) and the network. A folder's name ends with the seed. Minutes "
        "are of training alone, beside whatever else the machine did.",
        table=Table(f"table{table.number}-runs", columns, rows),
    )


def _folder(run: Finished) -> str:
    return f"{run.folder.parent.name}/{run.folder.name}"


def _time(run: Finished) -> tuple[float, float, str]:
    """Elapsed and CPU minutes of the training, and what it ran on."""
    return run.seconds / 60, run.cpu_seconds * (len(run.history) - 1) / 60, trained_on(run)


def curves_section(title: str, name: str, samples: Sequence[str], metrics: Sequence[str], trained: Trained) -> Section:
    """Every metric over the epochs: one figure for each kind of samples."""
    return Section(
        title,
        "Lines are means over the seeds, bands reach from the least to the most. Sensitivity and the adversarial loss "
        "have logarithmic axes.",
        figures=tuple(_curves(f"{name}-{on}", on, metrics, trained) for on in samples),
    )


def _curves(name: str, on: str, metrics: Sequence[str], trained: Trained) -> Figure:
    epochs = [epoch.number for epoch in next(iter(trained.runs.values()))[0].history]
    first = min(trained.watched, len(trained.dataset.y_test if on == "test" else trained.dataset.y_train))
    return panels(
        name,
        f"On the first {first} {'test' if on == 'test' else 'training'} samples, at the end of each epoch.",
        [_panel(metric, on, trained) for metric in metrics],
        positions=epochs[1:],
        position_label="epoch",
    )


def _panel(metric: str, on: str, trained: Trained) -> Panel:
    scale = SCALES.get(metric, LINEAR)
    series = {
        method.name: [
            [_scaled(epoch.metrics[f"{on}_{metric}"], metric) for epoch in run.history[1:]]
            for run in trained.runs[method.name]
        ]
        for method in trained.methods
    }
    values = [value for runs in series.values() for run in runs for value in run if isfinite(value)]
    return Panel(metric, series, scale, _top(metric, values))


def _scaled(value: float, metric: str) -> float:
    """SENSE is a decimal logarithm already; the adversarial loss becomes one."""
    return log10(value) if metric == "ADV_LOSS" and 0 < value < inf else value


def _top(metric: str, values: Sequence[float]) -> float | None:
    """Errors and losses begin far above where they end: the axis shows up to four times the median."""
    if metric not in ("CE", "ERR") or not values:
        return None
    return min(max(values), 4 * sorted(values)[len(values) // 2])


def choices_section() -> Section:
    """What the paper leaves open, what was taken, and why."""
    return Section(
        "What the paper leaves open",
        "Each choice stands in one place of the code, with its reason.",
        terms=tuple((choice.about, f"{choice.taken}: {choice.reason}.") for choice in CHOICES),
    )

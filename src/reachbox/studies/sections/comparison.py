"""Networks trained by several objectives, side by side: how their boxes grew, and what that means for errors."""

from __future__ import annotations

from collections.abc import Sequence

from reachbox.data import Dataset
from reachbox.report import Column, Highlight, Section, Table
from reachbox.report.figures import bars, curves, dots
from reachbox.report.numbers import from_log10, number, percent
from reachbox.report.section import Figure
from reachbox.studies.comparison import Trained
from reachbox.studies.sections.words import METRICS

ERRORS = {
    "ERR": "ERR: wrong on the sample as it is",
    "PGD_ERR": "PGD_ERR: wrong somewhere in the box, found by attack",
    "ADV_ERR": "ADV_ERR: not proven right everywhere in the box",
}


def comparison_highlights(baseline: Trained, other: Trained, radius: str) -> tuple[Highlight, ...]:
    """What `other` gained and lost against `baseline`, in four numbers; `radius` is where it was measured, in words."""
    before, after = baseline.metrics, other.metrics
    orders = before["SENSE_geometric_mean"] - after["SENSE_geometric_mean"]
    outputs = len(other.mean_width)
    return (
        Highlight(
            f"{from_log10(abs(orders))} ×",
            f"{_word(orders, 'smaller', 'larger')} output boxes (geometric mean, {radius})",
        ),
        Highlight(
            f"{from_log10(abs(orders) / outputs)} ×",
            f"{_word(orders, 'narrower', 'wider')} sides, over {outputs} outputs",
        ),
        Highlight(percent(after["ERR"]), f"wrong (ERR), {percent(before['ERR'])} with {baseline.name} training"),
        Highlight(
            percent(after["ADV_ERR"]),
            f"not proven (ADV_ERR), {percent(before['ADV_ERR'])} with {baseline.name} training",
        ),
    )


def comparison_sections(trained: Sequence[Trained], dataset: Dataset, radius: str) -> tuple[Section, ...]:
    """Sensitivity over the epochs, errors with all metrics, and widths output by output."""
    samples = f"{len(dataset.y_test)} test samples of {dataset.name}"
    return (
        Section(
            "Sensitivity while a network trains",
            "These networks begin with the same weights and see the same mini-batches. They differ in what they "
            f"minimise. {_course(trained)}",
            terms=tuple((network.name, network.words) for network in trained),
            figures=(_sensitivity_figure(trained, samples, radius),),
        ),
        Section(
            "What smaller boxes are worth",
            f"{_errors(trained)} The table has every metric on the {samples}, at a radius of {radius}.",
            terms=METRICS,
            figures=(_error_figure(trained, samples, radius),),
            table=_metrics_table(trained),
        ),
        Section(
            "Where the boxes shrink",
            "A volume hides which of its sides is long. Here is each side by itself.",
            figures=(_width_figure(trained, dataset, samples, radius),),
        ),
    )


def _word(orders: float, less: str, more: str) -> str:
    return less if orders >= 0 else more


def _course(trained: Sequence[Trained]) -> str:
    """Where each network's sensitivity began and ended."""
    begun = from_log10(_untrained(trained))
    ends = _listed([f"{from_log10(t.history[-1].metrics['SENSE_geometric_mean'])} ({t.name})" for t in trained])
    epochs = trained[0].history[-1].number
    return f"Untrained, a typical output box has a volume of {begun}; after {epochs} epochs {ends}."


def _untrained(trained: Sequence[Trained]) -> float:
    """Decimal logarithm of the sensitivity that all of them began with."""
    return trained[0].history[0].metrics["SENSE_geometric_mean"]


def _errors(trained: Sequence[Trained]) -> str:
    parts = [f"{percent(t.metrics['PGD_ERR'])} and {percent(t.metrics['ADV_ERR'])} ({t.name})" for t in trained]
    return f"An adversary inside the boxes brings the error to somewhere between {_listed(parts)}."


def _listed(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def _sensitivity_figure(trained: Sequence[Trained], samples: str, radius: str) -> Figure:
    lowest = min(t.history[-1].metrics["SENSE_geometric_mean"] for t in trained) - 2
    begun = _untrained(trained)
    below = f" The axis leaves out the first epochs, which begin at {from_log10(begun)}." if begun < lowest else ""
    return curves(
        "sensitivity-over-epochs",
        f"Geometric mean of the sensitivity of {samples} at the end of each epoch, by dual bounds, {radius}.{below}",
        {t.name: [epoch.metrics["SENSE_geometric_mean"] for epoch in t.history] for t in trained},
        positions=[epoch.number for epoch in trained[0].history],
        position_label="epoch",
        value_label="sensitivity: volume of the output box",
        lowest=lowest,
    )


def _error_figure(trained: Sequence[Trained], samples: str, radius: str) -> Figure:
    return bars(
        "errors",
        f"Share of the {samples}, {radius}. ERR is counted, PGD_ERR is attained, ADV_ERR is proven.",
        list(ERRORS.values()),
        {t.name: [t.metrics[error] for error in ERRORS] for t in trained},
        value_label="share of the test samples, %",
    )


def _metrics_table(trained: Sequence[Trained]) -> Table:
    columns = [
        Column("", "network"),
        *(Column(error, error, percent) for error in ERRORS),
        Column("SENSE", "log10 SENSE mean", from_log10),
        Column("median", "log10 SENSE median", from_log10),
        Column("geom. mean", "log10 SENSE geometric mean", from_log10),
        Column("CE", "CE", number),
    ]
    fields = (*ERRORS, "SENSE", "SENSE_median", "SENSE_geometric_mean", "CE")
    return Table("metrics", columns, [(t.name, *(t.metrics[field] for field in fields)) for t in trained])


def _width_figure(trained: Sequence[Trained], dataset: Dataset, samples: str, radius: str) -> Figure:
    return dots(
        "width-of-each-output",
        f"Mean side of the output box over the {samples}, by dual bounds, {radius}, for the output of each class.",
        dataset.class_names,
        {t.name: t.mean_width.tolist() for t in trained},
        group_label="class",
        value_label="side of the output box (logits)",
    )

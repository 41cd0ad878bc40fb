"""Sensitivity over the epochs, optimiser by optimiser: plain on the left, with the sensitivity term on the right."""

from __future__ import annotations

from collections.abc import Mapping

from reachbox.report import Column, Section, Table
from reachbox.report.figures import Panel, panels
from reachbox.report.figures.panels import LOGARITHM
from reachbox.report.numbers import count, from_log10, number, percent
from reachbox.studies.runs import Finished


def fig6_section(
    plain: Mapping[str, Finished], with_term: Mapping[str, Finished], samples: int, radius: str, weight: float
) -> Section:
    """The two panels, and where every training began, peaked and ended."""
    rises = sum(_course(run)[-1] > min(_course(run)[1:]) + 0.1 for run in plain.values())
    groups = {"plain training": plain, "with the sensitivity term": with_term}
    positions = [epoch.number for epoch in next(iter(plain.values())).history]
    caption = f"Mean exact sensitivity of the {count(samples)} samples of Iris at the end of each epoch, {radius}."
    charts = [Panel(title, {n: [_course(run)] for n, run in runs.items()}, LOGARITHM) for title, runs in groups.items()]
    return Section(
        "Figure 6: sensitivity while a network trains",
        f"A task's loss alone does not keep boxes small: {rises} of {len(plain)} plain trainings end above the least "
        f"sensitivity that they had after an epoch. With {number(weight, 1)} times the geometric mean of the widths "
        "(dual bounds) added, the same trainings, from the same weights and on the same mini-batches, end as the table "
        "shows.",
        figures=(panels("figure-6", caption, charts, positions=positions, position_label="epoch"),),
        table=_table(groups),
    )


def _course(run: Finished) -> list[float]:
    return [epoch.metrics["train_SENSE"] for epoch in run.history]


def _table(groups: Mapping[str, Mapping[str, Finished]]) -> Table:
    columns = [Column("training", "training"), Column("optimiser", "optimiser"), Column("run folder", "folder")]
    columns += [Column(words, f"log10 SENSE {words}", from_log10) for words in ("untrained", "least", "ends")]
    columns.append(Column("ERR at the end", "ERR", percent))
    rows = [
        (
            title, name, run.folder.name, _course(run)[0], min(_course(run)[1:]), _course(run)[-1],
            run.history[-1].metrics["train_ERR"],
        )
        for title, runs in groups.items()
        for name, run in runs.items()
    ]  # fmt: skip
    return Table("figure-6-runs", columns, rows)

"""Energy against sensitivity as a section: the scatter, every correlation with its interval, and who agrees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from reachbox.report import Column, Section, Table, canvas
from reachbox.report.figures import Estimate, estimates
from reachbox.report.numbers import count, from_log10, number
from reachbox.report.palette import series_colour
from reachbox.report.section import Figure
from reachbox.studies.energy_sensitivity import Cell, Measured
from reachbox.studies.sections.landscape import energy


def energy_sensitivity_section(shown: Sequence[Measured], sigma: float, cells: Sequence[Cell]) -> Section:
    """The scatter of the paper's variant at `sigma` on all samples, all correlations, and a row for each variant."""
    return Section(
        "Are lower minima less sensitive?",
        f"{_verdict(cells)} A correlation above 0 is the paper's claim. Intervals are by bootstrap over independent "
        "explorations, since minima of one exploration are not independent.",
        figures=(scatter(shown, "fig5", sigma, "exact boxes"), _correlations(cells)),
        table=_variants(cells),
    )


def scatter(
    explorations: Sequence[Measured], name: str, sigma: float, boxes: str, model: Measured | None = None
) -> Figure:
    """Every minimum at its energy and the geometric mean of its boxes' volumes, a colour an exploration.

    `boxes` tells which they are. A `model` is set among them as a star.
    """

    def draw(sheet: Any, is_narrow: bool) -> None:
        axes = sheet.add_subplot()
        for index, one in enumerate(explorations):
            known = np.isfinite(one.log10_geometric_mean)
            axes.scatter(
                one.energies[known], one.log10_geometric_mean[known], s=22, color=series_colour(index), linewidths=0,
                label=f"exploration {index + 1}" if len(explorations) > 1 else "minima",
            )  # fmt: skip
        if model is not None:
            place = (model.energies, model.log10_geometric_mean)
            axes.scatter(*place, s=120, marker="*", color=series_colour(len(explorations)), label="the model")
        axes.yaxis.set_major_formatter(lambda value, _: from_log10(value))
        axes.set_xlabel("energy")
        axes.set_ylabel("sensitivity (geometric mean)")
        axes.grid(axis="y")
        canvas.legend_above(axes, columns=canvas.legend_columns(len(explorations), is_narrow))

    columns = (
        Column("exploration", "exploration", count),
        Column("energy", "energy", energy),
        Column("geometric mean", "log10 geometric mean", from_log10),
        Column("mean", "log10 mean", from_log10),
    )
    numbered = [(index + 1, one) for index, one in enumerate(explorations)]
    rows = [
        (which, float(height), float(geometric), float(mean))
        for which, one in (*numbered, *([] if model is None else [(None, model)]))
        for height, geometric, mean in zip(one.energies, one.log10_geometric_mean, one.log10_mean, strict=True)
    ]
    caption = f"Each dot is a minimum: its energy, and the volume of its output boxes ({boxes}) at sigma {sigma:g}."
    return canvas.figure(caption, Table(name, columns, rows), draw, wide=(720, 420))


def _correlations(cells: Sequence[Cell]) -> Figure:
    """Every correlation with its interval, variant below variant."""
    groups = {
        variant: [_estimate(cell) for cell in sorted(own, key=lambda cell: (_kind(cell), cell.sigma))]
        for variant, own in _by_variant(cells).items()
    }
    sigmas = ", ".join(f"{sigma:g}" for sigma in dict.fromkeys(cell.sigma for cell in cells))
    caption = (
        f"Every rank correlation with its interval; in each colour, from above, at sigma {sigmas}. Filled where the "
        "interval leaves 0 out."
    )
    return estimates(caption, groups, "rank correlation of energy and sensitivity", _table(cells))


def _estimate(cell: Cell) -> Estimate:
    found = cell.correlation
    return Estimate(_kind(cell), found.value, found.lower, found.upper, found.is_sure)


def _kind(cell: Cell) -> str:
    return f"{cell.mean}, {cell.samples} samples"


def _by_variant(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.variant, []).append(cell)
    return found


def _variants(cells: Sequence[Cell]) -> Table:
    """How many of each variant's correlations are sure, and between which two they all lie."""
    columns = (
        Column("variant", "variant"),
        Column("points", "points", count),
        Column("above 0", "above", count),
        Column("below 0", "below", count),
        Column("open", "open", count),
        Column("least", "least", number),
        Column("greatest", "greatest", number),
    )
    return Table("fig5-variants", columns, [_variant(name, own) for name, own in _by_variant(cells).items()])


def _variant(name: str, cells: Sequence[Cell]) -> tuple[str | int | float | None, ...]:
    known = [cell.correlation.value for cell in cells if not np.isnan(cell.correlation.value)]
    ends = (min(known), max(known)) if known else (None, None)
    return (name, cells[0].correlation.minima, *_counts(cells), *ends)


def _table(cells: Sequence[Cell]) -> Table:
    columns = (
        Column("variant", "variant"),
        Column("sigma", "sigma", number),
        Column("samples", "samples", count),
        Column("over samples", "over_samples"),
        Column("minima", "minima", count),
        Column("correlation", "correlation", number),
        Column("from", "lower", number),
        Column("to", "upper", number),
    )
    rows = [
        (
            cell.variant, cell.sigma, cell.samples, cell.mean, cell.correlation.minima,
            *(_cell(value) for value in (cell.correlation.value, cell.correlation.lower, cell.correlation.upper)),
        )
        for cell in cells
    ]  # fmt: skip
    return Table("fig5-correlations", columns, rows)


def _cell(value: float) -> float | None:
    return None if np.isnan(value) else value


def _verdict(cells: Sequence[Cell]) -> str:
    """In how many cells the claim holds, is contradicted, or stays open."""
    above, below, left = map(count, _counts(cells))
    which = f"{above} are above 0 beyond doubt, {below} below, {left} open"
    return f"Of {count(len(cells))} rank correlations of energy and sensitivity {which}."


def _counts(cells: Sequence[Cell]) -> tuple[int, int, int]:
    """How many are surely above 0, surely below, and open."""
    sure = [cell.correlation.value for cell in cells if cell.correlation.is_sure]
    above = sum(value > 0 for value in sure)
    return above, len(sure) - above, len(cells) - len(sure)

"""The paper's Fig. 4: every method's over-estimate of the sensitivity, network by network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reachbox.report import Column, Section, Table, canvas
from reachbox.report.figures import curves
from reachbox.report.numbers import THIN_SPACE, count, number
from reachbox.report.section import Figure
from reachbox.studies.overestimate import Overestimates


def overestimate_section(found: Overestimates, radius: str) -> Section:
    """The sentence, the figure and the table; `radius` in words."""
    return Section(
        "What the bounds add to the true sensitivity",
        f"{_finding(found)} {_zeros(found)}",
        figures=(_figure(found, radius),),
        table=_table(found),
    )


def over_radius_section(found: Mapping[float, Overestimates]) -> Section:
    """How the over-estimate depends on the radius: a row for each sigma."""
    smallest, largest = min(found), max(found)
    medians = [_percent(float(np.median(found[sigma].defined("dual")))) for sigma in (smallest, largest)]
    methods = found[smallest].methods
    columns = [Column("sigma", "sigma", canvas.tick)]
    for method in methods:
        columns += [
            Column(f"{method}, median", f"{method} median", _percent),
            Column(f"{method}, largest", f"{method} largest", _percent),
        ]
    rows = []
    for sigma in sorted(found):
        values = [found[sigma].defined(method) for method in methods]
        rows.append((sigma, *(float(end) for own in values for end in (np.median(own), own.max()))))
    return Section(
        "The over-estimate at smaller radii",
        f"Half of the networks are over-estimated by {medians[0]} or less by the dual bound at sigma {smallest:g}, and "
        f"by {medians[1]} or less at {largest:g}.",
        table=Table("overestimates-by-radius", columns, rows),
    )


def _finding(found: Overestimates) -> str:
    dual, lp = (found.defined(method) for method in ("dual", "lp"))
    return (
        f"The sensitivity of {count(len(found.energies))} networks, each a minimum of the Iris landscape, by every "
        f"method against the true one, which the paper took from Reluplex and the exact box gives here. Half of the "
        f"networks are over-estimated by {_percent(float(np.median(dual)))} or less by the dual bound, and by "
        f"{_percent(float(np.median(lp)))} or less by the linear program that it stems from; at worst it is "
        f"{_percent(float(dual.max()))} and {_percent(float(lp.max()))}. The paper's Fig. 4, at a radius that it "
        f"does not state, calls the over-estimate of most networks insignificant."
    )


def _zeros(found: Overestimates) -> str:
    undefined, flat = found.undefined_networks, found.flat_samples
    networks = {0: "No network has", 1: "One network has"}.get(undefined, f"{count(undefined)} networks have")
    boxes = f"Of all {count(found.exact.size)} true boxes {count(flat)} have no volume, and count as 0 in the means."
    if flat == 0:
        boxes = f"All {count(found.exact.size)} true boxes have a volume."
    return f"{networks} a true sensitivity of 0, where the ratio is undefined. {boxes}"


def _figure(found: Overestimates, radius: str) -> Figure:
    with np.errstate(divide="ignore"):
        logs = np.log10(np.maximum(found.relative, 0.0))
    return curves(
        "overestimates",
        f"(S − S exact) / S exact for the mean volume over all samples, {radius}. Each column of points is a network, "
        "the lowest minimum first; a point at the floor is an over-estimate of 0.",
        {method: logs[:, index].tolist() for index, method in enumerate(found.methods)},
        positions=range(1, len(found.energies) + 1),
        position_label="network, by rising energy",
        value_label="relative over-estimate of the sensitivity",
        is_joined=False,
    )


def _table(found: Overestimates) -> Table:
    columns = [
        Column("method", "method"),
        Column("smallest", "smallest", _percent),
        Column("median", "median", _percent),
        Column("9 of 10 below", "90th percentile", _percent),
        Column("largest", "largest", _percent),
        Column("undefined", "undefined networks", count),
    ]
    rows = []
    for method in found.methods:
        quantiles = np.quantile(found.defined(method), (0.0, 0.5, 0.9, 1.0)).tolist()
        rows.append((method, *quantiles, found.undefined_networks))
    return Table("overestimates-by-method", columns, rows)


def _percent(share: float) -> str:
    """Three digits: over-estimates span five orders of magnitude."""
    return f"{number(100 * share, 3)}{THIN_SPACE}%"

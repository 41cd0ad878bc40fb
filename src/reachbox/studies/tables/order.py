"""Whether the methods stand in the paper's order, column by column, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from reachbox.studies.tables.paper import PaperTable


def order_sentence(
    table: PaperTable, values: Callable[[str, str], Sequence[float]], methods: Sequence[str] | None = None
) -> str:
    """Where the order of the paper's methods differs, best first; `values(method, metric)` are ours.

    `methods` are those that we have, all of the table's without it.
    """
    known = [method for method in table.methods if methods is None or method in methods]
    differing = []
    for metric in table.metrics:
        ours = _order(known, {method: fmean(values(method, metric)) for method in known})
        theirs = _order(known, {method: table.values[method, metric] for method in known})
        if ours != theirs:
            differing.append(f"in {metric} it is {_listed(ours)}, in the paper {_listed(theirs)}")
    if not differing:
        return "In every column the order of the paper's methods is the paper's."
    same = "" if len(differing) == len(table.metrics) else "; in the other columns it is the paper's"
    return f"The order of the paper's methods, best first, differs: {'; '.join(differing)}{same}."


def _order(methods: Sequence[str], values: dict[str, float]) -> list[str]:
    """Smaller is better in every column; methods that are equal keep the paper's order."""
    return sorted(methods, key=lambda method: values[method])


def _listed(methods: Sequence[str]) -> str:
    return ", ".join(methods)

"""The paper's own figures: Tables 1 to 3 of Wang et al., "Towards Robust Deep Neural Networks", in `paper.csv`.

Errors are shares; SENSE is the decimal logarithm of the mean sensitivity, as `reachbox.training.METRICS` give it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import log10


@dataclass(frozen=True)
class PaperTable:
    """One table: the samples it was measured on, its metrics from left to right, its methods from top to bottom."""

    number: int
    samples: str
    metrics: tuple[str, ...]
    methods: tuple[str, ...]
    values: dict[tuple[str, str], float]

    def value(self, method: str, metric: str) -> float | None:
        """A cell; None for a method that is not the paper's."""
        return self.values.get((method, metric))


@cache
def paper_table(number: int) -> PaperTable:
    """Table 1 (two convolutions, Adam; test samples), 2 or 3 (one convolution, SGD; training and test samples)."""
    text = (files("reachbox.studies.tables") / "paper.csv").read_text(encoding="utf-8")
    rows = [row for row in csv.DictReader(text.splitlines()) if row["table"] == str(number)]
    return PaperTable(
        number,
        rows[0]["samples"],
        tuple(dict.fromkeys(row["metric"] for row in rows)),
        tuple(dict.fromkeys(row["method"] for row in rows)),
        {(row["method"], row["metric"]): _value(row["metric"], float(row["value"])) for row in rows},
    )


def _value(metric: str, value: float) -> float:
    return log10(value) if metric == "SENSE" else value

"""Tables of the terminal: aligned, plain, and never wider than 80 columns, but for paths, which are never broken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from math import floor, inf, isfinite, log, log10
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Facts:
    """Names on the left, what they are on the right; words are wrapped, a path stays on one line to be copied."""

    values: Mapping[str, str | Path | Sequence[Path]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        indent = 2 + max(map(len, self.values))
        for name, value in self.values.items():
            for number, line in enumerate(_lines(value, console, options.max_width - indent)):
                label = ("" if number else name).ljust(indent)
                yield Text.assemble((label, "dim"), line, no_wrap=True, overflow="ignore")


def facts(values: Mapping[str, str | Path | Sequence[Path]]) -> Facts:
    """Names on the left, what they are on the right; of several paths each has a line."""
    return Facts(values)


def _lines(value: str | Path | Sequence[Path], console: Console, width: int) -> Iterable[Text]:
    if isinstance(value, str):
        return Text(value).wrap(console, max(width, 1), overflow="fold")
    return [Text(str(path)) for path in ([value] if isinstance(value, Path) else value)]


def numbers_table(headers: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> Table:
    """A table of numbers; the first `words` columns are flush left, the others flush right."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for index, header in enumerate(headers):
        is_words = index < words
        table.add_column(header, justify="left" if is_words else "right", overflow="fold" if is_words else "ellipsis")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def numbers(values: Sequence[float], rounding: str = ROUND_HALF_EVEN) -> list[str]:
    """A column of numbers with the decimals that give the largest six digits; a proven bound is rounded outward."""
    largest = max((abs(value) for value in values if isfinite(value)), default=0.0)
    if largest and not 1e-3 <= largest < 1e7:
        return [_scientific(value, rounding) for value in values]
    decimals = max(0, 5 - floor(log10(largest))) if largest else 5
    return [_fixed(value, decimals, rounding) for value in values]


def _fixed(value: float, decimals: int, rounding: str) -> str:
    return str(Decimal(value).quantize(Decimal(1).scaleb(-decimals), rounding)) if isfinite(value) else str(value)


def _scientific(value: float, rounding: str) -> str:
    return f"{Context(prec=6, rounding=rounding).create_decimal(value):.5e}" if isfinite(value) else str(value)


def volume(log_volume: float) -> str:
    """A volume from its natural logarithm, in scientific notation however large or small it is; 0 for `-inf`."""
    if log_volume == -inf:
        return "0"
    if log_volume == inf:
        return "inf"
    decimal = log_volume / log(10)
    exponent = floor(decimal)
    mantissa = f"{10 ** (decimal - exponent):.3f}"
    if mantissa == "10.000":
        mantissa, exponent = "1.000", exponent + 1
    return f"{mantissa}e{exponent:+03d}"


def percent(count: int, total: int) -> str:
    """A share in percent; the dash where there is nothing to share."""
    return f"{100 * count / total:.1f} %" if total else "-"


def duration(seconds: float) -> str:
    """A time in natural units."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


HEADLINE = ("CE", "ERR", "SENSE", "ADV_ERR")


def headline(metrics: Mapping[str, float]) -> dict[str, float]:
    """Those of a run's metrics on its test samples that fit in a line."""
    return {name: metrics[f"test_{name}"] for name in HEADLINE if f"test_{name}" in metrics}


def metric(name: str, value: float) -> str:
    """A metric as a person reads it: shares in percent, sensitivities, which are decimal logarithms, as volumes."""
    if name.endswith("ERR") or name == "SENSE_positive":
        return f"{100 * value:.2f} %"
    return volume(value * log(10)) if name.startswith("SENSE") else f"{value:.4g}"

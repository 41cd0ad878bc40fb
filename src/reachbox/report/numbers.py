"""Numbers as a reader sees them: 1.2 × 10¹³ and 3.1 %, the same text in a table, in a figure and in a sentence."""

from __future__ import annotations

from decimal import Decimal
from math import isnan

THIN_SPACE = "\u202f"
MINUS = "\u2212"
TIMES = "\u00a0×\u00a0"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
PLAIN_EXPONENTS = range(-3, 5)


def number(value: float | Decimal, digits: int = 2) -> str:
    """`value` to `digits` significant digits, as a power of ten where it is below 0.001 or from 100,000.

    >>> number(1.2e13), number(-0.0312), number(0)
    ('1.2\\xa0×\\xa010¹³', '−0.031', '0')
    """
    special = _special(value)
    if special is not None:
        return special
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    if int(exponent) in PLAIN_EXPONENTS:
        text = f"{Decimal(f'{mantissa}e{exponent}'):.{max(0, digits - 1 - int(exponent))}f}"
        text = grouped(text)
    else:
        text = f"{mantissa}{TIMES}{power_of_ten(int(exponent))}"
    return text.replace("-", MINUS)


def from_log10(log10: float, digits: int = 2) -> str:
    """The number whose decimal logarithm is given, however large: volumes do not fit a float. `-inf` gives 0."""
    if log10 == float("-inf"):
        return "0"
    special = _special(log10) if log10 != 0 else None
    return special if special is not None else number(Decimal(10) ** Decimal(log10), digits)


def power_of_ten(exponent: int) -> str:
    """`10` with its exponent raised: 10¹³."""
    return f"10{str(exponent).translate(SUPERSCRIPTS)}"


def percent(share: float, decimals: int = 1) -> str:
    """A share from 0 to 1 in percent.

    >>> percent(0.209)
    '20.9\\u202f%'
    """
    special = _special(share) if share != 0 else None
    text = special if special is not None else f"{100 * share:.{decimals}f}"
    return f"{text}{THIN_SPACE}%".replace("-", MINUS)


def count(value: int) -> str:
    """A whole number, its thousands apart."""
    return grouped(str(value)).replace("-", MINUS)


def grouped(digits: str) -> str:
    """A number's text with thin spaces between thousands, from five digits before the point."""
    whole, point, rest = digits.partition(".")
    if len(whole.lstrip("-")) < 5:
        return digits
    return f"{int(whole):,}".replace(",", THIN_SPACE) + point + rest


def _special(value: float | Decimal) -> str | None:
    """Zero, infinities and values that are not defined; None for every other number."""
    if isnan(value):
        return "undefined"
    if value == 0:
        return "0"
    if abs(value) == float("inf"):
        return "∞" if value > 0 else f"{MINUS}∞"
    return None

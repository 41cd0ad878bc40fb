"""Laws of the report: a number reads back, a CSV gives its values again, a page is well formed whatever its words."""

from __future__ import annotations

import csv
import io
import re
from math import inf, isnan, log10

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reachbox.report import Column, Highlight, Page, Section, Table, render
from reachbox.report.figures import curves, dots
from reachbox.report.numbers import from_log10, number, percent
from tests.html_document import Document

ORDINARY = "".maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
# What XML cannot hold, a drawing cannot either.
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=30)
CELLS = st.one_of(st.floats(), st.integers(-(10**9), 10**9), st.none())


def read(text: str) -> float:
    """The number that a shown number stands for."""
    mantissa, _, power = re.sub(r"[\u00a0\u202f]", "", text).partition("×10")
    return float(f"{mantissa.translate(ORDINARY)}e{power.translate(ORDINARY) or 0}")


@given(st.one_of(st.floats(1e-300, 1e300), st.floats(-1e300, -1e-300), st.just(0.0)), st.integers(1, 6))
def test_a_shown_number_reads_back_to_its_digits(value: float, digits: int) -> None:
    assert read(number(value, digits)) == pytest.approx(value, rel=0.5001 * 10 ** (1 - digits), abs=0)


@given(st.floats(1e-300, 1e300))
def test_a_logarithm_shows_the_number_itself(value: float) -> None:
    assert read(from_log10(log10(value), 3)) == pytest.approx(value, rel=0.006)


@given(st.floats(0, 1))
def test_a_percentage_reads_back(share: float) -> None:
    assert float(percent(share, 2).rstrip("\u202f%")) / 100 == pytest.approx(share, abs=0.5001e-4)


@given(st.lists(st.tuples(WORDS, CELLS), max_size=8))
def test_a_csv_gives_its_values_again(rows: list[tuple[str, float | int | None]]) -> None:
    table = Table("t", [Column("words", "words"), Column("value", "value", number)], rows)
    head, *back = list(csv.reader(io.StringIO(table.csv())))
    assert head == ["words", "value"]
    for (words, value), (shown_words, shown_value) in zip(rows, back, strict=True):
        assert shown_words == words
        if value is None:
            assert shown_value == ""
        elif isnan(value):
            assert isnan(float(shown_value))
        else:
            assert float(shown_value) == value


@settings(max_examples=10)
@given(WORDS, WORDS, WORDS, st.lists(st.floats(0, 1e6), min_size=1, max_size=5))
def test_a_page_is_well_formed_whatever_its_words(title: str, name: str, caption: str, values: list[float]) -> None:
    figure = dots("dots", caption, [name] * len(values), {"a": values}, group_label=name, value_label=title)
    table = Table("t", [Column(title, "a"), Column(name, "b", number)], [(name, value) for value in values])
    sections = (Section(title, caption, ((name, caption),), (figure,), table),)
    html = render(Page(title, caption, (Highlight(name, caption),), sections, ((name, title),)))
    document = Document.read(html)
    assert document.tags.count("section") == document.tags.count("figure") == 1
    for words in (title, name, caption):
        assert " ".join(words.split()) in document.text


@settings(max_examples=10)
@given(st.lists(st.one_of(st.floats(-400, 400), st.just(-inf)), min_size=1, max_size=6), st.booleans())
def test_the_same_values_give_the_same_drawing(values: list[float], is_cut: bool) -> None:
    def drawn() -> str:
        figure = curves(
            "c", "Course.", {"a": values, "b": values[::-1]}, positions=range(len(values)), position_label="epoch",
            value_label="volume", lowest=-5.0 if is_cut else None,
        )  # fmt: skip
        return figure.wide + figure.narrow

    assert drawn() == drawn()

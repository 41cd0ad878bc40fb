"""The report by hand: how a number reads, what a page holds, and that nothing in it comes from elsewhere."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from importlib.util import find_spec
from math import inf, nan
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
import torch

from reachbox import data
from reachbox.box import Box
from reachbox.data import Dataset
from reachbox.errors import FileError, InputError
from reachbox.reach import METHODS, reach
from reachbox.report import Column, Figure, Highlight, Page, Section, Table, render, versions, write_page
from reachbox.report.figures import Estimate, NamedBox, bars, curves, dots, estimates, nested_boxes
from reachbox.report.numbers import count, from_log10, number, percent
from reachbox.report.palette import ALL, SERIES, series_colour, series_dash
from reachbox.studies import boxes, digits
from reachbox.studies.chapters import reproduce
from reachbox.studies.one_thread import one_thread
from reachbox.studies.sample_boxes import boxes_of_sample
from reachbox.training import Settings
from tests.html_document import Document

INSTALLED = [name for name in METHODS if name != "smt" or find_spec("maraboupy")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.2e13, "1.2 × 10¹³"),
        (4.58e12, "4.6 × 10¹²"),
        (9.96e5, "1.0 × 10⁶"),
        (1e-6, "1.0 × 10⁻⁶"),
        (-1.2e13, "−1.2 × 10¹³"),
        (1234.5, "1234"),
        (99999, "1.0 × 10⁵"),
        (16204, "16\u202f204"),
        (3.14159, "3.1"),
        (-0.0312, "−0.031"),
        (0.00099, "9.9 × 10⁻⁴"),
        (0.0, "0"),
        (-0.0, "0"),
        (inf, "∞"),
        (-inf, "−∞"),
        (nan, "undefined"),
    ],
)
def test_a_number_reads_as_written_by_hand(value: float, text: str) -> None:
    digits = 5 if value == 16204 else 4 if value == 1234.5 else 2
    assert number(value, digits).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("log10", "text"),
    [
        (13.0791812460476, "1.2 × 10¹³"),
        (0.0, "1.0"),
        (-inf, "0"),
        (400.0, "1.0 × 10⁴⁰⁰"),
        (-9.0, "1.0 × 10⁻⁹"),
        (nan, "undefined"),
    ],
)
def test_a_volume_is_shown_from_its_logarithm(log10: float, text: str) -> None:
    assert from_log10(log10).replace("\u00a0", " ") == text


def test_shares_and_counts() -> None:
    assert percent(0.209) == "20.9\u202f%"
    assert percent(0.0) == "0.0\u202f%"
    assert count(1438) == "1438"
    assert count(686700) == "686\u202f700"


def table(name: str = "volumes") -> Table:
    columns = [Column("", "network"), Column("SENSE", "log10 SENSE", from_log10), Column("ERR", "ERR", percent)]
    return Table(name, columns, [('plain, "as is"', 13.0791812460476, 0.031), ("point", -inf, None)])


def test_a_table_shows_what_its_csv_holds() -> None:
    rows = list(csv.DictReader(io.StringIO(table().csv())))
    assert [row["network"] for row in rows] == ['plain, "as is"', "point"]
    assert [float(row["log10 SENSE"]) for row in rows] == [13.0791812460476, -inf]
    assert rows[1]["ERR"] == ""
    assert table().shown() == [['plain, "as is"', "1.2\u00a0×\u00a010¹³", "3.1\u202f%"], ["point", "0", "–"]]
    assert unquote(table().link.partition(",")[2]) == table().csv()


def test_a_table_refuses_rows_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="row 1 has 1 cells for 2 columns"):
        Table("t", [Column("a", "a"), Column("b", "b")], [(1, 2), (3,)])
    with pytest.raises(InputError, match="every field once"):
        Table("t", [Column("a", "a"), Column("b", "a")], [])


def every_figure() -> dict[str, Figure]:
    boxes = [NamedBox("sampled", "estimate", (0, 0), (1, 1), 0.0), NamedBox("dual", "sound", (-1, -1), (2, 3), 1.1)]
    series = {"plain": [1.0, 5.0, 400.0], "volume": [1.0, 2.0, -inf]}
    labels = {"position_label": "epoch", "value_label": "volume"}
    return {
        "curves": curves("curves", "Over the epochs.", series, positions=[0, 1, 2], **labels),
        "bars": bars("bars", "Errors.", ["ERR", "ADV_ERR"], {"plain": [0.02, 0.2], "other": [0, 0.1]}, value_label="%"),
        "dots": dots("dots", "Sides.", ["a", "b"], {"x": [1.0, 2.0]}, group_label="class", value_label="side"),
        "estimates": estimates(
            "Signs.",
            {"a": [Estimate("x", 0.5, 0.2, 0.7, True)], "b": [Estimate("x", 0.5, nan, nan, False)]},
            "correlation",
            Table("estimates", [Column("group", "group"), Column("value", "value", number)], [("a", 0.5), ("b", 0.5)]),
        ),
        "boxes": nested_boxes("boxes", "Boxes.", [(0.5, 0.5), (0.1, 0.9)], boxes, labels=("first", "second")),
    }


def page(*figures: Figure, title: str = "A page", tables: tuple[Table, ...] = ()) -> Page:
    sections = tuple(Section(figure.caption, "What is seen.", figures=(figure,)) for figure in figures)
    sections += tuple(Section(own.name, "What is listed.", table=own) for own in tables)
    highlights = (Highlight("260 ×", "smaller"),)
    return Page(title, "What this is.", highlights, sections, (("seed", "0"), *versions()))


def test_a_page_holds_every_figure_twice_with_its_caption_and_data() -> None:
    figures = every_figure()
    html = render(page(*figures.values(), tables=(table(),)))
    document = Document.read(html)
    assert html.startswith("<!doctype html>")
    assert document.tags.count("figure") == len(figures)
    assert document.tags.count("svg") == 2 * len(figures) + 1
    for figure in figures.values():
        assert figure.wide in html
        assert figure.narrow in html
        assert figure.caption in document.text
        assert all(own.link in document.addresses for own in figure.data)
    assert "1.2 × 10¹³" in document.text
    assert "260 × " in document.text
    assert f"reachbox {versions()[0][1]}" in document.text


def test_nothing_on_a_page_comes_from_the_network() -> None:
    html = render(page(*every_figure().values(), tables=(table(),)))
    assert not re.search(r"https?:|//[a-z]|@import|<script|<link|<iframe|<img", html)
    assert all(address.startswith(("data:text/csv", "#")) for address in Document.read(html).addresses)


def test_every_reference_inside_a_drawing_finds_its_target() -> None:
    html = render(page(*every_figure().values()))
    targets = re.findall(r'(?:href="#|url\(#)([^")]+)', html)
    assert targets
    assert set(targets) <= set(Document.read(html).ids)


def test_drawings_follow_the_page_in_font_and_colour() -> None:
    for figure in every_figure().values():
        for drawing in (figure.wide, figure.narrow):
            assert "font-family" not in drawing
            assert "<style" not in drawing
            assert "xmlns" not in drawing
            fixed = re.sub(r"var\(--[a-z]+, #[0-9a-f]{6}\)", "", drawing)
            assert not re.findall(r"#[0-9a-f]{6}\b", fixed)
            assert drawing.startswith("<svg ")
            assert f'aria-label="{figure.caption}"' in drawing


def test_every_colour_of_a_drawing_is_defined_by_the_page_in_light_and_dark() -> None:
    html = render(page(*every_figure().values()))
    used = set(re.findall(r"var\(--([a-z]+)", html))
    assert used <= {colour.name for colour in ALL}
    for colour in ALL:
        assert f"--{colour.name}: {colour.light};" in html
        assert f"--{colour.name}: {colour.dark};" in html


def test_series_beyond_the_palette_differ_in_dash() -> None:
    looks = {(series_colour(index), str(series_dash(index))) for index in range(2 * len(SERIES))}
    assert len(looks) == 2 * len(SERIES)


def test_a_zero_is_a_triangle_on_the_floor_and_an_axis_of_any_height_is_drawn() -> None:
    labels = {"positions": [0, 1], "position_label": "epoch", "value_label": "volume"}
    with_zero = curves("c", "Zero.", {"a": [2.0, -inf]}, **labels)
    without = curves("c", "Zero.", {"a": [2.0, 1.5]}, **labels)
    assert with_zero.wide.count("<use ") == without.wide.count("<use ")
    assert with_zero.wide.count("<defs>") == without.wide.count("<defs>") + 1
    assert "10⁴⁰⁰" in curves("c", "Huge.", {"a": [0.0, 400.0]}, **labels).wide
    assert "10⁰" in curves("c", "Nothing.", {"a": [-inf, -inf]}, **labels).wide


def test_a_series_of_another_length_is_refused() -> None:
    with pytest.raises(InputError, match="a has 1 values for 2 positions"):
        curves("c", "Short.", {"a": [1.0]}, positions=[0, 1], position_label="epoch", value_label="volume")


def test_a_negative_width_is_refused() -> None:
    with pytest.raises(InputError, match="finite values from 0 are allowed, found"):
        dots("d", "Sides.", ["a"], {"x": [-1.0]}, group_label="class", value_label="side")


def test_long_names_leave_room_for_the_drawing() -> None:
    long = "a class whose name is longer than a telephone is wide, by far"
    figure = dots("d", "Sides.", [long], {long: [1.0]}, group_label="class", value_label="side")
    assert figure.narrow.count(">a class whose n…<") == 2
    assert long in figure.data[0].csv()


def test_text_is_text_and_never_markup() -> None:
    hostile = '<script>alert("1")</script> & $x^2$'
    figure = dots("dots", hostile, [hostile], {hostile: [1.0]}, group_label=hostile, value_label=hostile)
    html = render(page(figure, title=hostile, tables=(Table("t", [Column(hostile, hostile)], [(hostile,)]),)))
    assert "script" not in Document.read(html).tags
    assert Document.read(html).text.count(hostile) >= 6


def test_two_tables_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a name of its own"):
        write_page(page(tables=(table(), table())), tmp_path)


def test_a_page_is_written_with_its_data_beside_it(tmp_path: Path) -> None:
    path = write_page(page(every_figure()["dots"], tables=(table(),)), tmp_path / "deep" / "report")
    assert path == tmp_path / "deep" / "report" / "index.html"
    assert sorted(file.name for file in path.parent.iterdir()) == ["dots.csv", "dots.svg", "index.html", "volumes.csv"]
    assert (path.parent / "volumes.csv").read_text() == table().csv()


@pytest.mark.parametrize("name", every_figure())
def test_a_drawing_is_a_file_that_stands_alone(name: str) -> None:
    figure = every_figure()[name]
    root = ElementTree.fromstring(figure.svg())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert float(root.attrib["width"]) >= float(root.attrib["height"]) / 3 > 0
    words = [element.text for element in root.iter() if element.text]
    assert words == [element.text for element in ElementTree.fromstring(figure.wide).iter() if element.text]
    assert "var(" not in figure.svg()
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", figure.svg())
    referred = set(re.findall(r'(?:xlink:href="#|url\(#)([^")]*)', figure.svg()))
    assert referred <= set(re.findall(r'\bid="([^"]*)"', figure.svg()))


def test_a_page_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    path = write_page(page(tables=(table(),)), tmp_path)
    before = path.read_bytes()
    with pytest.raises(InputError):
        write_page(page(tables=(table(), table())), tmp_path)
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["index.html", "volumes.csv"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="the folder cannot be made"):
        write_page(page(), tmp_path / "file" / "report")


def test_no_output_escapes_the_boxes_of_a_sample() -> None:
    iris = data.load("iris")
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    found = boxes_of_sample(module, Box.around(iris.x_train, iris.radius(sigma=0.2)), iris.y_train, points=400)
    assert [box.method for box in found.reaches] == INSTALLED
    assert set(found.refused) == set(METHODS) - set(INSTALLED)
    assert found.outputs.shape == (400, 3)
    assert found.escaped == 0
    assert found.horizontal != found.vertical
    moved = replace(found, outputs=found.outputs + 1e3)
    assert moved.escaped == 400


def small(name: str, seed: int = 0) -> Dataset:
    """A data set with its first 120 samples to train and 20 to test."""
    full = data.load(name, seed=seed)
    return replace(
        full,
        x_train=full.x_train[:120],
        y_train=full.y_train[:120],
        x_test=full.x_test[:20],
        y_test=full.y_test[:20],
    )


@pytest.fixture
def short_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "load", small)
    monkeypatch.setattr(digits, "NETWORK", "conv:4")
    monkeypatch.setattr(digits, "TRAINING", Settings(epochs=2, batch_size=40, learning_rate=5e-3))
    monkeypatch.setattr(boxes, "load", small)
    monkeypatch.setattr(boxes, "TRAINING", Settings(epochs=30, batch_size=120, learning_rate=1e-2))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def without_the_clock(html: str) -> str:
    return re.sub(r"<dd>\d+ s in one process, each on one thread</dd>|<dd>digits \d+ [^<]*</dd>", "", html)


def test_one_thread_leaves_the_others_as_they_were() -> None:
    torch.set_num_threads(2)
    with one_thread():
        network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
        reach(network, Box(torch.zeros(1, 2), torch.ones(1, 2)), "dual")
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("short_study")
def test_the_quick_report_shows_its_data_and_repeats_itself(tmp_path: Path) -> None:
    told: list[float] = []
    path = reproduce(["digits", "boxes"], tmp_path / "a", seed=3, progress=lambda doing, share: told.append(share))
    document = Document.read(path.read_text())
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert not re.search(r"https?:", path.read_text())
    for row in rows_of(tmp_path / "a" / "metrics.csv"):
        for field in ("log10 SENSE mean", "log10 SENSE median", "log10 SENSE geometric mean"):
            assert from_log10(float(row[field])) in document.text.replace(" × ", "\u00a0×\u00a0")
        assert float(row["ERR"]) <= float(row["PGD_ERR"]) <= float(row["ADV_ERR"])
    assert [row["method"] for row in rows_of(tmp_path / "a" / "methods.csv")] == INSTALLED
    assert "σ 0.05 of each feature's range" in document.text
    again = reproduce(["digits", "boxes"], tmp_path / "b", seed=3)
    assert without_the_clock(again.read_text()) == without_the_clock(path.read_text())
    other = reproduce(["digits", "boxes"], tmp_path / "c", seed=4)
    assert without_the_clock(other.read_text()) != without_the_clock(path.read_text())

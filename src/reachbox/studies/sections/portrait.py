"""A network's portrait as sections of a page."""

from __future__ import annotations

from collections.abc import Sequence

from reachbox.report import Section
from reachbox.report.figures import curves, dots, heat_map
from reachbox.report.numbers import from_log10, number
from reachbox.report.section import Figure
from reachbox.studies.portrait import MULTIPLES, Portrait, ranked
from reachbox.studies.sections.sample_boxes import sample_boxes_section

MOST_FEATURES = 20


def portrait_sections(
    found: Portrait, data: str, features: Sequence[str], classes: Sequence[str], radius: str
) -> tuple[Section, ...]:
    """One sample under every method, the widths of every class, volumes over the radius, and what drives them."""
    return (
        sample_boxes_section("One sample, every method", found.boxes, data, classes, radius),
        _widths(found, data, classes, radius),
        _over_radius(found, data, radius),
        _drivers(found, features, radius),
    )


def _widths(found: Portrait, data: str, classes: Sequence[str], radius: str) -> Section:
    present = [label for label, row in enumerate(found.widths) if bool(row.isfinite().all())]
    means = found.widths[present]
    widest = int(means.mean(1).argmax())
    figure = heat_map(
        "width-by-class",
        f"Mean side of the dual box of each output, in logits, over {data}, {radius}.",
        means.tolist(),
        rows=[classes[label] for label in present],
        columns=classes,
        row_label="class of the sample",
        column_label="output",
    )
    sentence = (
        f"Samples of {classes[present[widest]]} have the widest boxes, {number(means[widest].mean().item())} a side."
    )
    return Section("Class by class", sentence, figures=(figure,))


def _over_radius(found: Portrait, data: str, radius: str) -> Section:
    at_one = MULTIPLES.index(1.0)
    dual = found.volumes["dual"]
    growth = from_log10(dual[-1] - dual[at_one])
    figure = curves(
        "volume-over-radius",
        f"Geometric mean of the volumes over {data}, at multiples of the radius, {radius}.",
        found.volumes,
        positions=MULTIPLES,
        position_label="radius, as a multiple of the one asked for",
        value_label="volume of the output box",
    )
    return Section(
        "Over the radius", f"Twice the radius makes the dual boxes {growth} times as large.", figures=(figure,)
    )


def _drivers(found: Portrait, features: Sequence[str], radius: str) -> Section:
    most = ranked(found.drivers, features, 3)
    sentence = (
        "When a feature's radius grows by one percent, the volume grows by so many percent. It grows most with "
        f"{', '.join(f'{name} ({number(value)})' for name, value in most)}."
    )
    return Section("What drives the boxes", sentence, figures=(_drivers_figure(found, features, radius),))


def _drivers_figure(found: Portrait, features: Sequence[str], radius: str) -> Figure:
    name, unit = "drivers", "percent of volume for a percent of radius"
    image = found.drivers.squeeze()
    if image.ndim == 2:
        return heat_map(
            name, f"Each pixel: {unit}, {radius}.", image.clamp_min(0).tolist(),
            rows=[str(row) for row in range(image.shape[0])], columns=[str(column) for column in range(image.shape[1])],
            row_label="row", column_label="column",
        )  # fmt: skip
    shown = ranked(found.drivers, features, MOST_FEATURES)
    caption = f"Gradient of the log volume to each feature's radius, times that radius, {radius}."
    values = {"volume": [max(0.0, value) for _, value in shown]}
    return dots(name, caption, [feature for feature, _ in shown], values, group_label="feature", value_label=unit)

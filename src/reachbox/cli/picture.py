"""`reachbox picture`: how a network's output boxes look."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer
from reachbox.cli.option_groups import RadiusOptions, SampleOptions

Folder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where index.html and the CSV files go.")]


@dataclass(frozen=True)
class Pictured(SampleOptions):
    """Which samples are drawn."""

    samples: options.Samples = 150


def picture(
    model: options.Model,
    samples: Pictured,
    radius: RadiusOptions,
    out: Folder = Path("picture"),
    as_json: options.Json = False,
) -> Answer:
    """Draws one sample's box by every method, the widths of each class, volumes over the radius, and what drives them.

    The page stands alone; every figure has its data as CSV beside it.

    reachbox picture runs/sm/network.safetensors --data iris --sigma 0.1 --out picture/
    """
    from reachbox.cli.progress import waiting
    from reachbox.cli.samples import task_from_data
    from reachbox.cli.tables import facts
    from reachbox.network.files import load
    from reachbox.report import Page, versions, write_page
    from reachbox.studies.portrait import portrait
    from reachbox.studies.sections.portrait import portrait_sections

    network = load(model)
    dataset = samples.load()
    known = len(samples.chosen(dataset)[0])
    count = min(samples.samples or known, known)
    task = task_from_data(samples, radius.read(), network.input_shape, count)
    with waiting(f"boxes of {count} samples"):
        found = portrait(network, task.x, task.labels, task.radius, len(task.class_names), samples.seed)
    sections = portrait_sections(found, task.source, dataset.feature_names, task.class_names, task.radius_words)
    lead = "Everything that a network can answer while its input moves a little, proven, as boxes around its outputs."
    settings = (
        ("model", str(model)), ("samples", task.source), ("radius", task.radius_words), ("seed", str(samples.seed)),
        ("with", ", ".join(f"{name} {version}" for name, version in versions())),
    )  # fmt: skip
    page = write_page(Page(f"The boxes of {model.name}", lead, (), sections, settings), out)
    drivers = dict(zip(dataset.feature_names, found.drivers.flatten().tolist(), strict=True))
    return Answer(
        record={"page": page, "drivers": drivers, "widths_by_class": found.widths.tolist(), **dict(settings[:4])},
        view=(facts({"page": page}),),
        as_json=as_json,
    )

"""`reachbox picture`: how a network's output boxes look."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer

Folder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where index.html and the CSV files go.")]
Pictured = Annotated[
    int, typer.Option("--samples", metavar="N", min=1, help="The first N samples.", rich_help_panel=options.SAMPLES)
]


def picture(
    model: options.Model,
    data: options.Data,
    out: Folder = Path("picture"),
    data_dir: options.DataDir = None,
    label: options.Label = None,
    one_hot: options.OneHot = False,
    split: options.Split = None,
    train: options.Train = False,
    samples: Pictured = 150,
    eps: options.Eps = None,
    sigma: options.Sigma = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> Answer:
    """Draws one sample's box by every method, the widths of each class, volumes over the radius, and what drives them.

    The page stands alone; every figure has its data as CSV beside it.

    reachbox picture runs/sm/network.safetensors --data iris --sigma 0.1 --out picture/
    """
    from reachbox.cli.progress import waiting
    from reachbox.cli.radius import RadiusOptions
    from reachbox.cli.samples import DataOptions, task_from_data
    from reachbox.cli.tables import facts
    from reachbox.network.files import load
    from reachbox.report import Page, versions, write_page
    from reachbox.studies.portrait import portrait
    from reachbox.studies.sections.portrait import portrait_sections

    network = load(model)
    chosen = DataOptions(data, data_dir, label, one_hot, split, train=train, seed=seed)
    dataset = chosen.load()
    count = min(samples, len(chosen.samples(dataset)[0]))
    task = task_from_data(chosen, RadiusOptions.of(eps, sigma, None), network.input_shape, count)
    with waiting(f"boxes of {count} samples"):
        found = portrait(network, task.x, task.labels, task.radius, len(task.class_names), seed)
    sections = portrait_sections(found, task.source, dataset.feature_names, task.class_names, task.radius_words)
    lead = "Everything that a network can answer while its input moves a little, proven, as boxes around its outputs."
    known = (
        ("model", str(model)), ("samples", task.source), ("radius", task.radius_words), ("seed", str(seed)),
        ("with", ", ".join(f"{name} {version}" for name, version in versions())),
    )  # fmt: skip
    page = write_page(Page(f"The boxes of {model.name}", lead, (), sections, known), out)
    drivers = dict(zip(dataset.feature_names, found.drivers.flatten().tolist(), strict=True))
    return Answer(
        record={"page": page, "drivers": drivers, "widths_by_class": found.widths.tolist(), **dict(known[:4])},
        view=(facts({"page": page}),),
        as_json=as_json,
    )

"""`reachbox tradeoff`: what robustness costs, method by method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer
from reachbox.cli.option_groups import DataOptions

Network = Annotated[
    str | None, typer.Option(metavar="SPEC", help="As in train; conv:16,32 for images, else mlp:25,25,25, without it.")
]
Methods = Annotated[
    str | None, typer.Option(metavar="NAME[,NAME...]", help="Which methods, such as plain,sensitivity; all without it.")
]
Epochs = Annotated[int, typer.Option(metavar="N", min=1, help="Passes over the samples, alike for every method.")]
Folder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="The page, the CSV files and the runs.")]


def tradeoff(
    data: DataOptions,
    out: Folder = Path("tradeoff"),
    network: Network = None,
    methods: Methods = None,
    epochs: Epochs = 8,
    device: options.Device = "cpu",
    as_json: options.Json = False,
) -> Answer:
    """Sweeps the weight of each training method and draws clean error against proven error, with the fronts.

    Every training has a run folder, so an interrupted sweep goes on where it stopped.

    reachbox tradeoff --data digits --network conv:8 --out report/tradeoff
    """
    from time import perf_counter

    from reachbox.cli.computation import device_of
    from reachbox.cli.progress import share_done
    from reachbox.cli.tables import duration, facts
    from reachbox.report import Page, versions, write_page
    from reachbox.studies.chapter import Request
    from reachbox.studies.one_thread import one_thread
    from reachbox.studies.tradeoff import SWEEPS, section_of, settings_of, sweep
    from reachbox.training.presets import TWO_CONVOLUTIONS

    started = perf_counter()
    dataset = data.load()
    spec = network or (TWO_CONVOLUTIONS if len(dataset.input_shape) == 3 else "mlp:25,25,25")
    chosen = tuple(SWEEPS) if methods is None else tuple(methods.split(","))
    with one_thread(), share_done() as progress:
        request = Request(out / "work", seed=data.seed, progress=progress, device=str(device_of(device)))
        runs = sweep(dataset, spec, epochs, request, methods=chosen)
    section = section_of(runs, dataset)
    lead = "Smaller boxes, or proven margins, cost accuracy and time. How much, method by method:"
    known = (("seed", str(data.seed)), *settings_of(dataset, spec, epochs))
    with_versions = ("with", ", ".join(f"{name} {version}" for name, version in versions()))
    page = write_page(Page("What robustness costs", lead, (), (section,), (*known, with_versions)), out)
    seconds = perf_counter() - started
    points = {method: {str(w): run.metrics for w, run in found.items()} for method, found in runs.items()}
    return Answer(
        record={"report": page, "points": points, "seed": data.seed, "seconds": seconds, "versions": dict(versions())},
        view=(facts({"report": page, "time": duration(seconds)}),),
        as_json=as_json,
    )

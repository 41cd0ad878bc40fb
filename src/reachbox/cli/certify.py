"""`reachbox certify`: for how many samples it is proven that no perturbation changes the class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer, ExitCode
from reachbox.cli.option_groups import ClippedRadiusOptions, ComputationOptions, SampleOptions

if TYPE_CHECKING:
    from rich.table import Table
    from torch import Tensor

    from reachbox.certify import Certificate

SHOWN = 10
AttackOption = Annotated[
    bool,
    typer.Option("--attack", help="Look for counterexamples to what is not proven.", rich_help_panel="Computation"),
]


def certify(
    model: options.Model,
    samples: SampleOptions,
    radius: ClippedRadiusOptions,
    computing: ComputationOptions,
    attack: AttackOption = False,
    as_json: options.Json = False,
    out: options.Out = None,
) -> Answer:
    """Proves of each sample that no input within the radius is classified otherwise.

    All test samples are taken unless --samples says how many. Exit code 0: every sample is certified; 1: some are not;
    3: some are not, and it was the time limit that kept the method from more.
    Neither is proof of the opposite: a tighter method may certify more. An --attack tells the samples apart for which
    an input of another class is known.

    reachbox certify net.onnx --data mnist --data-dir DIR --eps 0.1 --within 0,1
    """
    from time import perf_counter

    from reachbox.cli.samples import task_from_data
    from reachbox.cli.setting import Setting
    from reachbox.formats.results import certificate_record
    from reachbox.network.files import load

    computation = computing.read(samples.seed)
    network = load(model)
    task = task_from_data(samples, radius.read(), network.input_shape, samples.samples)
    started = perf_counter()
    predicted = computation.predicted(network, task.x)
    certificate = computation.certify(network, task, predicted)
    broken = computation.attack(network, task, certificate, samples.seed) if attack else None
    seconds = perf_counter() - started
    setting = Setting(model, task, computation)
    attacked = {} if broken is None else {"attacked": broken, "attacked_error": broken.double().mean().item()}
    timed = {"method": computing.method, "seconds": seconds}
    record = timed | certificate_record(certificate) | {"predicted": predicted, **attacked}
    return Answer(
        record=record | setting.record(),
        view=(
            setting.view("proven", seconds), "",
            _counts(certificate, broken), "", _smallest_margins(certificate, task.class_names),
        ),
        exit_code=_exit_code(certificate),
        as_json=as_json,
        out=out,
    )  # fmt: skip


def _exit_code(certificate: Certificate) -> ExitCode:
    if certificate.certified.all():
        return ExitCode.DONE
    only_time = certificate.certified | certificate.gave_up
    return ExitCode.GAVE_UP if only_time.all() else ExitCode.DOES_NOT_HOLD


def _counts(certificate: Certificate, broken: Tensor | None) -> Table:
    """How many samples are certified, and why the others are not."""
    from reachbox.cli.tables import numbers_table, percent

    total, certified = len(certificate.labels), int(certificate.certified.sum())
    wrong = int((~certificate.correct).sum())
    counts = {
        "certified": certified,
        "not certified (robust error, ADV_ERR)": total - certified,
        "  misclassified as they are (error, ERR)": wrong,
    }
    if broken is None:
        counts["  classified right, but not proven"] = total - certified - wrong
    else:
        counts["  a counterexample is known"] = int(broken.sum()) - wrong
        counts["  open: neither proven nor broken"] = total - certified - int(broken.sum())
    rows = [(name, str(count), percent(count, total)) for name, count in counts.items()]
    return numbers_table((f"of {total} samples", "count", "share"), rows)


def _smallest_margins(certificate: Certificate, names: Sequence[str]) -> Table:
    """The samples that are nearest to another class, or deepest in it, and which class that is."""
    from decimal import ROUND_FLOOR

    import torch

    from reachbox.cli.tables import numbers, numbers_table

    own = torch.nn.functional.one_hot(certificate.labels, certificate.margin.shape[1]).bool()
    margin, other = certificate.margin.masked_fill(own, torch.inf).min(1)
    shown = margin.argsort()[:SHOWN]
    rows = zip(
        map(str, shown.tolist()),
        (names[label] for label in certificate.labels[shown].tolist()),
        (names[label] for label in other[shown].tolist()),
        numbers(margin[shown].tolist(), ROUND_FLOOR),
        strict=True,
    )
    return numbers_table(("sample", "class", "against", "proven margin"), list(rows), words=3)

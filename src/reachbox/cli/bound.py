"""`reachbox bound`: the box of everything that a network can output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reachbox.cli import options
from reachbox.cli.answer import Answer, ExitCode
from reachbox.cli.option_groups import ClippedRadiusOptions, ComputationOptions, InputOptions

if TYPE_CHECKING:
    from rich.table import Table

    from reachbox.reach import Reach


def bound(
    model: options.Model,
    inputs: InputOptions,
    radius: ClippedRadiusOptions,
    computing: ComputationOptions,
    as_json: options.Json = False,
    out: options.Out = None,
) -> Answer:
    """Bounds of every output over the box around each sample.

    Samples come from a file (--input) or a data set (--data); of a data set the first one, or as many as --samples
    says. With both, the file gives the samples and the data set the ranges that --sigma uses.

    reachbox bound net.onnx --data iris --sigma 0.1

    reachbox bound net.onnx --input samples.npz --eps 0.01 --method crown --json
    """
    from reachbox.cli.samples import task_from
    from reachbox.cli.setting import Setting
    from reachbox.formats.results import reach_record
    from reachbox.network.files import load

    computation = computing.read(inputs.seed)
    network = load(model)
    count = 1 if inputs.samples is None and inputs.input_file is None else inputs.samples
    task = task_from(inputs, radius.read(), network.input_shape, count)
    result = computation.bound(network, task.boxes)
    setting = Setting(model, task, computation)
    return Answer(
        record=reach_record(result) | setting.record(),
        view=(setting.view(result.kind, result.seconds, result.engines), "", _bounds(result, task.class_names)),
        exit_code=ExitCode.DONE if result.solved.all() else ExitCode.GAVE_UP,
        as_json=as_json,
        out=out,
    )


def _bounds(result: Reach, names: tuple[str, ...] | None) -> Table:
    """A row for each output of each sample, and a row for its volume."""
    from decimal import ROUND_CEILING, ROUND_FLOOR

    from reachbox.cli.tables import numbers, numbers_table, volume

    outward, inward = (ROUND_CEILING, ROUND_FLOOR) if result.kind != "estimate" else (ROUND_FLOOR, ROUND_CEILING)
    sides = ((result.lower, inward), (result.upper, outward), (result.width, outward))
    ends = zip(*(numbers(side.flatten().tolist(), rounding) for side, rounding in sides), strict=True)
    outputs = result.lower.shape[1]
    named = names if names is not None and len(names) == outputs else tuple(map(str, range(outputs)))
    rows = []
    for sample, log_volume in enumerate(result.log_volume.tolist()):
        rows += [(str(sample) if name is named[0] else "", name, *next(ends)) for name in named]
        rows.append(("", "volume", "", "", volume(log_volume)))
    return numbers_table(("sample", "output", "lower", "upper", "width"), rows, words=2)

"""`reachbox sensitivity`: the volumes of a data set's output boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reachbox.cli import options
from reachbox.cli.answer import Answer, ExitCode
from reachbox.cli.option_groups import ClippedRadiusOptions, ComputationOptions, InputOptions

if TYPE_CHECKING:
    from torch import Tensor

    from reachbox.cli.tables import Facts
    from reachbox.sensitivity import Summary


def sensitivity(
    model: options.Model,
    inputs: InputOptions,
    radius: ClippedRadiusOptions,
    computing: ComputationOptions,
    as_json: options.Json = False,
    out: options.Out = None,
) -> Answer:
    """Sensitivity of a network: the volume of each sample's output box, and mean, median, geometric mean of all.

    All test samples are taken unless --samples says how many. The mean is SENSE of the paper; one sample can own it,
    so the others stand beside it.

    reachbox sensitivity net.onnx --data iris --sigma 0.1 --method crown
    """
    from reachbox.cli.samples import task_from
    from reachbox.cli.setting import Setting
    from reachbox.formats.results import sensitivity_record
    from reachbox.network.files import load
    from reachbox.sensitivity import summarise

    computation = computing.read(inputs.seed)
    network = load(model)
    task = task_from(inputs, radius.read(), network.input_shape, inputs.samples)
    result = computation.bound(network, task.boxes)
    summary = summarise(result.log_volume)
    setting = Setting(model, task, computation)
    return Answer(
        record=sensitivity_record(result, summary) | setting.record(),
        view=(setting.view(result.kind, result.seconds, result.engines), "", _volumes(summary, result.log_volume)),
        exit_code=ExitCode.DONE if result.solved.all() else ExitCode.GAVE_UP,
        as_json=as_json,
        out=out,
    )


def _volumes(summary: Summary, log_volume: Tensor) -> Facts:
    """The aggregates, and the samples at both ends."""
    from reachbox.cli.tables import facts, percent, volume

    least, most = int(log_volume.argmin()), int(log_volume.argmax())
    positive = round(summary.positive_share * summary.samples)
    geometric = volume(summary.log_geometric_mean) if positive else "-"
    if positive < summary.samples:
        geometric += f"  of the {percent(positive, summary.samples)} of samples with positive volume"
    return facts(
        {
            "mean (SENSE)": volume(summary.log_mean),
            "median": volume(summary.log_median),
            "geometric mean": geometric,
            "smallest": f"{volume(log_volume[least].item())}  sample {least}",
            "largest": f"{volume(log_volume[most].item())}  sample {most}",
        }
    )

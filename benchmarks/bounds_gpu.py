"""The dual bound and training steps of reachbox on a GPU: time, memory, and equality with the processor's float64.

`python benchmarks/bounds_gpu.py --help`; the workloads are those of `bounds.py`, see `README.md` beside this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from json import dumps, loads
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated

import torch
import typer
from bounds import CACHE
from subjects import PASSES, backward, forward, reachbox_widths
from tables import digits, titled, write_results
from torch import Tensor
from workloads import WORKLOADS, Problem, load_data, problem, trained

import reachbox as rb
from reachbox.training import Jacobian, Objective, Plain, Robust, Sensitivity, Settings, Spectral, train

SECONDS = 1.0  # that each figure is measured for
STEPS, EPOCHS, BATCH = 60, 4, 50


@dataclass(frozen=True)
class Bound:
    """One workload and pass in float32: the median of milliseconds a call, and MiB at the peak.

    `wall` is from call to result; `back_to_back` is a call's share where many are made and only the last is waited for.
    """

    workload: str
    passes: str
    wall: float
    back_to_back: float
    mebibytes: float


@dataclass(frozen=True)
class Difference:
    """How far the GPU's result lies from the processor's in float64: widths at most, and the gradient by norms."""

    workload: str
    precision: str
    widths: float
    gradient: float


@dataclass(frozen=True)
class Record:
    """One run: what `--json` writes."""

    date: str
    device: str
    versions: dict[str, str]
    bounds: list[Bound] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The tables in Markdown."""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        bounds = [
            [b.workload, b.passes, digits(b.wall), digits(b.back_to_back), digits(b.mebibytes)] for b in self.bounds
        ]
        plain = self.steps.get("plain", float("nan"))
        steps = [[name, digits(ms), digits(ms / plain)] for name, ms in self.steps.items()]
        apart = [[d.workload, d.precision, f"{d.widths:.0e}", f"{d.gradient:.0e}"] for d in self.differences]
        tables = [
            titled(
                "Milliseconds of one call, float32", ["workload", "pass", "alone", "back to back", "peak MiB"], bounds
            ),
            titled(f"A training step, {BATCH} samples", ["objective", "milliseconds", "plain steps"], steps),
            titled(
                "Differences to the processor's float64", ["workload", "precision", "widths", "gradient"], apart
            ),
        ]  # fmt: skip
        return "\n\n".join([f"{self.date}; {self.device}. {versions}.", *tables]) + "\n"


def on_gpu(given: Problem) -> Problem:
    """The same problem on the GPU; the module is a copy."""
    copy = given.to(given.x.dtype)
    return Problem(copy.module.cuda(), copy.x.cuda(), copy.radius.cuda())


def bound(name: str, passes: str, given: Problem) -> Bound:
    """Times one pass of a workload."""
    widths, run = reachbox_widths(given), PASSES[passes]
    for _ in range(3):
        run(widths, given)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run(widths, given)
    peak = (torch.cuda.max_memory_allocated() - before) / 2**20
    alone = [seconds(lambda: run(widths, given)) for _ in range(5)]
    count = max(3, min(200, int(SECONDS / median(alone) / 2)))
    alone = [seconds(lambda: run(widths, given)) for _ in range(count)]
    many = seconds(lambda: [run(widths, given) for _ in range(count)]) / count
    return Bound(name, passes, 1e3 * median(alone), 1e3 * many, peak)


def seconds(task: Callable[[], object]) -> float:
    """By the clock on the wall, until the GPU is done."""
    torch.cuda.synchronize()
    started = perf_counter()
    task()
    torch.cuda.synchronize()
    return perf_counter() - started


def differences(name: str, given: Problem) -> list[Difference]:
    """The GPU's results in both precisions against the processor's in float64."""
    exact = given.to(torch.float64)
    expected = computed(exact)
    return [
        Difference(name, precision, *apart(computed(on_gpu(problem)), expected))
        for precision, problem in (("float64", exact), ("float32", given))
    ]


def computed(given: Problem) -> tuple[Tensor, Tensor]:
    """Widths and gradient, on the processor and in float64, whatever they were computed in."""
    widths = reachbox_widths(given)
    return forward(widths, given).double().cpu(), backward(widths, given).double().cpu()


def apart(found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """The largest relative difference of a width, and that of the gradients' norms."""
    (widths, gradient), (other, steepest) = found, expected
    return float(((widths - other) / other).abs().max()), float((gradient - steepest).norm() / steepest.norm())


def training_steps(folder: Path) -> dict[str, float]:
    """Milliseconds of a step of the training loop on the GPU by objective: an epoch's share, the first left out."""
    mnist = load_data("mnist")
    x, y, radius = mnist.x_train[: STEPS * BATCH].float(), mnist.y_train[: STEPS * BATCH], mnist.radius(sigma=0.05)
    objectives: dict[str, Objective] = {
        "plain": Plain(),
        "sensitivity": Sensitivity(radius=radius, weight=1e-12),
        "sensitivity, a fifth": Sensitivity(radius=radius, weight=1e-12, subsample=0.2),
        "sensitivity, interval": Sensitivity(radius=radius, weight=1e-20, method="interval"),
        "robust": Robust(radius=radius / 5),
        "spectral": Spectral(),
        "jacobian": Jacobian(),
    }
    found = {}
    for name, objective in objectives.items():
        module = trained("conv", folder).cuda()
        state = train(module, objective, x, y, Settings(epochs=EPOCHS, batch_size=BATCH, learning_rate=1e-6))
        found[name] = 1e3 * min(epoch.seconds for epoch in state.history[2:]) / STEPS
    return found


def measured(names: list[str], folder: Path) -> Record:
    """The whole run."""
    versions = {"reachbox": rb.__version__, "torch": torch.__version__}
    record = Record(datetime.now(UTC).date().isoformat(), torch.cuda.get_device_name(), versions)
    for name in names:
        given = problem(WORKLOADS[name], folder)
        record.differences.extend(differences(name, given))
        there = on_gpu(given)
        record.bounds.extend(bound(name, passes, there) for passes in PASSES)
    return replace(record, steps=training_steps(folder))


def loaded(file: Path) -> Record:
    """A record that `--json` wrote."""
    found = loads(file.read_text())
    bounds = [Bound(**entry) for entry in found.pop("bounds")]
    return Record(**{**found, "bounds": bounds, "differences": [Difference(**d) for d in found.pop("differences")]})


def main(
    workloads: Annotated[str, typer.Option(help="which to run")] = ",".join(WORKLOADS),
    json: Annotated[Path | None, typer.Option(help="file that receives every figure")] = None,
    cache: Annotated[Path, typer.Option(help="folder of the trained networks")] = CACHE,
    record_from: Annotated[Path | None, typer.Option(help="write the tables of such a file into README.md")] = None,
) -> None:
    """The dual bound and training steps on a GPU. MNIST is found through REACHBOX_DATA."""
    if record_from is not None:
        write_results(loaded(record_from).text, "bounds_gpu.py")
        return
    if not torch.cuda.is_available():
        raise typer.BadParameter("a CUDA device is needed, none is there")
    found = measured(workloads.split(","), cache)
    print(found.text)
    if json is not None:
        json.write_text(dumps(asdict(found), indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)

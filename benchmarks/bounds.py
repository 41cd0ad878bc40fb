"""The dual bound of reachbox against Kolter and Wong's own code and auto_LiRPA: equality, time, memory.

`python benchmarks/bounds.py --help`; `README.md` beside this file tells what is measured and how.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from json import dumps as to_json
from math import inf
from pathlib import Path
from textwrap import fill
from typing import Annotated

import torch
import typer
from measuring import Peak, Tasks, Timing, peak, timings
from subjects import OURS, PASSES, PEERS, SUBJECTS, available, backward, forward
from tables import digits, machine, say, titled, write_results
from torch import Tensor
from workloads import WORKLOADS, Problem, accuracy, load_data, operations, problem, trained

import reachbox as rb
from reachbox.data.download import cache_folder
from reachbox.training import PRESETS
from reachbox.training.objectives import Objective, Plain, Robust, Sensitivity

WIDTH_LIMIT, GRADIENT_LIMIT = 1e-5, 1e-4
GEMM = 1024
TRAINING_STEP = "training-step"
CACHE = cache_folder() / "benchmarks"
PEER_COLUMNS = ("K&W", "ratio", "LiRPA", "ratio")


# Equality


@dataclass(frozen=True)
class Difference:
    """How far a result lies from a peer's in float64: the largest relative difference of a width, and the gradient's
    difference as a share of its norm."""

    workload: str
    peer: str
    subject: str
    precision: str
    widths: float
    gradient: float

    @property
    def is_equal(self) -> bool:
        return self.widths <= WIDTH_LIMIT and self.gradient <= GRADIENT_LIMIT


def differences(name: str, given: Problem, peers: Sequence[str]) -> list[Difference]:
    """Ours in both precisions, and the peer's own float32, each against the peer's result in float64."""
    exact = given.to(torch.float64)
    ours = {"float64": computed(OURS, exact), "float32": computed(OURS, given)}
    found = []
    for peer in peers:
        widths, gradient = computed(peer, exact)
        results = {(OURS, precision): result for precision, result in ours.items()}
        results[peer, "float32"] = computed(peer, given)
        for (subject, precision), (other_widths, other_gradient) in results.items():
            width_error = float(((other_widths - widths) / widths).abs().max())
            gradient_error = float((other_gradient - gradient).norm() / gradient.norm())
            found.append(Difference(name, peer, subject, precision, width_error, gradient_error))
    return found


def computed(subject: str, given: Problem) -> tuple[Tensor, Tensor]:
    """Widths and gradient in float64, whatever they were computed in."""
    widths = SUBJECTS[subject](given)
    return forward(widths, given).double(), backward(widths, given).double()


# Tasks


def bound_tasks(given: Problem, subjects: Sequence[str]) -> Tasks:
    """Both passes of every subject, and the matrix product that their speed is compared with."""
    widths = {subject: SUBJECTS[subject](given) for subject in subjects}
    tasks: Tasks = {}
    for passes, run in PASSES.items():
        for subject in subjects:
            tasks[passes, subject] = lambda run=run, subject=subject: run(widths[subject], given)
    left, right = torch.rand(2, GEMM, GEMM)
    tasks["product", "GEMM"] = lambda: left @ right
    return tasks


def training_tasks(folder: Path) -> Tasks:
    """Steps on the trained conv network; a learning rate of 0 keeps the weights, and so the work, as they are."""
    mnist, module = load_data("mnist"), trained("conv", folder)
    x, y, radius = mnist.x_train[:50].float(), mnist.y_train[:50], mnist.radius(sigma=0.05).float()
    objectives: dict[str, Objective] = {
        "plain": Plain(),
        "sensitivity": Sensitivity(radius=radius, weight=1e-6),
        "sensitivity, a fifth": Sensitivity(radius=radius, weight=1e-6, subsample=0.2),
        "robust (K&W)": Robust(radius=radius),
        "recommended": PRESETS["recommended"].objective(radius).at(inf),
    }
    optimiser = torch.optim.Adam(module.parameters(), lr=0.0)
    generator = torch.Generator().manual_seed(0)

    def step(objective: Objective) -> None:
        optimiser.zero_grad()
        objective(module, x, y, generator).total.backward()
        optimiser.step()

    begun = {name: objective.begin(module, x) for name, objective in objectives.items()}
    return {("step", name): lambda objective=objective: step(objective) for name, objective in begun.items()}


# Report


@dataclass(frozen=True)
class Record:
    """One run of the benchmark: what `--json` writes."""

    date: str
    machine: dict[str, object]
    load: float
    versions: dict[str, str]
    accuracies: dict[str, float] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    peaks: list[Peak] = field(default_factory=list)
    operations: dict[str, dict[str, float]] = field(default_factory=dict)
    timings: list[Timing] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The tables, in Markdown that is readable as it is."""
        machine = f"{self.machine['processor']}, {self.machine['cores']} cores, {self.machine['memory_gib']:.0f} GiB"
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        tables = [*self.time_table(), *self.step_table(), *self.memory_table(), *self.difference_table()]
        left_out = [f"{found.subject} is left out of {found.workload}: {found.failure}."
                    for found in self.peaks if found.failure]  # fmt: skip
        head = fill(f"{self.date}; {machine}; load {self.load} at the start. {versions}.", 100)
        return "\n\n".join([head, *tables, *left_out]) + "\n"

    def time_table(self) -> Iterable[str]:
        at = {(t.workload, t.threads, t.passes, t.subject): t.milliseconds for t in self.timings}
        rows = []
        for t in self.timings:
            if t.subject == OURS:
                peers = (at.get((t.workload, t.threads, t.passes, peer)) for peer in PEERS)
                cells = [cell for peer in peers for cell in ratio_cells(peer, t.milliseconds)]
                share = self.share(t, at[t.workload, t.threads, "product", "GEMM"])
                rows.append([t.workload, t.threads, t.passes, digits(t.milliseconds), *cells, f"{share:.1%}"])
        if rows:
            header = ["workload", "threads", "pass", OURS, *PEER_COLUMNS, "of GEMM"]
            yield titled("Milliseconds of one call", header, rows)

    def step_table(self) -> Iterable[str]:
        steps = [t for t in self.timings if t.passes == "step"]
        plain = {t.threads: t.milliseconds for t in steps if t.subject == "plain"}
        rows = [
            [t.subject, t.threads, digits(t.milliseconds), digits(t.milliseconds / plain[t.threads])] for t in steps
        ]
        if rows:
            yield titled("A training step", ["objective", "threads", "milliseconds", "plain steps"], rows)

    def share(self, timing: Timing, product: float) -> float:
        """The counted operations in a second, as a share of those of a matrix product of `product` milliseconds."""
        count = self.operations[timing.workload]
        needed = (count["passes"] + min(count["rows"], count["columns"])) * (1 if timing.passes == "forward" else 3)
        return needed / timing.milliseconds * product / (2 * GEMM**3)

    def memory_table(self) -> Iterable[str]:
        mebibytes = {(found.workload, found.subject): found.mebibytes for found in self.peaks}
        rows = []
        for workload in dict.fromkeys(found.workload for found in self.peaks):
            ours = mebibytes[workload, OURS]
            peers = (mebibytes.get((workload, peer)) for peer in PEERS)
            rows.append([workload, digits(ours), *(cell for peer in peers for cell in ratio_cells(peer, ours))])
        if rows:
            yield titled("Peak memory of forward + backward, MiB", ["workload", OURS, *PEER_COLUMNS], rows)

    def difference_table(self) -> Iterable[str]:
        rows: dict[tuple[str, str], list[str]] = {}
        for found in self.differences:
            row = rows.setdefault((found.workload, found.peer), [found.workload, found.peer])
            row += [f"{found.widths:.0e}", f"{found.gradient:.0e}"]
        if rows:
            header = ["workload", "peer", *("widths", "gradient") * 3]
            title = "Relative differences to the peer in float64: of ours in float64, ours in float32, its float32"
            yield titled(title, header, list(rows.values()))


def ratio_cells(peer: float | None, ours: float | None) -> tuple[str, str]:
    return (digits(peer), f"{peer / ours:.1f}x" if peer is not None and ours else "")


def versions(peers: Sequence[str]) -> dict[str, str]:
    found = {"reachbox": rb.__version__, "Python": platform.python_version()}
    for package in ("torch", "numpy", "numba", *peers):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = getattr(sys.modules.get(package), "__version__", "from source")
    return found


# Command


@dataclass(frozen=True)
class Plan:
    """How to measure, for every workload alike."""

    peers: Sequence[str]
    threads: Sequence[int]
    rounds: int
    patience: int
    folder: Path

    def run(self, names: Sequence[str]) -> Record:
        torch.set_num_threads(max(self.threads))
        found = Record(
            datetime.now(UTC).date().isoformat(), machine(), round(os.getloadavg()[0], 1), versions(self.peers)
        )
        for name in names:
            tasks = training_tasks(self.folder) if name == TRAINING_STEP else self.prepared(name, found)
            for threads in self.threads:
                say(f"{name}: time, {threads} threads")
                found.timings.extend(timings(name, threads, tasks, self.rounds))
        return found

    def prepared(self, name: str, into: Record) -> Tasks:
        """What is to be timed on a workload; memory, which also tells who is too slow, and equality are recorded."""
        given = problem(WORKLOADS[name], self.folder)
        into.accuracies[name] = accuracy(WORKLOADS[name].network, given.module)
        say(f"{name}: memory")
        peaks = [peak(name, subject, self.folder, self.patience) for subject in (OURS, *self.peers)]
        into.peaks.extend(peaks)
        able = [found.subject for found in peaks if found.subject != OURS and not found.failure]
        say(f"{name}: equality")
        into.differences.extend(differences(name, given, able))
        into.operations[name] = operations(given)
        return bound_tasks(given, [OURS, *able])


def main(
    auto_lirpa: Annotated[Path | None, typer.Option(help="auto_LiRPA's source folder")] = None,
    threads: Annotated[str, typer.Option(help="numbers of threads")] = "1,2",
    workloads: Annotated[str, typer.Option(help="which to run")] = ",".join((*WORKLOADS, TRAINING_STEP)),
    repeats: Annotated[int, typer.Option(min=1, help="rounds in which the subjects take turns")] = 9,
    patience: Annotated[int, typer.Option(help="processor seconds after which a peer is left out of a workload")] = 25,
    json: Annotated[Path | None, typer.Option(help="file that receives every figure")] = None,
    cache: Annotated[Path, typer.Option(help="folder of the trained networks")] = CACHE,
    record: Annotated[bool, typer.Option("--record", help="write the tables into README.md")] = False,
) -> None:
    """The dual bound of reachbox against its peers: equality, memory, time. MNIST is found through REACHBOX_DATA."""
    names = workloads.split(",")
    unknown = sorted(set(names) - {*WORKLOADS, TRAINING_STEP})
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}; known: {', '.join(WORKLOADS)}, {TRAINING_STEP}")
    plan = Plan(available(auto_lirpa), [int(count) for count in threads.split(",")], repeats, patience, cache)
    found = plan.run(names)
    print(found.text)
    if json is not None:
        json.write_text(to_json(asdict(found), indent=1) + "\n")
    if record:
        write_results(found.text, "bounds.py")
    wrong = [difference for difference in found.differences if difference.subject == OURS and not difference.is_equal]
    for difference in wrong:
        say(f"{difference.workload}: ours in {difference.precision} differs from {difference.peer}")
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    typer.run(main)

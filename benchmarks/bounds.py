"""The dual bound of reachbox against Kolter and Wong's own code and auto_LiRPA: equality, time, memory.

`python benchmarks/bounds.py --help`; `README.md` beside this file tells what is measured and how.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from ctypes import CDLL
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from json import dumps as to_json
from math import inf
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from textwrap import fill
from time import perf_counter, process_time
from typing import Annotated, TypeAlias

import numpy as np
import torch
import typer
from torch import Tensor
from workloads import WORKLOADS, Problem, accuracy, load_data, operations, problem, trained

import reachbox as rb
from reachbox.data.download import cache_folder
from reachbox.training import PRESETS
from reachbox.training.objectives import Objective, Plain, Robust, Sensitivity

OURS = "reachbox"
WIDTH_LIMIT, GRADIENT_LIMIT = 1e-5, 1e-4
TURN = 0.25  # seconds: a turn is as many calls as fit, at least one
SLOW, SLOW_TURNS = 2.0, 3  # a subject whose call takes longer than SLOW seconds has so many turns
GEMM = 1024
TRAINING_STEP = "training-step"
CACHE = cache_folder() / "benchmarks"
MARKERS = ("<!-- results: written by bounds.py --record -->", "<!-- end of results -->")

Tasks: TypeAlias = dict[tuple[str, str], Callable[[], object]]
"""What is timed, by the pass and by who makes it."""

Widths: TypeAlias = Callable[[], Tensor]
"""One call: the width of every output, `(batch, outputs)`, with everything that must be made anew for a new batch."""


def reachbox_widths(given: Problem) -> Widths:
    """Ours, by the public call."""
    network = rb.Network.from_module(given.module, given.x)
    return lambda: rb.reach(network, rb.Box.around(given.x, given.radius), "dual", dtype=given.x.dtype).width


def convex_adversarial_widths(given: Problem) -> Widths:
    """Kolter and Wong's code. It takes radii that differ between features as limits of the input only."""
    from convex_adversarial import DualNetwork

    outputs = given.module[-1].out_features
    eye = torch.eye(outputs, dtype=given.x.dtype).expand(len(given.x), -1, -1).contiguous()
    largest = given.radius.max().item()

    def widths() -> Tensor:
        if bool((given.radius == largest).all()):
            dual = DualNetwork(given.module, given.x, largest)
        else:
            limits = {"input_l": given.x - given.radius, "input_u": given.x + given.radius}
            dual = DualNetwork(given.module, given.x, 2 * largest, bounded_input=True, **limits)
        return -dual(-eye) - dual(eye)

    return widths


def auto_lirpa_widths(given: Problem) -> Widths:
    """auto_LiRPA's backward bounds with parallel lines, its graph made once."""
    from auto_LiRPA import BoundedModule, BoundedTensor, PerturbationLpNorm

    module = BoundedModule(given.module, given.x, bound_opts={"activation_bound_option": "same-slope"})

    def widths() -> Tensor:
        region = PerturbationLpNorm(norm=torch.inf, x_L=given.x - given.radius, x_U=given.x + given.radius)
        lower, upper = module.compute_bounds(x=(BoundedTensor(given.x, region),), method="CROWN")
        return upper - lower

    return widths


SUBJECTS: dict[str, Callable[[Problem], Widths]] = {
    OURS: reachbox_widths,
    "convex-adversarial": convex_adversarial_widths,
    "auto_LiRPA": auto_lirpa_widths,
}
PEERS = {"convex-adversarial": "convex_adversarial", "auto_LiRPA": "auto_LiRPA"}  # and what is imported
PEER_COLUMNS = ("K&W", "ratio", "LiRPA", "ratio")


@torch.no_grad()
def forward(widths: Widths, given: Problem) -> Tensor:
    return widths()


def backward(widths: Widths, given: Problem) -> Tensor:
    """The gradient of the summed log widths to all parameters, in one vector; a forward pass is part of it."""
    loss = widths().log().sum()
    parts = torch.autograd.grad(loss, list(given.module.parameters()), allow_unused=True, materialize_grads=True)
    return torch.cat([part.flatten() for part in parts])


PASSES = {"forward": forward, "forward + backward": backward}


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


# Memory


@dataclass(frozen=True)
class Peak:
    """Memory that one forward + backward needs above what the process held before, or why there is no number."""

    workload: str
    subject: str
    mebibytes: float | None = None
    failure: str = ""


def peak(name: str, subject: str, folder: Path, patience: int) -> Peak:
    """Measured in a fresh process, which ends after `patience` seconds of computing."""
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=measure_peak, args=(name, subject, folder, patience, sys.path, sender))
    process.start()
    sender.close()
    try:
        found: Peak = receiver.recv()
    except EOFError:
        process.join()
        is_slow = process.exitcode == -signal.SIGXCPU
        reason = f"more than {patience} s of processor time" if is_slow else f"exit code {process.exitcode}"
        return Peak(name, subject, failure=reason)
    process.join()
    return found


def measure_peak(name: str, subject: str, folder: Path, patience: int, path: list[str], sender: Connection) -> None:
    """The fresh process: everything is loaded and compiled on one sample of a tiny box, then the peak is counted anew.

    Linux resets the peak of the resident set when 5 is written to `clear_refs`. Half of the free memory is the limit.
    """
    sys.path[:] = path
    torch.set_num_threads(1)
    given = problem(WORKLOADS[name], folder)
    small = replace(given, x=given.x[:1], radius=given.radius / 1000)
    backward(SUBJECTS[subject](small), small)
    CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    limit(resource.RLIMIT_AS, memory("/proc/meminfo", "MemAvailable") * 1024 // 2)
    limit(resource.RLIMIT_CPU, int(process_time()) + patience)
    before = memory("/proc/self/status", "VmRSS")
    try:
        backward(SUBJECTS[subject](given), given)
        sender.send(Peak(name, subject, (memory("/proc/self/status", "VmHWM") - before) / 1024))
    except (RuntimeError, MemoryError) as error:
        reason = "more than half of the free memory" if "allocate" in str(error) else str(error).splitlines()[0]
        sender.send(Peak(name, subject, failure=reason))


def limit(kind: int, value: int) -> None:
    resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def memory(file: str, entry: str) -> int:
    """An entry of one of Linux's tables, in KiB."""
    found = re.search(rf"^{entry}:\s+(\d+) kB", Path(file).read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


# Time


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call: median and quartiles over `calls`, and the median by the clock on the wall."""

    workload: str
    threads: int
    passes: str
    subject: str
    milliseconds: float
    lower_quartile: float
    upper_quartile: float
    wall_milliseconds: float
    calls: int


def timings(name: str, threads: int, tasks: Tasks, rounds: int) -> list[Timing]:
    """The workload's tasks with that many threads: processor time for one thread, wall-clock time for more."""
    torch.set_num_threads(threads)
    found = []
    for (passes, subject), calls in interleaved(tasks, rounds).items():
        wall, processor = zip(*calls, strict=True)
        seconds = processor if threads == 1 else wall
        low, middle, high = (1e3 * float(quartile) for quartile in np.quantile(seconds, (0.25, 0.5, 0.75)))
        found.append(Timing(name, threads, passes, subject, middle, low, high, 1e3 * median(wall), len(calls)))
    return found


def interleaved(tasks: Tasks, rounds: int) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """The seconds of every call: the tasks take turns, round by round, after one call each that does not count."""
    first = {name: timed(task) for name, task in tasks.items()}
    calls: dict[tuple[str, str], list[tuple[float, float]]] = {name: [] for name in tasks}
    for number in range(rounds):
        for name, task in tasks.items():
            every = -(-rounds // SLOW_TURNS) if min(first[name]) > SLOW else 1
            if number % every == 0:
                calls[name] += turn(task)
    return calls


def turn(task: Callable[[], object]) -> list[tuple[float, float]]:
    calls = [timed(task)]
    while sum(wall for wall, _ in calls) + calls[-1][0] < TURN:
        calls.append(timed(task))
    return calls


def timed(task: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock on the wall, and of all processors together."""
    wall, processor = perf_counter(), process_time()
    task()
    return perf_counter() - wall, process_time() - processor


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


def digits(value: float | None) -> str:
    """Three digits."""
    return "" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def ratio_cells(peer: float | None, ours: float | None) -> tuple[str, str]:
    return (digits(peer), f"{peer / ours:.1f}x" if peer is not None and ours else "")


def titled(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table below its title."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    sizes = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, sizes)) + " |" for row in cells]
    rule = "|" + "|".join("-" * (size + 2) for size in sizes) + "|"
    return "\n".join([f"{title}:", "", lines[0], rule, *lines[1:]])


def machine() -> dict[str, object]:
    """What the figures depend on; nothing that names the machine."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    processor = found[1] if found else platform.processor()
    return {
        "processor": processor,
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": memory("/proc/meminfo", "MemTotal") / 2**20,
    }


def versions(peers: Sequence[str]) -> dict[str, str]:
    found = {"reachbox": rb.__version__, "Python": platform.python_version()}
    for package in ("torch", "numpy", "numba", *peers):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = getattr(sys.modules.get(package), "__version__", "from source")
    return found


def record_in_readme(text: str) -> None:
    """Replaces what stands between the markers of `README.md`."""
    readme = Path(__file__).with_name("README.md")
    head, rest = readme.read_text().split(MARKERS[0])
    tail = rest.split(MARKERS[1])[1]
    readme.write_text(f"{head}{MARKERS[0]}\n\n{text}\n{MARKERS[1]}{tail}")


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
        record = Record(
            datetime.now(UTC).date().isoformat(), machine(), round(os.getloadavg()[0], 1), versions(self.peers)
        )
        for name in names:
            tasks = training_tasks(self.folder) if name == TRAINING_STEP else self.prepared(name, record)
            for threads in self.threads:
                say(f"{name}: time, {threads} threads")
                record.timings.extend(timings(name, threads, tasks, self.rounds))
        return record

    def prepared(self, name: str, record: Record) -> Tasks:
        """What is to be timed on a workload; memory, which also tells who is too slow, and equality are recorded."""
        given = problem(WORKLOADS[name], self.folder)
        record.accuracies[name] = accuracy(WORKLOADS[name].network, given.module)
        say(f"{name}: memory")
        peaks = [peak(name, subject, self.folder, self.patience) for subject in (OURS, *self.peers)]
        record.peaks.extend(peaks)
        able = [found.subject for found in peaks if found.subject != OURS and not found.failure]
        say(f"{name}: equality")
        record.differences.extend(differences(name, given, able))
        record.operations[name] = operations(given)
        return bound_tasks(given, [OURS, *able])


def available(auto_lirpa: Path | None) -> list[str]:
    """The peers that can be imported; the others are named on standard error."""
    if auto_lirpa is not None:
        sys.path.append(str(auto_lirpa.resolve()))
    peers = []
    for peer, module in PEERS.items():
        try:
            import_module(module)
            peers.append(peer)
        except ImportError as error:
            say(f"{peer} is left out: {error}; README.md beside this script tells how to install it")
    return peers


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


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
        record_in_readme(found.text)
    wrong = [difference for difference in found.differences if difference.subject == OURS and not difference.is_equal]
    for difference in wrong:
        say(f"{difference.workload}: ours in {difference.precision} differs from {difference.peer}")
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    typer.run(main)

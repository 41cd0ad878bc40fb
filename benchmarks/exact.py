"""The exact box of Iris networks: the paper's whole workload, and its problems one by one against other solvers.

`python benchmarks/exact.py --help`; `README.md` beside this file tells what is measured and how.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from json import dumps as to_json
from pathlib import Path
from textwrap import fill
from time import perf_counter, process_time
from typing import Annotated, Any, TypeAlias

import numpy as np
import torch
import typer
from tables import digits, machine, titled, write_results
from torch import Tensor, nn

import reachbox as rb
from reachbox.data import load
from reachbox.reach.encoding import Instance, Side, big_m, relu_system
from reachbox.reach.encoding.linear import cost_of
from reachbox.reach.encoding.ranges import unit_ranges
from reachbox.reach.exact import exact_stack
from reachbox.reach.exact.rounding import unit_ranges as interval_ranges
from reachbox.reach.program import Floats
from reachbox.reach.program import lower as lower_network

NETWORKS, PENALTY = 763, 1e-3
PACKAGES = {"HiGHS": "highspy", "Gurobi": "gurobipy", "Marabou": "maraboupy"}
ENGINES = {"HiGHS": ("highs", "Highs"), "Gurobi": ("gurobi", "Gurobi")}
MARABOU = "Marabou"
TOLERANCE, MARABOUS_TOLERANCE = 1e-6, 2e-4
BY_INTERVALS = ", M by intervals"
OURS = "reachbox"
OUR_TURN = 5  # problems of the others between two turns of ours


def trained(seed: int) -> nn.Sequential:
    """A minimum of the energy on raw Iris features, by L-BFGS from a random start."""
    iris = load("iris")
    torch.manual_seed(seed)
    sizes = [4, 25, 25, 25, 3]
    layers = [nn.Linear(before, after).double() for before, after in pairwise(sizes)]
    module = nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))[:-1]
    for weight in module.parameters():
        weight.data.normal_(std=0.3)
    optimiser = torch.optim.LBFGS(module.parameters(), max_iter=1500, history_size=20, line_search_fn="strong_wolfe")

    def energy() -> Tensor:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(module(iris.x_train), iris.y_train)
        loss = loss + PENALTY * sum((weight**2).sum() for weight in module.parameters())
        loss.backward()
        return loss

    optimiser.step(energy)
    return module


def stacked(modules: list[nn.Sequential], networks: int) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and biases of each layer, the modules repeated to so many networks."""
    chosen = [modules[number % len(modules)] for number in range(networks)]
    layers = [[part for part in module if isinstance(part, nn.Linear)] for module in chosen]
    return (
        [torch.stack([layer.weight.detach() for layer in same]) for same in zip(*layers, strict=True)],
        [torch.stack([layer.bias.detach() for layer in same]) for same in zip(*layers, strict=True)],
    )


# One problem: one side of one output of one sample


@dataclass(frozen=True)
class Problem:
    """The largest value of a row over a box, with what `dual`, `crown` and intervals know of it, ready for a solver."""

    network: rb.Network
    box: rb.Box
    side: Side
    low: Floats
    high: Floats
    intervals: tuple[Floats, Floats]

    @property
    def instance(self) -> Instance:
        return Instance(self.network, self.box.lower[0].numpy(), self.box.upper[0].numpy())


Solver: TypeAlias = Callable[[Problem], tuple[float, float]]
"""The largest value that a solver proves, and the processor seconds that it takes, its model made anew."""


def by_branch_and_cut(engine_type: Any, is_by_intervals: bool) -> Solver:
    """Big-M from our tightest ranges, or from intervals; only the solver's own work is counted."""

    def solve(problem: Problem) -> tuple[float, float]:
        ranges = problem.intervals if is_by_intervals else (problem.low, problem.high)
        program = big_m(lower_network(problem.network), *ranges)
        cost = cost_of(-problem.side.row, program)
        started = process_time()
        found = engine_type(program).optimum(cost, 600.0)
        seconds = process_time() - started
        if found.ended != "solved":
            raise RuntimeError(f"{engine_type.__name__}: {found.ended}")
        return -found.bound, seconds

    return solve


@dataclass
class InThisProcess:
    """A solver without a process of its own, so that its time can be counted."""

    engine: Any

    def ask(self, question: str, *arguments: object, time_limit: float | None) -> object:
        return getattr(self.engine, question)(*arguments, 600.0 if time_limit is None else time_limit)


def by_bisection(problem: Problem) -> tuple[float, float]:
    """Marabou, as `smt` asks it."""
    from reachbox.solvers.marabou import Marabou

    system = relu_system(lower_network(problem.network), problem.low, problem.high)
    started = process_time()
    child: Any = InThisProcess(Marabou(system))
    found = rb.Smt().solved(problem.side, problem.instance, system, child)
    return found.outer, process_time() - started


def solvers() -> dict[str, Solver]:
    """Those that are installed, by name."""
    found: dict[str, Solver] = {}
    for name, package in PACKAGES.items():
        if find_spec(package) is None:
            say(f"{name} is left out: {package} is not installed")
        elif name == MARABOU:
            found[name] = by_bisection
        else:
            module, engine = ENGINES[name]
            engine_type = getattr(import_module(f"reachbox.solvers.{module}"), engine)
            found[name] = by_branch_and_cut(engine_type, is_by_intervals=False)
            found[name + BY_INTERVALS] = by_branch_and_cut(engine_type, is_by_intervals=True)
    return found


def drawn(networks: Sequence[rb.Network], sigma: float, generator: np.random.Generator) -> Problem:
    """A random network, sample, output and side."""
    iris = load("iris")
    network = networks[int(generator.integers(len(networks)))]
    sample, output, sign = generator.integers(len(iris.x_train)), generator.integers(3), generator.choice([-1.0, 1.0])
    box = rb.Box.around(iris.x_train[sample : sample + 1], iris.radius(sigma=sigma))
    program, ends = lower_network(network), (box.lower.numpy(), box.upper.numpy())
    low, high = unit_ranges(program, *ends)
    widest = interval_ranges(program, np.zeros(1, dtype=np.int64), *ends)
    row = sign * np.eye(3)[output]
    seen = rb.reach(network, box, "sampled", objective=row[None])
    assert seen.attaining_upper is not None
    known = rb.reach(network, box, "crown", objective=row[None])
    side = Side(row, known.upper.item(), seen.upper.item(), seen.attaining_upper.flatten().numpy())
    return Problem(network, box, side, low[0], high[0], (widest[0][0], widest[1][0]))


# The run


@dataclass(frozen=True)
class Workload:
    """All networks, samples, outputs and sides at once, by ours."""

    sigma: float
    problems: int
    threads: int
    seconds: float
    processor_seconds: float
    kind: str
    largest_gap: float

    @property
    def milliseconds(self) -> float:
        """Processor time of one problem."""
        return 1e3 * self.processor_seconds / self.problems


@dataclass(frozen=True)
class Comparison:
    """One solver on single problems, ours on all of them in turn: processor milliseconds of a problem on average."""

    sigma: float
    solver: str
    problems: int
    milliseconds: float
    ours: float
    largest_difference: float

    @property
    def is_equal(self) -> bool:
        return self.largest_difference <= (MARABOUS_TOLERANCE if self.solver == MARABOU else TOLERANCE)


def whole_workload(weights: list[Tensor], biases: list[Tensor], sigma: float) -> Workload:
    iris = load("iris")
    box = rb.Box.around(iris.x_train, iris.radius(sigma=sigma))
    started, processor = perf_counter(), process_time()
    out = exact_stack(weights, biases, box)
    seconds, processor = perf_counter() - started, process_time() - processor
    assert out.inner_upper is not None
    assert out.inner_lower is not None
    gap = max(float((out.upper - out.inner_upper).max()), float((out.inner_lower - out.lower).max()))
    return Workload(sigma, 2 * out.lower.numel(), torch.get_num_threads(), seconds, processor, str(out.kind), gap)


def compared(
    modules: list[nn.Sequential], sigma: float, counts: dict[str, int], asked: dict[str, Solver]
) -> list[Comparison]:
    """The solvers and ours take turns: each a problem, ours all problems of all networks, a part of the workload."""
    iris = load("iris")
    box = rb.Box.around(iris.x_train, iris.radius(sigma=sigma))
    networks = [rb.Network.from_module(module, iris.x_train) for module in modules]
    weights, biases = stacked(modules, len(modules))
    generator = np.random.default_rng(0)
    seconds, ours, turns, worst = dict.fromkeys(asked, 0.0), 0.0, 0, dict.fromkeys(asked, 0.0)
    for number in range(max(counts.values())):
        problem = drawn(networks, sigma, generator)
        if number % OUR_TURN == 0:
            started = process_time()
            count = 2 * exact_stack(weights, biases, box).lower.numel()
            ours, turns = ours + (process_time() - started) / count, turns + 1
        expected = rb.reach(problem.network, problem.box, "exact", objective=problem.side.row[None]).upper.item()
        for name, solve in asked.items():
            if number < counts[name]:
                found, taken = solve(problem)
                seconds[name] += taken
                worst[name] = max(worst[name], abs(found - expected))
    return [
        Comparison(sigma, name, counts[name], 1e3 * seconds[name] / counts[name], 1e3 * ours / turns, worst[name])
        for name in asked
    ]


# Report


@dataclass(frozen=True)
class Record:
    """One run of the benchmark: what `--json` writes."""

    date: str
    machine: dict[str, object]
    load: float
    versions: dict[str, str]
    workloads: list[Workload] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The tables, in Markdown that is readable as it is."""
        machine = f"{self.machine['processor']}, {self.machine['cores']} cores, {self.machine['memory_gib']:.0f} GiB"
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        head = fill(f"{self.date}; {machine}; load {self.load} at the start. {versions}.", 100)
        return "\n\n".join([head, self.workload_table(), self.comparison_table()]) + "\n"

    def workload_table(self) -> str:
        header = ["sigma", "problems", "threads", "seconds", "processor seconds", "ms a problem", "kind", "largest gap"]
        rows = [
            [w.sigma, w.problems, w.threads, digits(w.seconds), digits(w.processor_seconds), f"{w.milliseconds:.5f}",
             w.kind, f"{w.largest_gap:.0e}"]
            for w in self.workloads
        ]  # fmt: skip
        return titled("The whole workload, rounding included", header, rows)

    def comparison_table(self) -> str:
        header = ["sigma", "solver", "problems", "ms a problem", OURS, "times faster", "largest difference"]
        rows = [
            [c.sigma, c.solver, c.problems, digits(c.milliseconds), f"{c.ours:.5f}",
             f"{c.milliseconds / c.ours:.0f}", f"{c.largest_difference:.0e}"]
            for c in self.comparisons
        ]  # fmt: skip
        return titled("Problem by problem, processor time", header, rows)


def versions(names: Sequence[str]) -> dict[str, str]:
    packages = {OURS: OURS, "torch": "torch", "numba": "numba"} | {
        name: PACKAGES[name] for name in names if name in PACKAGES
    }
    return {name: version(package) for name, package in packages.items()}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(
    minima: Annotated[int, typer.Option(min=1, help="how many networks to train")] = 12,
    networks: Annotated[int, typer.Option(min=1, help="to how many they are repeated")] = NETWORKS,
    problems: Annotated[int, typer.Option(min=1, help="problems of each sigma for HiGHS and Gurobi")] = 334,
    queries: Annotated[int, typer.Option(min=1, help="problems of each sigma for Marabou")] = 10,
    threads: Annotated[int, typer.Option(help="threads of our engine for the whole workload; else one")] = 2,
    sigmas: Annotated[str, typer.Option(help="radii as shares of each feature's range")] = "0.05,0.1,0.2",
    json: Annotated[Path | None, typer.Option(help="file that receives every figure")] = None,
    record: Annotated[bool, typer.Option("--record", help="write the tables into README.md")] = False,
) -> None:
    """The exact box of reachbox against HiGHS, Gurobi and Marabou: agreement and time."""
    asked = solvers()
    found = Record(datetime.now(UTC).date().isoformat(), machine(), round(os.getloadavg()[0], 1), versions(list(asked)))
    modules = [trained(seed) for seed in range(minima)]
    weights, biases = stacked(modules, networks)
    first = load("iris").x_train
    exact_stack([weight[:1] for weight in weights], [bias[:1] for bias in biases], rb.Box(first, first))  # compiles
    counts = {name: queries if name == MARABOU else problems for name in asked}
    for sigma in (float(part) for part in sigmas.split(",")):
        say(f"sigma {sigma}: the whole workload")
        torch.set_num_threads(threads)
        found.workloads.append(whole_workload(weights, biases, sigma))
        say(f"sigma {sigma}: problem by problem")
        torch.set_num_threads(1)
        found.comparisons.extend(compared(modules, sigma, counts, asked))
    print(found.text)
    if json is not None:
        json.write_text(to_json(asdict(found), indent=1) + "\n")
    if record:
        write_results(found.text, "exact.py")
    wrong = [comparison for comparison in found.comparisons if not comparison.is_equal]
    for comparison in wrong:
        say(f"sigma {comparison.sigma}: {comparison.solver} differs by {comparison.largest_difference:.2e}")
    if wrong:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)

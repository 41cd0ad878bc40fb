"""Branch and bound on the signs of units, on MNIST networks with hundreds of inputs, against HiGHS and Gurobi.

`python benchmarks/branching.py --help`; `README.md` beside this file tells what is measured and how.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from json import dumps as to_json
from pathlib import Path
from textwrap import fill
from time import process_time
from typing import Annotated, Any

import numpy as np
import torch
import typer
from exact import OURS, versions
from tables import digits, machine, say, titled, write_results
from workloads import RECIPES, Recipe, accuracy, load_data, trained

import reachbox as rb
from reachbox.data.download import cache_folder
from reachbox.network.architectures import build
from reachbox.reach.encoding import big_m
from reachbox.reach.encoding.linear import cost_of
from reachbox.reach.encoding.ranges import unit_ranges
from reachbox.reach.program import lower
from reachbox.solvers.problem import LinearProgram, Optimum

GAP, WIDE_GAP, LIMIT = 1e-3, 1e-2, 60.0
"""What all may leave at eps .02, ours at eps .05, and the seconds that a problem may take."""
SLACK = 1e-6
"""By how much a solver's claims may miss: its own tolerances."""
NETWORKS = {"784-20-20-10": "mlp:20,20", "784-50-50-10": "mlp:50,50"}
for name, architecture in NETWORKS.items():
    RECIPES[name] = Recipe(
        "mnist", lambda architecture=architecture: build(architecture, (1, 28, 28), 10), samples=60_000, epochs=4
    )


@dataclass(frozen=True)
class Boxes:
    """A network and boxes around the first samples that test, one plain radius for every pixel."""

    network: rb.Network
    box: rb.Box
    name: str
    eps: float

    @classmethod
    def of(cls, name: str, eps: float, count: int, folder: Path) -> Boxes:
        module, x = trained(name, folder).double(), load_data("mnist").x_test[:count].double()
        say(f"{name}: {accuracy(name, module.float()):.1%} of the test samples are classified rightly")
        return cls(rb.Network.from_module(module.double(), x), rb.Box.around(x, eps), name, eps)

    def sample(self, number: int) -> rb.Box:
        """One of the boxes."""
        return rb.Box(self.box.lower[number : number + 1], self.box.upper[number : number + 1])

    def ours(self, number: int, gap: float) -> tuple[rb.Reach, float]:
        """All twenty problems of a sample, and the processor seconds that they take."""
        count = 2 * int(np.prod(self.network.output_shape))
        method = rb.Exact(engine="branching", tolerance=gap, time_limit=LIMIT * count, regions=1 << 62)
        started = process_time()
        return rb.reach(self.network, self.sample(number), method), process_time() - started


@dataclass(frozen=True)
class Row:
    """Ours on all problems of the samples, a solver on one of each: processor milliseconds of a problem on average."""

    network: str
    eps: float
    gap: float
    open_units: str
    subject: str
    problems: int
    closed: int
    milliseconds: float
    ours: float | None
    largest_contradiction: float

    @property
    def cells(self) -> list[object]:
        ratio = "" if self.ours is None else f"{self.milliseconds / self.ours:.0f}"
        return [
            self.network, self.eps, self.gap, self.open_units, self.subject, f"{self.closed} of {self.problems}",
            digits(self.milliseconds), ratio, f"{self.largest_contradiction:.0e}",
        ]  # fmt: skip


def highs(program: LinearProgram) -> Any:
    from reachbox.solvers.highs import Highs

    engine = Highs(program)
    engine.mixed.setOptionValue("mip_abs_gap", GAP)
    return engine


def gurobi(program: LinearProgram) -> Any:
    from reachbox.solvers.gurobi import Gurobi

    engine = Gurobi(program)
    engine.loaded[0].Params.MIPGapAbs = GAP
    return engine


def solvers() -> dict[str, Callable[[LinearProgram], Any]]:
    """Those that are installed."""
    if find_spec("gurobipy") is None:
        say("Gurobi is left out: gurobipy is not installed")
        return {"HiGHS": highs}
    return {"HiGHS": highs, "Gurobi": gurobi}


def compared(boxes: Boxes, asked: dict[str, Callable[[LinearProgram], Any]], solved_samples: int) -> list[Row]:
    """For each sample: ours on all its problems, then, for the first, each solver on one that is drawn."""
    generator, count = np.random.default_rng(0), boxes.box.shape[0]
    program = lower(boxes.network)
    ends = boxes.box.lower.flatten(1).numpy(), boxes.box.upper.flatten(1).numpy()
    low, high = unit_ranges(program, *ends)
    hidden = slice(program.inputs, int(program.begin[-2]))
    open_units = ((low < 0) & (high > 0))[:, hidden].sum(1)
    spread = f"{open_units.min()} to {open_units.max()}"
    ours, closed = 0.0, 0
    seconds, solved, worst = dict.fromkeys(asked, 0.0), dict.fromkeys(asked, 0), dict.fromkeys(asked, -np.inf)
    for number in range(count):
        out, taken = boxes.ours(number, GAP)
        ours, closed = ours + taken, closed + int(out.solved.sum())
        say(f"{boxes.name} eps {boxes.eps}, sample {number}: {int(out.solved.sum())} of 20 closed, {taken:.2f} s")
        if number >= solved_samples:
            continue
        output, sign = int(generator.integers(10)), float(generator.choice([-1.0, 1.0]))
        model = big_m(program, low[number], high[number])
        cost = cost_of(-sign * np.eye(10)[output], model)
        for name, make in asked.items():
            started = process_time()
            found: Optimum = make(model).optimum(cost, LIMIT)
            seconds[name] += process_time() - started
            solved[name] += found.ended == "solved"
            worst[name] = max(worst[name], contradiction(out, output, sign, -found.bound))
            say(f"{name}: {found.ended}, {seconds[name]:.1f} s until now")
    problems, asked_count = 20 * count, min(count, solved_samples)
    mean = 1e3 * ours / problems
    return [
        Row(boxes.name, boxes.eps, GAP, spread, OURS, problems, closed, mean, None, 0.0),
        *(
            Row(boxes.name, boxes.eps, GAP, spread, name, asked_count, solved[name], 1e3 * seconds[name] / asked_count,
                mean, max(0.0, worst[name]))
            for name in asked
        ),
    ]  # fmt: skip


def contradiction(out: rb.Reach, output: int, sign: float, bound: float) -> float:
    """By how much a solver's proven bound lies below a value that ours attains."""
    inner = out.inner_upper if sign > 0 else out.inner_lower
    assert inner is not None
    return sign * float(inner[0, output]) - bound


def alone(boxes: Boxes) -> Row:
    """Ours where solvers' time passes."""
    count, ours, closed = boxes.box.shape[0], 0.0, 0
    program = lower(boxes.network)
    low, high = unit_ranges(program, boxes.box.lower.flatten(1).numpy(), boxes.box.upper.flatten(1).numpy())
    hidden = slice(program.inputs, int(program.begin[-2]))
    units = ((low < 0) & (high > 0))[:, hidden].sum(1)
    for number in range(count):
        out, taken = boxes.ours(number, WIDE_GAP)
        ours, closed = ours + taken, closed + int(out.solved.sum())
        say(f"{boxes.name} eps {boxes.eps}, sample {number}: {int(out.solved.sum())} of 20 closed, {taken:.1f} s")
    spread = f"{units.min()} to {units.max()}"
    return Row(boxes.name, boxes.eps, WIDE_GAP, spread, OURS, 20 * count, closed, 1e3 * ours / (20 * count), None, 0.0)


def main(
    samples: Annotated[int, typer.Option(help="boxes of each network at eps .02")] = 20,
    solved: Annotated[int, typer.Option(help="of these, those on which solvers are asked")] = 20,
    wide: Annotated[int, typer.Option(help="boxes at eps .05")] = 3,
    cache: Annotated[Path | None, typer.Option(help="folder that keeps trained networks")] = None,
    json: Annotated[Path | None, typer.Option(help="file that receives every figure")] = None,
    record: Annotated[bool, typer.Option("--record", help="write the table into README.md")] = False,
) -> None:
    """Boxes of MNIST networks, exact to a gap: reachbox against HiGHS and Gurobi, one thread."""
    torch.set_num_threads(1)
    folder = cache_folder() / "benchmarks" if cache is None else cache
    asked = solvers()
    load = round(os.getloadavg()[0], 1)
    warm = Boxes.of("784-20-20-10", 1e-3, 1, folder)
    for gap in (GAP, 1e-9):  # compiles
        warm.ours(0, gap)
    rows = [row for name in NETWORKS for row in compared(Boxes.of(name, 0.02, samples, folder), asked, solved)]
    if wide:
        rows.append(alone(Boxes.of("784-50-50-10", 0.05, wide, folder)))
    header = ["network", "eps", "gap", "open units", "by", "closed", "ms a problem", "times ours", "contradiction"]
    packages = ", ".join(f"{name} {number}" for name, number in versions(list(asked)).items())
    info = machine()
    date, hardware = datetime.now(UTC).date().isoformat(), f"{info['processor']}, {info['cores']} cores"
    head = fill(f"{date}; {hardware}; load {load} at the start. {packages}.", 100)
    text = head + "\n\n" + titled("Processor time, one thread", header, [row.cells for row in rows]) + "\n"
    print(text)
    if json is not None:
        json.write_text(to_json([asdict(row) for row in rows], indent=1) + "\n")
    if record:
        write_results(text, "branching.py")
    if any(row.largest_contradiction > SLACK for row in rows):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)

"""Landscapes: distinct minima and transition states a minute against topsearch, and evaluations a second.

`python benchmarks/landscape.py --help`; `README.md` beside this file tells what is measured and how.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Annotated

import numpy as np
import typer
from tables import digits, machine, titled, write_results

from reachbox.data import load
from reachbox.landscape import (
    Database,
    Energy,
    Exploration,
    LennardJones,
    PerceptronEnergy,
    Tanh,
    distinct_count,
    explore,
    landscape_of,
)

WIDTHS, L2, TOLERANCE = (4, 25, 25, 25, 3), 1e-3, 1e-5
LJ7_MINIMA = (-16.505384, -15.935043, -15.593211, -15.533060)
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Measured:
    """What one program found on one problem: distinct points and processor seconds until the last new one."""

    problem: str
    program: str
    minima: int
    states: int
    seconds: float
    speed: float

    def a_minute(self, found: int) -> float:
        """So many found in these seconds, as a rate."""
        return 60 * found / self.seconds


def problems() -> dict[str, tuple[Energy, Exploration]]:
    """The surfaces by name, with how reachbox explores them."""
    iris = load("iris")
    network = PerceptronEnergy(WIDTHS, Tanh(), iris.x_train.double().numpy(), iris.y_train.numpy(), l2=L2)
    return {"lj7": (LennardJones(7), Exploration()), "iris": (network, landscape_of(network).exploration)}


def ours(name: str, seconds: float) -> Measured:
    """reachbox in this process, machine code loaded before the time begins."""
    energy, options = problems()[name]
    start = energy.random_points(8, np.random.default_rng(0))
    with TemporaryDirectory() as folder:
        with Database(Path(folder) / "warm.db", energy.describe()) as database:
            warm = explore(energy, database, Exploration(batch=2, kinds=options.kinds, searching=options.searching))
            for _ in options.kinds:
                next(warm)
        with Database(Path(folder) / "landscape.db", energy.describe()) as database:
            begin, last = process_time(), 0.0
            known = (0, 0)
            for progress in explore(energy, database, options):
                if (progress.minima, progress.transition_states) != known:
                    known, last = (progress.minima, progress.transition_states), process_time() - begin
                if process_time() - begin > seconds or known == (4, 12):
                    break
    return Measured(name, "reachbox", *known, last, evaluations_a_second(energy, start))


def evaluations_a_second(energy: Energy, points: np.ndarray) -> float:
    """Energies with gradients, eight points at a time."""
    energy.value_and_gradient(points)
    begin, calls = process_time(), 0
    while process_time() - begin < 1.0:
        energy.value_and_gradient(points)
        calls += len(points)
    return calls / (process_time() - begin)


def topsearch(name: str, python: Path, seconds: float) -> Measured:
    """topsearch in a process of its own; on Lennard-Jones only published minima and states above them count."""
    iris = load("iris")
    data = json.dumps({"inputs": iris.x_train.tolist(), "labels": iris.y_train.tolist()})
    environment = {**os.environ, "REACHBOX_BENCHMARK_DATA": data, "OMP_NUM_THREADS": "1"}
    command = [str(python), "-W", "ignore", str(HERE / "landscape_peer.py"), name, str(seconds), "0"]
    found = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    minima = np.array(found["minima"])
    if name == "lj7":
        minima = minima[[bool(np.abs(energy - np.array(LJ7_MINIMA)).min() < 1e-4) for energy in minima]]
    states = distinct_count(np.array(found["states"]), TOLERANCE)
    return Measured(
        name, "topsearch", distinct_count(minima, TOLERANCE), states, float(found["seconds"]), float(found["speed"])
    )


def limit() -> float:
    """Evaluations a second of the Iris network if its matrix products alone took time, at a large product's speed."""
    samples = 150
    products = sum(2 * samples * fan_in * fan_out for fan_in, fan_out in pairwise(WIDTHS))
    back = sum(2 * samples * fan_in * fan_out for fan_in, fan_out in pairwise(WIDTHS[1:]))
    matrix = np.random.default_rng(0).random((700, 700))
    return 1 / ((2 * products + back) * seconds_of(lambda: matrix @ matrix) / (2 * 700**3))


def seconds_of(call: Callable[[], object]) -> float:
    """The shortest of many calls."""
    times = []
    for _ in range(20):
        begin = process_time()
        for _ in range(5):
            call()
        times.append((process_time() - begin) / 5)
    return min(times)


def table(found: Sequence[Measured], top: float) -> str:
    """What each found, in Markdown, with the ratio of our rate to the peer's."""
    rows = []
    for one in found:
        peer = next((other for other in found if (other.problem, other.program) == (one.problem, "topsearch")), None)
        pairs = [(one.minima, peer and peer.minima), (one.states, peer and peer.states)]
        cells = []
        for own, others in pairs:
            rate = one.a_minute(own)
            ratio = "" if peer is None or one is peer else _ratio(rate, peer, int(others or 0))
            cells += [str(own), digits(rate), ratio]
        rows.append([one.problem, one.program, digits(one.seconds), *cells, digits(one.speed)])
    points = ["minima", "a minute", "ratio", "states", "a minute", "ratio"]
    header = ["problem", "program", "CPU s", *points, "energy+gradient/s"]
    title = "Distinct converged points within processor time, one thread"
    limit_line = (
        f"If the matrix products of the Iris network alone took time, at the speed of a large one: {digits(top)} "
        "evaluations a second."
    )
    return f"{titled(title, header, rows)}\n\n{limit_line}\n"


def _ratio(rate: float, peer: Measured, found: int) -> str:
    """Against a peer that found none, against the one that it might have found next."""
    return f"{rate / peer.a_minute(found):.0f}x" if found else f"> {rate / peer.a_minute(1):.0f}x"


def main(
    topsearch_python: Annotated[Path | None, typer.Option(help="Python of an environment with topsearch")] = None,
    seconds: Annotated[float, typer.Option(help="processor seconds for each program and problem")] = 120.0,
    names: Annotated[str, typer.Option("--problems", help="lj7, iris")] = "lj7,iris",
    out: Annotated[Path | None, typer.Option("--json", help="file that receives every figure")] = None,
    record: Annotated[bool, typer.Option("--record", help="write the table into README.md")] = False,
) -> None:
    """Distinct minima and transition states a minute, and evaluations a second."""
    found = []
    for name in names.split(","):
        found.append(ours(name, seconds))
        if topsearch_python is not None:
            found.append(topsearch(name, topsearch_python, seconds))
    top = limit()
    text = (
        f"{datetime.now(UTC).date()}, {machine()['processor']}, load {os.getloadavg()[0]:.1f}.\n\n{table(found, top)}"
    )
    print(text)
    if out is not None:
        out.write_text(json.dumps({"limit": top, "found": [asdict(one) for one in found]}, indent=1) + "\n")
    if record:
        write_results(text, "landscape.py")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    typer.run(main)

"""What is left of the weights of the paper's Iris network at its stationary points, and how climbs to them end.

`python benchmarks/condensing.py --help`; the tables stand in `docs/landscape.md`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Annotated

import numpy as np
import typer
from tables import digits, machine, say, titled, write_results

from reachbox.data import load
from reachbox.landscape import (
    Activation,
    Condensed,
    Database,
    Energy,
    Landscape,
    Newton,
    PerceptronEnergy,
    ReLU,
    StationaryPoint,
    Tanh,
    condense,
    explore,
    landscape_of,
    newton_descent,
)
from reachbox.studies.landscape import Effort, survey

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "landscape.md"
WIDTHS, L2 = (4, 25, 25, 25, 3), 1e-3
STEPS = 20


@dataclass(frozen=True)
class Subject:
    """An activation, and whether it has transition states that are looked for."""

    name: str
    activation: Activation
    has_states: bool

    @property
    def landscape(self) -> Landscape:
        """With the settings of `reachbox landscape explore`."""
        iris = load("iris")
        inputs, labels = iris.x_train.double().numpy(), iris.y_train.numpy()
        return landscape_of(PerceptronEnergy(WIDTHS, self.activation, inputs, labels, l2=L2))


SUBJECTS = (Subject("ReLU, bend .001", ReLU(), False), Subject("tanh", Tanh(), True))


@dataclass(frozen=True)
class Found:
    """Points of a kind, all with their condensed networks."""

    name: str
    points: tuple[StationaryPoint, ...]
    condensed: tuple[Condensed, ...]

    @property
    def weights(self) -> list[int]:
        """How many are left at each point."""
        return [one.energy.dimension for one in self.condensed]

    @property
    def units(self) -> list[int]:
        """How many are left in each hidden layer of each point."""
        return [width for one in self.condensed for width in one.energy.widths[1:-1]]

    @property
    def milliseconds(self) -> float:
        """Processor time of a step of Newton's method, the median over the points."""
        return float(np.median([_newton_step(one) for one in self.condensed]))

    @property
    def largest_rms(self) -> float:
        """Of the whole network's gradients."""
        return max(point.rms for point in self.points)

    @property
    def largest_error(self) -> float:
        """The largest estimate of how far an energy is off."""
        return max(point.error or 0.0 for point in self.points)


def _newton_step(condensed: Condensed) -> float:
    """Milliseconds, from a point nearby, with a goal beyond reach."""
    generator = np.random.default_rng(0)
    start = condensed.point + 1e-3 * generator.standard_normal(len(condensed.point))
    begin = process_time()
    end = newton_descent(condensed.energy, start[None], Newton(rms=1e-30, max_steps=STEPS))
    return 1000 * (process_time() - begin) / int(end.evaluations[0])


def explored(subject: Subject, path: Path, count: int, climbs: int) -> tuple[list[Found], list[Effort]]:
    """Explores until so many minima, and states where there are any, are known, and climbs from minima then."""
    landscape = subject.landscape
    energy, exploration = landscape.energy, landscape.exploration
    with Database(path, energy.describe(), strict=landscape.is_strict) as database:
        for progress in explore(energy, database, exploration):
            say(f"{subject.name}: {progress.minima} minima, {progress.transition_states} transition states")
            if min(progress.minima, progress.transition_states if subject.has_states else count) >= count:
                break
        found = [_found(f"{subject.name}, minima", energy, [one.found for one in database.minima()])]
        if subject.has_states:
            states = [one.found for one in database.transition_states()]
            found.append(_found(f"{subject.name}, transition states", energy, states))
            from_minima = replace(exploration, kinds=("climb_from_minima",), batch=climbs)
            next(iter(explore(energy, database, from_minima)))
        return found, survey(database).effort


def _found(name: str, energy: Energy, points: Sequence[StationaryPoint]) -> Found:
    assert isinstance(energy, PerceptronEnergy)
    return Found(name, tuple(points), tuple(condense(energy, one.point, tolerance=0.0) for one in points))


def sizes(found: Sequence[Found]) -> str:
    """A row for each kind of points."""
    rows = [
        [
            one.name, len(one.points), min(one.weights), f"{np.median(one.weights):.0f}", max(one.weights),
            f"{min(one.units)} to {max(one.units)}", digits(one.milliseconds), f"{one.largest_rms:.0e}",
            f"{one.largest_error:.0e}",
        ]
        for one in found
    ]  # fmt: skip
    weights = PerceptronEnergy(WIDTHS, ReLU(), np.zeros((1, WIDTHS[0])), np.zeros(1, np.int64), l2=L2).dimension
    header = [
        "points", "how many", "least weights", "median", "most", "units a layer", "ms a Newton step", "largest RMS",
        "largest error",
    ]  # fmt: skip
    return titled(f"What is left of the {weights} weights and of the 25 units of each hidden layer", header, rows)


def climbs(efforts: Sequence[Effort]) -> str:
    """A row for each kind of climbs."""
    rows = [
        [one.kind, one.searches, one.converged, digits(one.seconds / max(1, one.searches))]
        for one in efforts
        if one.kind.startswith("climb")
    ]
    return titled("Climbs on the tanh network", ["job", "climbs", "converged", "seconds each"], rows)


def main(
    count: Annotated[int, typer.Option(min=1, help="minima, and transition states, that end an exploration")] = 40,
    climbing: Annotated[int, typer.Option("--climbs", min=1, help="climbs from minima of the tanh network")] = 16,
    record: Annotated[bool, typer.Option("--record", help="write the tables into docs/landscape.md")] = False,
) -> None:
    """Explores the landscape of Iris, and looks at the networks that its points condense to."""
    found: list[Found] = []
    efforts: list[Effort] = []
    with TemporaryDirectory() as folder:
        for number, subject in enumerate(SUBJECTS):
            points, effort = explored(subject, Path(folder) / f"{number}.db", count, climbing)
            found += points
            efforts += effort
    head = f"{datetime.now(UTC).date()}, {machine()['processor']}, one process."
    text = "\n\n".join([head, sizes(found), climbs(efforts)]) + "\n"
    print(text)
    if record:
        write_results(text, "condensing.py", DOCUMENT)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    typer.run(main)

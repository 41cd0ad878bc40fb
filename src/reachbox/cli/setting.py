"""What a result is a result of: it stands beside every result, printed or in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reachbox.cli.computation import Computation
from reachbox.cli.tables import Facts, duration, facts
from reachbox.cli.task import Task
from reachbox.report.versions import versions


@dataclass(frozen=True)
class Setting:
    """The model, the task and the computation of a result."""

    model: Path
    task: Task
    computation: Computation

    def record(self) -> dict[str, object]:
        """For the JSON object."""
        task = {"data": self.task.source, "radius": self.task.radius_words, "class_names": self.task.class_names}
        known = {name: value for name, value in task.items() if value is not None}
        return {"model": self.model, **known, **self.computation.record(), "versions": dict(versions())}

    def view(self, kind: str, seconds: float, engines: Sequence[str] = ()) -> Facts:
        """For the terminal; `engines` are those that the method used."""
        name = self.computation.method.name + (f" by {', '.join(engines)}" if engines else "")
        return facts(
            {
                "model": self.model,
                "samples": self.task.source,
                "radius": self.task.radius_words,
                "method": f"{name} ({kind}), {duration(seconds)}",
            }
        )

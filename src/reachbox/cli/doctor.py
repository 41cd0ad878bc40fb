"""`reachbox doctor`: what this installation has, and how to get what it lacks."""

from __future__ import annotations

from reachbox.cli import options
from reachbox.cli.answer import Answer


def doctor(data_dir: options.DataDir = None, as_json: options.Json = False) -> Answer:
    """Versions, devices, solvers, data and the cache of compiled code, as found on this machine.

    What to look at first when something fails, and what to send along with a report.

    reachbox doctor --json
    """
    from rich.text import Text

    from reachbox.cli.examination import examined
    from reachbox.cli.tables import facts

    found = examined(data_dir)
    view = [part for title, known in found.items() for part in ("", Text(title, style="bold"), facts(known))]
    return Answer(record=found, view=view[1:], as_json=as_json)

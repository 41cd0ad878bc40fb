"""What a command gives back, and how it is shown."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from rich.console import Console, RenderableType


class ExitCode(IntEnum):
    """What a script that calls reachbox reads."""

    DONE = 0
    DOES_NOT_HOLD = 1
    MISUSE = 2
    GAVE_UP = 3
    CRASHED = 70  # a fault of reachbox itself, as sysexits.h numbers it
    INTERRUPTED = 130
    BROKEN_PIPE = 141


@dataclass(frozen=True)
class Answer:
    """A command's result: a record for machines, a view for people, and what the shell is told."""

    record: Mapping[str, object]
    view: Sequence[RenderableType]
    exit_code: ExitCode = ExitCode.DONE
    as_json: bool = False
    out: Path | None = None

    def show(self) -> int:
        """Write the record to `out`, print it or the view on standard output, and give the exit code."""
        if self.out is not None or self.as_json:
            from reachbox.file_access import write_atomically
            from reachbox.formats.results import to_json

            text = to_json(self.record) + "\n"
            if self.out is not None:
                write_atomically(self.out, text.encode())
            if self.as_json:
                sys.stdout.write(text)
        if self.view and not self.as_json:
            console = Console(highlight=False, emoji=False, markup=False)
            console.print(*self.view, sep="\n", crop=False)
        return int(self.exit_code)

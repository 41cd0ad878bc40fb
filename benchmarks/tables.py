"""What every benchmark prints: Markdown tables, the machine they were measured on, and their place in a document."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path

README = Path(__file__).with_name("README.md")


def digits(value: float | None) -> str:
    """Three digits."""
    return "" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


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
        "memory_gib": kibibytes("/proc/meminfo", "MemTotal") / 2**20,
    }


def kibibytes(file: str, entry: str) -> int:
    """An entry of one of Linux's tables, in KiB."""
    found = re.search(rf"^{entry}:\s+(\d+) kB", Path(file).read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def write_results(text: str, script: str, document: Path = README) -> None:
    """Replaces what stands in a document between the marks of a script."""
    begin, end = f"<!-- results: written by {script} --record -->", f"<!-- end of results of {script} -->"
    head, rest = document.read_text(encoding="utf-8").split(begin)
    tail = rest.split(end)[1]
    document.write_text(f"{head}{begin}\n\n{text.strip()}\n\n{end}{tail}", encoding="utf-8")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

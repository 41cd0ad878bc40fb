"""Installs torch into this environment: the version of the constraints file, without CUDA where no GPU is present."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]


def pinned(constraints: Path) -> str:
    """The line of the constraints file that names torch."""
    return next(line.strip() for line in constraints.read_text().splitlines() if line.startswith("torch=="))


def attempts(requirement: str) -> list[list[str]]:
    """What to try, best first.

    On Linux the plain wheel brings gigabytes of CUDA libraries, so without a GPU a CPU build is asked for first, from
    wherever pip is configured to look and from the index in TORCH_INDEX.
    """
    index = ["--extra-index-url", os.environ["TORCH_INDEX"]] if os.environ.get("TORCH_INDEX") else []
    plain = [*PIP, *index, requirement]
    if platform.system() != "Linux" or shutil.which("nvidia-smi"):
        return [plain]
    return [[*PIP, *index, f"{requirement}+cpu"], plain]


def main() -> int:
    *earlier, last = attempts(pinned(Path(sys.argv[1])))
    if any(subprocess.run(attempt, check=False, capture_output=True).returncode == 0 for attempt in earlier):
        return 0
    return subprocess.run(last, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

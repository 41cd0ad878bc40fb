"""The pictures of the tutorials: all shell commands of a page are run in an empty folder, and what they drew is kept.

Commands whose exit code is not 0, such as a `certify` that does not certify all, do not end it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import typer
from pictures import DOCUMENTS, FOLDER
from tables import say

# What a page's commands draw, and its name in the folder of pictures.
PAGES = {
    "tutorial": {"pictures/nested-boxes.svg": "iris-boxes.svg"},
    "explore": {"tanh/minima.svg": "iris-tree.svg"},
}
BLOCK = re.compile(r"```sh\n(.*?)```", flags=re.DOTALL)


def main() -> None:
    """Minutes for each page."""
    FOLDER.mkdir(exist_ok=True)
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for page, drawings in PAGES.items():
        commands = "\n".join(BLOCK.findall((DOCUMENTS / f"{page}.md").read_text(encoding="utf-8")))
        with tempfile.TemporaryDirectory() as place:
            say(f"{page}: {commands.count('reachbox ')} commands")
            subprocess.run(["bash", "-c", commands], cwd=place, env={**os.environ, "PATH": tools}, check=False)
            for drawn, name in drawings.items():
                shutil.copyfile(Path(place) / drawn, FOLDER / name)


if __name__ == "__main__":
    typer.run(main)

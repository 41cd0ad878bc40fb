"""The documentation: every block of code in it runs, in the order in which a reader meets it."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reachbox.cli import main

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in [ROOT / "README.md", *DOCS.glob("*.md")] if "```" in page.read_text())
BLOCK = re.compile(r"```(python|sh)\n(.*?)```", flags=re.DOTALL)

# What is not ours to run; and what takes long, or is run on the page that is named: there only the options are read.
OTHERS = ("pip", "make", "tensorboard", "git", "python")
LONG = ("minutes", "MNIST", "docs/")
SETTLING = ("--install-completion", "--show-completion")  # they change the files of who runs them


@dataclass(frozen=True)
class Command:
    """A line of a shell block, its comment, and the exit codes that the comment allows."""

    words: list[str]
    comment: str

    @classmethod
    def of(cls, line: str) -> Command:
        code, _, comment = line.partition(" #")
        return cls(shlex.split(code), comment)

    @property
    def allowed(self) -> set[int]:
        named = re.search(r"exit codes? ([0-9 or]+)", self.comment)
        return {int(code) for code in re.findall(r"\d", named[1])} if named else {0}

    def run(self, capsys: pytest.CaptureFixture[str]) -> None:
        program, *arguments = self.words
        if program in OTHERS or arguments[:1] in ([option] for option in SETTLING):
            return
        assert program == "reachbox", self.words
        if any(word in self.comment for word in LONG):
            arguments.append("--help")
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code in self.allowed, (self.words, left.value.code, capsys.readouterr().err)


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    yield from BLOCK.findall(page.read_text())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, from which a page's own modules are imported and then forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) == str(tmp_path / f"{name}.py"):
            del sys.modules[name]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_runs(page: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, object] = {}
    for kind, text in blocks(page):
        if kind == "sh":
            for line in text.replace("\\\n", " ").splitlines():
                Command.of(line).run(capsys)
            continue
        first = text.splitlines()[0]
        if re.fullmatch(r"# \w+\.py", first):  # a file of the reader's own
            (place / first.removeprefix("# ")).write_text(text)
        exec(compile(text, page.name, "exec"), scope)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_has_a_language(page: Path) -> None:
    opened = re.findall(r"^```(\w*)$", page.read_text(), flags=re.MULTILINE)[::2]
    assert set(opened) <= {"python", "sh"}


def test_every_page_is_in_the_contents() -> None:
    named = re.findall(r"[\w/]+\.md$", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE)
    assert sorted(named) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda page: page.name)
def test_every_picture_is_there(page: Path) -> None:
    for drawing in re.findall(r"!\[.+?\]\((.+?)\)", page.read_text()):
        assert (page.parent / drawing).read_text().startswith("<svg ")

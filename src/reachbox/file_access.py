"""How files are opened and written: every failure is a `FileError` of one line, and no file is ever half written."""

from __future__ import annotations

import gzip
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from reachbox.errors import FileError

MOST_NAMED = 6


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what the operating system says about `path` into a `FileError` of one line."""
    try:
        yield
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise FileError(f"{path}: a file is needed, found a folder{_holding(path)}") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from None


def _holding(folder: Path) -> str:
    """A few of its files, by name: the one that was meant may be among them."""
    names: list[str] = []
    with suppress(OSError):
        names = sorted(child.name for child in folder.iterdir() if child.is_file() and not child.name.startswith("."))
    return f" with {', '.join(names[:MOST_NAMED])}{', …' if len(names) > MOST_NAMED else ''}" if names else ""


def content_of(path: Path) -> bytes:
    """The bytes of a file, unpacked where its name ends in `.gz`."""
    with reading(path):
        content = path.read_bytes()
    if path.suffix.lower() != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        raise FileError(f"{path}: damaged, or no gzip file") from None


def write_atomically(path: Path, content: bytes) -> None:
    """Writes `content` beside `path` and renames it: `path` is at any time the old file or the whole new one."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                shutil.copymode(path, temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror or error}") from None

"""`--option NAME=VALUE`: the typed options of a method or an objective, so that a new one needs no new flag."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import Field, fields
from typing import Any

from reachbox.errors import InputError
from reachbox.training.schedule import WarmUp

Reader = Callable[[str], Any]


def named_options(kind: type, words: Sequence[str], elsewhere: Collection[str] = ()) -> dict[str, Any]:
    """The options of the dataclass `kind` that `words`, each `NAME=VALUE`, set; `elsewhere` are set by other flags.

    Raises `InputError` for a name that it does not have, a value of another type, or an option that stands twice.
    """
    readers = _readers(kind, elsewhere)
    options: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in readers or name in options:
            allowed = ", ".join(f"{option}=..." for option in readers) or "none"
            raise InputError(f"option: {kind.__name__.lower()} allows {allowed}, each once; found {word!r}")
        try:
            options[name] = readers[name](value)
        except ValueError:
            raise InputError(f"option: {name} takes no {value!r}") from None
    return options


def _readers(kind: type, elsewhere: Collection[str]) -> dict[str, Reader]:
    """How to read each option that a word can say: by its default's type, or its annotation where that is None."""
    found = {field.name: _reader(field) for field in fields(kind) if field.name not in elsewhere}
    return {name: reader for name, reader in found.items() if reader is not None}


def _reader(field: Field[Any]) -> Reader | None:
    by_type: dict[type, Reader] = {bool: _truth, int: int, float: float, str: str, WarmUp: _warm_up}
    by_annotation: dict[Any, Reader] = {"int | None": int, "float | None": float, "str | None": str}
    return by_annotation.get(field.type) if field.default is None else by_type.get(type(field.default))


def _truth(word: str) -> bool:
    if word.lower() not in ("true", "false"):
        raise ValueError
    return word.lower() == "true"


def _warm_up(word: str) -> WarmUp:
    """`START,END`, in epochs."""
    start, end = (float(part) for part in word.split(","))
    return WarmUp(start, end)

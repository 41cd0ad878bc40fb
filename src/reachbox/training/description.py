"""What a run is, as JSON: enough to know the same run again, and to say what differs in another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, MutableMapping
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import TypeAlias

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"


def describe(value: object) -> JSON:
    """Options as JSON: a dataclass by its name and fields, a tensor by its shape, range and SHA-256."""
    described: JSON
    match value:
        case None | bool() | int() | str():
            described = value
        case float():
            described = value if isfinite(value) else str(value)
        case Tensor():
            described = value.item() if value.ndim == 0 else _tensor(value)
        case Mapping():
            described = {str(key): describe(entry) for key, entry in value.items()}
        case list() | tuple():
            described = [describe(entry) for entry in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            shown = {field.name: describe(getattr(value, field.name)) for field in fields(value) if field.repr}
            described = {"type": type(value).__name__, **shown}
        case _:
            described = repr(value)
    return described


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of named tensors: of names, types, shapes and every bit."""
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def difference(there: JSON, here: JSON, name: str = "") -> str | None:
    """The first entry in which two descriptions differ, in words; None where they agree."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in dict.fromkeys((*there, *here)):
            path = f"{name}.{key}" if name else key
            if (found := difference(there.get(key), here.get(key), path)) is not None:
                return found
        return None
    return None if there == here else f"{name} is {there!r} there and {here!r} here"


_described: MutableMapping[Tensor, tuple[int, JSON]] = WeakTensorKeyDictionary()


def _tensor(value: Tensor) -> JSON:
    """A tensor's words, remembered until it changes: samples are described again and again."""
    known = None if value.is_inference() else _described.get(value)
    if known is not None and known[0] == value._version:
        return known[1]
    ends = [value.min().item(), value.max().item()] if value.numel() else []
    words: JSON = {"shape": list(value.shape), "range": describe(ends), "sha256": fingerprint({"": value})}
    if not value.is_inference():
        _described[value] = value._version, words
    return words

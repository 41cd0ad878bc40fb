"""A state of training in one `.safetensors` file: tensors and JSON, nothing that could run code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from reachbox.errors import FileError
from reachbox.file_access import reading, write_atomically
from reachbox.training.state import Epoch, State

KEY = "reachbox.training"
VERSION = 1


def write_checkpoint(state: State, path: Path) -> None:
    """Writes a state; the file is at any time the old one or the whole new one."""
    tensors = {**_prefixed("module", state.module), **_prefixed("optimiser", state.optimiser)}
    about = {"version": VERSION, "history": [asdict(epoch) for epoch in state.history]}
    write_atomically(path, save(tensors, {KEY: json.dumps(about)}))


def read_checkpoint(path: Path) -> State:
    """The state in a file that `write_checkpoint` wrote; raises `FileError` for anything else."""
    with reading(path):
        path.open("rb").close()
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise FileError(f"{path}: not a whole checkpoint: {str(error).splitlines()[0]}") from None
    return State(_history(path, about), _of_prefix("module", tensors), _of_prefix("optimiser", tensors))


def _history(path: Path, about: Any) -> tuple[Epoch, ...]:
    if not isinstance(about, dict) or about.get("version") != VERSION:
        raise FileError(f"{path}: a checkpoint of version {VERSION} is needed, written by reachbox")
    try:
        history = tuple(Epoch(**epoch) for epoch in about["history"])
    except (KeyError, TypeError) as error:
        raise FileError(f"{path}: the history in it is damaged: {error}") from None
    if [epoch.number for epoch in history] != list(range(len(history))) or not history:
        raise FileError(f"{path}: the history in it is damaged: epochs must be counted from 0")
    return history


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def _of_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}

"""Networks in files: loaded and saved by suffix, and nothing that could run code is ever opened."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from reachbox.errors import FileError, InputError
from reachbox.file_access import reading
from reachbox.network.graph import Network

ALLOWED = ".onnx, .onnx.gz and .safetensors (written by reachbox) are read"
PICKLED = (".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pt2", ".pth")
ZIP = b"PK\x03\x04"
PICKLE = b"\x80"


def load(path: str | os.PathLike[str]) -> Network:
    """The network in an `.onnx` or `.onnx.gz` file, or in a `.safetensors` file that `save` wrote.

    Whatever could run code when it is read is refused by suffix and by content: `.pt`, `.pth`, `.pkl`, and `.pt2`
    too, whose reader in torch unpickles and evaluates text. Every weight is finite.
    Raises `FileError`, `UnsupportedError` or `InputError`, each in one line.
    """
    file = Path(path)
    with reading(file), file.open("rb") as opened:
        head = opened.read(9)
    suffix = file.suffix.lower()
    if suffix in PICKLED or is_pickled(head):
        raise FileError(f"{file}: reading it could run code in it; export the model to ONNX or save it with reachbox")
    if file.name.lower().endswith((".onnx", ".onnx.gz")):
        from reachbox.network.onnx import read_onnx

        return read_onnx(file)
    if suffix == ".safetensors":
        from reachbox.network.safetensors import read_safetensors

        network = read_safetensors(file)
        network.check_weights()
        return network
    raise FileError(f"{file}: suffix {suffix!r} is unknown; {ALLOWED}")


def is_pickled(head: bytes) -> bool:
    """Whether a file begins as a zip archive or a pickle does; a safetensors file has `{` as its ninth byte."""
    return head.startswith(ZIP) or (head.startswith(PICKLE) and head[1:2] <= b"\x05" and head[8:9] != b"{")


def save(network: Network, path: str | os.PathLike[str], *, dtype: torch.dtype = torch.float32) -> None:
    """Writes a network with its present weights, as `.onnx` or `.safetensors` by suffix.

    `.safetensors` keeps each weight in its own precision and gives back the same network; `.onnx`, for other
    programs, is written in `dtype`, float32 or float64. The file appears whole or not at all.
    Raises `FileError` for another suffix or a place that cannot be written, `InputError` for weights not finite.
    """
    file = Path(path)
    if not isinstance(network, Network):
        found = type(network).__name__
        raise InputError(f"{file}: a reachbox.Network is needed, such as Network.from_module(module, x), found {found}")
    suffix = file.suffix.lower()
    if suffix == ".onnx":
        from reachbox.network.onnx import write_onnx

        write_onnx(network, file, dtype=dtype)
    elif suffix == ".safetensors":
        from reachbox.network.safetensors import write_safetensors

        write_safetensors(network, file)
    else:
        raise FileError(f"{file}: suffix {suffix!r} cannot be written; .onnx and .safetensors can")

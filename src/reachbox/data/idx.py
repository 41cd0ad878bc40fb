"""IDX, the format of MNIST's files: a magic number, the sizes, unsigned bytes; plain or compressed by gzip."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from math import prod
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from reachbox.errors import FileError
from reachbox.file_access import reading

UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 1 << 20

BinaryStream: TypeAlias = "io.BufferedReader | gzip.GzipFile"


def read_idx(path: Path, dimensions: int) -> Tensor:
    """The array in an IDX file of unsigned bytes, uint8 with `dimensions` dimensions.

    Whether it is compressed is read from its first bytes, not from its name. Raises `FileError` for a file that is
    missing, truncated, longer than its sizes say, or not of this kind.
    """
    with reading(path), path.open("rb") as raw:
        is_compressed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        if not is_compressed:
            return _read_array(raw, path, dimensions)
        try:
            with gzip.open(raw, "rb") as stream:
                return _read_array(stream, path, dimensions)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FileError(f"{path}: damaged or truncated gzip file: {error}") from None


def _read_array(stream: BinaryStream, path: Path, dimensions: int) -> Tensor:
    header = stream.read(4 + 4 * dimensions)
    expected = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if header[:4] != expected:
        raise FileError(
            f"{path}: not an IDX file of unsigned bytes in {dimensions} dimensions: "
            f"it begins with {header[:4].hex() or 'nothing'}, not {expected.hex()}"
        )
    if len(header) < 4 + 4 * dimensions:
        raise FileError(f"{path}: truncated: the header ends after {len(header)} bytes")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    content = _read_at_most(stream, prod(shape) + 1)
    if len(content) != prod(shape) or not content:
        found = f"more than {prod(shape)}" if len(content) > prod(shape) else str(len(content))
        raise FileError(f"{path}: sizes {shape} need {prod(shape)} bytes, at least one; found {found}")
    return torch.frombuffer(content, dtype=torch.uint8).reshape(shape)


def _read_at_most(stream: BinaryStream, limit: int) -> bytearray:
    """Up to `limit` bytes, piece by piece: the sizes in a damaged header may ask for more than any memory."""
    content = bytearray()
    while len(content) < limit and (piece := stream.read(min(CHUNK, limit - len(content)))):
        content += piece
    return content

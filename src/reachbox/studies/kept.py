"""Arrays on the way to a chapter: computed once, and kept in its folder under a hash of what they are of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from reachbox.file_access import write_atomically

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]


def kept(folder: Path, name: str, settings: Mapping[str, object], compute: Callable[[], Arrays]) -> Arrays:
    """What `compute` gives, from the file in `folder` where that was done before under the same `settings`."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    file = folder / f"{name}-{digest}.npz"
    if not file.exists():
        content = BytesIO()
        np.savez(content, **compute())  # type: ignore[arg-type]
        write_atomically(file, content.getvalue())
    with np.load(file) as archive:
        return dict(archive)


def hash_of(*arrays: npt.NDArray[Any]) -> str:
    """SHA-256 of the values and shapes of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()

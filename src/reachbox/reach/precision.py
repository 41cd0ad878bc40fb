"""Products in full precision: bounds in float32 are sound up to float32's rounding, not that of TF32 or bfloat16."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def full_precision() -> Iterator[None]:
    """Within it, torch multiplies float32 numbers as float32, whatever `torch.backends` allows.

    Torch lets convolutions on a GPU use TF32, with 10 bits, unless it is told otherwise, and
    `torch.set_float32_matmul_precision` does the same for products. The settings are as before afterwards; gradients,
    which are computed later, follow them.
    """
    settings = [(place, name, value) for place, name, value in _settings() if getattr(place, name) != value]
    before = [getattr(place, name) for place, name, _ in settings]
    for place, name, value in settings:
        setattr(place, name, value)
    try:
        yield
    finally:
        for (place, name, _), value in zip(settings, before, strict=True):
            setattr(place, name, value)


def _settings() -> list[tuple[Any, str, object]]:
    """Where torch keeps the precision of products and convolutions, and the value that stands for all bits."""
    backends: Any = torch.backends
    if hasattr(backends.cuda.matmul, "fp32_precision"):
        places = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv)
        return [(place, "fp32_precision", "ieee") for place in places]
    return [(backends.cuda.matmul, "allow_tf32", False), (backends.cudnn, "allow_tf32", False)]

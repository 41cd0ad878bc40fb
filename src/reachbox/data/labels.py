"""Class labels: from words or numbers in a file to indices and names."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from reachbox.data.table import as_number
from reachbox.errors import InputError


def encode_labels(labels: Sequence[str], source: str) -> tuple[Tensor, tuple[str, ...]]:
    """Indices, int64 `(samples,)`, and the sorted names of the classes that they point to.

    Labels that are all whole numbers sort as numbers, and `1` and `1.0` are one class; others sort as words.
    `source` begins the message of the `InputError` for labels that are all numbers, some of them fractional: they
    measure something and name no class.
    """
    numbers = [_number(label) for label in labels]
    names: list[str] = list(labels)
    if all(number is not None for number in numbers):
        fractional = next((label for label, number in zip(labels, numbers, strict=True) if (number or 0) % 1), None)
        if fractional is not None:
            raise InputError(f"{source}: labels name classes, by words or whole numbers; found {fractional!r}")
        names = [str(int(number)) for number in numbers if number is not None]
        order = sorted(set(names), key=int)
    else:
        order = sorted(set(names))
    index = {name: position for position, name in enumerate(order)}
    return torch.tensor([index[name] for name in names], dtype=torch.int64), tuple(order)


def _number(label: str) -> float | None:
    """The number a label writes out, where float64 tells it from its neighbours; longer ones are words."""
    number = as_number(label)
    return number if number is not None and abs(number) < 2**53 else None

"""Checks of tensors' values: at once, or, for values on a GPU, many together, since each look at one waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import isfinite
from typing import TypeAlias

import torch
from torch import Tensor

Check: TypeAlias = tuple[Tensor, Callable[[], Exception]]

_waiting: ContextVar[list[Check] | None] = ContextVar("waiting", default=None)


def demand(holds: Tensor, otherwise: Callable[[], Exception]) -> None:
    """Raises `otherwise()` unless `holds`, a bool of one element; on a GPU not before the end of `together`."""
    waiting = _waiting.get()
    if waiting is not None and holds.is_cuda:
        waiting.append((holds, otherwise))
    elif not bool(holds):
        raise otherwise()


def all_finite(tensor: Tensor) -> Tensor:
    """Whether every entry is a number, neither NaN nor infinite; bool of one element, in few operations."""
    return (tensor.detach().abs() < torch.inf).all()


def is_seen_finite(*tensors: Tensor) -> bool:
    """The same seen from sums, which one entry that is no number spoils; False on a GPU, and where a sum overflows."""
    return all(not tensor.is_cuda and isfinite(tensor.detach().sum().item()) for tensor in tensors)


@contextmanager
def together() -> Iterator[None]:
    """Demands on a GPU within are looked at once, at the end of the outermost such block: the first unmet one raises.

    What follows a demand must bear values that break it.
    """
    if _waiting.get() is not None:
        yield
        return
    waiting: list[Check] = []
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        _waiting.reset(token)
    if waiting:
        for holds, (_, otherwise) in zip(torch.stack([holds for holds, _ in waiting]).tolist(), waiting, strict=True):
            if not holds:
                raise otherwise()

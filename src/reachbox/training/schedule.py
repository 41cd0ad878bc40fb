"""Schedules: how much of a full value applies at an epoch, rising or falling."""

from __future__ import annotations

from dataclasses import dataclass

from reachbox.errors import InputError


@dataclass(frozen=True)
class WarmUp:
    """A share of a full value: 0 up to epoch `start`, rising linearly to 1 at epoch `end`, then 1.

    Epochs are fractional: 0 is the first step, 1.5 the middle of the second epoch. The default is 1 throughout.
    A large radius from the first step stalls robust training (Kolter and Wong 2018 raise it over the first epochs).

    >>> WarmUp(end=4).share(1.0)
    0.25
    """

    start: float = 0.0
    end: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise InputError(f"warm-up: 0 <= start <= end is needed, found {self.start:g} and {self.end:g}")

    def share(self, epoch: float) -> float:
        """The share at a fractional epoch, from 0 to 1."""
        if epoch >= self.end:
            return 1.0
        if epoch <= self.start:
            return 0.0
        return (epoch - self.start) / (self.end - self.start)


ALWAYS = WarmUp()
"""The full value from the first step on."""


@dataclass(frozen=True)
class CoolDown:
    """A share of a full value: 1 up to epoch `start`, falling linearly to 0 at epoch `end`.

    The learning rate of a training that is to end at `end`: the last steps no longer jump about the minimum.

    >>> CoolDown(end=4).share(1.0)
    0.75
    """

    end: float
    start: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise InputError(f"cool-down: 0 <= start < end is needed, found {self.start:g} and {self.end:g}")

    def share(self, epoch: float) -> float:
        """The share at a fractional epoch, from 1 to 0."""
        return 1.0 - WarmUp(self.start, self.end).share(epoch)

"""Progress on standard error, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from reachbox.training import State, Step

QUIET: ContextVar[bool] = ContextVar("QUIET", default=False)
"""Whether progress was asked to be silent, by `reachbox --quiet`."""


def is_shown(console: Console) -> bool:
    """Whether there is anyone to show progress to."""
    return console.is_terminal and not QUIET.get()


@contextmanager
def progress(words: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar that is gone when the work is done; call what it yields with the number of steps made."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not is_shown(console)) as bar:
        task = bar.add_task(words, total=total)
        yield lambda steps: bar.advance(task, steps)


@contextmanager
def waiting(words: str) -> Iterator[None]:
    """A sign of life for work whose length is not known."""
    console = Console(stderr=True)
    with console.status(words) if is_shown(console) else nullcontext():
        yield


@contextmanager
def share_done() -> Iterator[Callable[[str, float], None]]:
    """A bar for work that tells what it is doing and which share of it is done, from 0 to 1."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not is_shown(console)) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda words, share: bar.update(task, description=words, completed=share)


@contextmanager
def training_progress(epochs: int) -> Iterator[tuple[Callable[[Step], None], Callable[[State], None]]]:
    """A bar over all steps, and a line for each finished epoch: what to call after a step and after an epoch."""
    from reachbox.cli.tables import headline, metric

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not is_shown(console)) as bar:
        task = bar.add_task("training", total=None)

        def on_step(step: Step) -> None:
            done = (step.epoch - 1) * step.steps + step.step
            words = f"epoch {step.epoch} of {epochs}, loss {sum(step.losses.values()):.4g}"
            bar.update(task, description=words, total=epochs * step.steps, completed=done)

        def on_epoch(state: State) -> None:
            measured = headline(state.history[-1].metrics)
            words = "   ".join(f"{name} {metric(name, value)}" for name, value in measured.items())
            if is_shown(console):
                bar.console.print(f"epoch {state.epoch:3}   {words}")

        yield on_step, on_epoch

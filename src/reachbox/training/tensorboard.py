"""A run's metrics for TensorBoard, beside its `metrics.csv`; needs the extra `tensorboard`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from math import isfinite
from pathlib import Path

from reachbox.errors import UnsupportedError
from reachbox.training.state import State


@contextmanager
def tensorboard(folder: Path) -> Iterator[Callable[[State], None]]:
    """What to call after each epoch: it writes the parts of the loss and the metrics as events into `folder`.

    A run that goes on writes its whole history again, in place of what was there. Values that are not finite are left
    out. Raises `UnsupportedError` where the package tensorboard is not installed.
    """
    if find_spec("tensorboard") is None:
        raise UnsupportedError("tensorboard: is not installed; install it with pip install 'reachbox[tensorboard]'")
    from torch.utils.tensorboard import SummaryWriter

    writer: SummaryWriter | None = None
    written = -1

    def on_epoch(state: State) -> None:
        nonlocal writer, written
        if writer is None:  # only now: what a run that is done has written stays as it is
            writer = SummaryWriter(folder, purge_step=0)
        for epoch in state.history[written + 1 :]:
            values = {f"loss/{name}": value for name, value in epoch.losses.items()}
            values |= {name.replace("_", "/", 1): value for name, value in epoch.metrics.items()}
            for name, value in values.items():
                if isfinite(value):
                    writer.add_scalar(name, value, epoch.number)
        written = len(state.history) - 1
        writer.flush()

    try:
        yield on_epoch
    finally:
        if writer is not None:
            writer.close()

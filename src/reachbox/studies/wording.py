"""Settings as a reader wants to see them."""

from __future__ import annotations

from statistics import fmean

from reachbox.data import Dataset
from reachbox.studies.runs import Finished
from reachbox.training import Settings


def share_of_range(sigma: float) -> str:
    """A radius given as a share of each feature's range."""
    return f"σ\u00a0{sigma:g} of each feature's range"


def sample_counts(dataset: Dataset) -> str:
    """How many samples a data set has."""
    if not len(dataset.y_test):
        return f"{len(dataset.y_train)} samples"
    return f"{len(dataset.y_train)} samples to train, {len(dataset.y_test)} to test"


def described(settings: Settings) -> str:
    """How a network is trained."""
    batches = f"{settings.epochs} epochs in mini-batches of {settings.batch_size}"
    return f"{batches}; {settings.optimiser.capitalize()}, learning rate {settings.learning_rate:g}"


def trained_on(run: Finished) -> str:
    """What a training ran on; where there were several, how many epochs on each, at how many CPU seconds."""
    if len(run.devices) == 1:
        return next(iter(run.devices))
    parts = [f"{device} ({len(seconds)} at {fmean(seconds):.0f} s)" for device, seconds in run.devices.items()]
    return ", ".join(parts)

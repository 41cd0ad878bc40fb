"""Handwritten digits: a plainly trained network beside two trained against their sensitivity."""

from __future__ import annotations

from dataclasses import replace

import torch

from reachbox.data import load
from reachbox.report.numbers import number
from reachbox.studies.chapter import Chapter, Request
from reachbox.studies.comparison import Contender, train_contenders
from reachbox.studies.sections import comparison_highlights, comparison_sections
from reachbox.studies.wording import described, sample_counts, share_of_range
from reachbox.training import Plain, Sensitivity, Settings

NETWORK, SIGMA = "conv:16", 0.05
TRAINING = Settings(epochs=40, batch_size=50, learning_rate=2e-3)
QUICK_EPOCHS = 12
VOLUME_WEIGHT, WIDTH_WEIGHT = 1e-6, 0.1


def digits(request: Request) -> Chapter:
    """Trains the contenders on scikit-learn's digits and compares them on the test samples, by dual bounds."""
    dataset = load("digits", seed=request.seed)
    epochs = min(QUICK_EPOCHS, TRAINING.epochs) if request.quick else TRAINING.epochs
    settings = replace(TRAINING, seed=request.seed, epochs=epochs)
    chosen = contenders(dataset.radius(sigma=SIGMA))
    here = replace(request, device="cpu", as_is=False)
    trained = train_contenders(dataset, NETWORK, chosen, SIGMA, settings, here)
    return Chapter(
        comparison_sections(trained, dataset, share_of_range(SIGMA)),
        (
            ("digits", f"{sample_counts(dataset)}; network {NETWORK}; {described(settings)}"),
            ("radius on digits", dataset.describe_radius(sigma=SIGMA)),
            ("measured on digits", "dual bounds in float64; inputs are not clipped to the range of pixels"),
        ),
        comparison_highlights(trained[0], trained[1], f"digits, σ\u00a0{SIGMA:g}"),
    )


def contenders(radius: torch.Tensor) -> tuple[Contender, ...]:
    """The plain network first, then those that also shrink their boxes: by volume, as in the paper, and by width."""
    return (
        Contender("plain", "The cross-entropy and an l2 penalty, as networks are usually trained.", Plain()),
        Contender(
            "against volume",
            f"In addition, {number(VOLUME_WEIGHT, 1)} times the mean volume of the output boxes: the paper's method.",
            Sensitivity(radius=radius, weight=VOLUME_WEIGHT),
            cost=6,
        ),
        Contender(
            "against width",
            f"In addition, {number(WIDTH_WEIGHT, 1)} times the geometric mean of each box's sides.",
            Sensitivity(radius=radius, weight=WIDTH_WEIGHT, form="geometric_width"),
            cost=6,
        ),
    )

"""The quick report: real networks trained on two small data sets, in a minute or two, on one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import perf_counter

import torch

from reachbox.data import Dataset, load
from reachbox.network.architectures import build
from reachbox.report import Page, versions, write_page
from reachbox.report.numbers import number
from reachbox.studies.comparison import Contender, Progress, Trained, train_contenders
from reachbox.studies.one_thread import one_thread
from reachbox.studies.sample_boxes import SampleBoxes, boxes_of_sample
from reachbox.studies.sections import (
    comparison_highlights,
    comparison_sections,
    sample_boxes_section,
    words_section,
)
from reachbox.training import Plain, Sensitivity, Settings, train

DIGITS_NETWORK, DIGITS_SIGMA = "conv:16", 0.05
DIGITS_TRAINING = Settings(epochs=40, batch_size=50, learning_rate=2e-3)
VOLUME_WEIGHT, WIDTH_WEIGHT = 1e-6, 0.1
IRIS_NETWORK, IRIS_SIGMA, IRIS_L2 = "mlp:25,25,25", 0.1, 1e-3
IRIS_TRAINING = Settings(epochs=300, batch_size=150, learning_rate=1e-2)

TITLE = "How far can a small change move a network?"
LEAD = (
    "Let every pixel of a handwritten digit change a little, and the answers of a network change too. reachbox proves "
    "how far they can go, as a box around every possible answer, and trains networks whose boxes stay small. Beside "
    "plain training on the same digits, training against the volume of the boxes gives:"
)


def run_quick(folder: Path, *, seed: int = 0, progress: Progress | None = None) -> Path:
    """Trains, measures and writes the report to `folder`; gives the path of its `index.html`.

    On digits, a plainly trained network against two trained against their sensitivity; on Iris, the boxes of one
    flower under every method. `progress` is told what is being done and the share that is done, from 0 to 1. The same
    seed gives the same numbers and figures; only the times at the page's end differ.

    Raises `FileError` where the folder cannot be written.
    """
    started = perf_counter()
    tell: Progress = progress or (lambda doing, share: None)
    digits, iris = load("digits", seed=seed), load("iris", seed=seed)
    with one_thread():
        trained = _networks_on_digits(digits, seed, lambda doing, share: tell(doing, 0.97 * share))
        tell("boxes of one flower under every method", 0.97)
        boxes = _boxes_on_iris(iris, seed)
    sections = (
        words_section(),
        *comparison_sections(trained, digits, _share_of_range(DIGITS_SIGMA)),
        sample_boxes_section("One flower, every method", boxes, iris, _share_of_range(IRIS_SIGMA)),
    )
    highlights = comparison_highlights(trained[0], trained[1], f"σ\u00a0{DIGITS_SIGMA:g}")
    page = Page(TITLE, LEAD, highlights, sections, _settings(digits, iris, seed, perf_counter() - started))
    path = write_page(page, folder)
    tell("done", 1.0)
    return path


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


def _networks_on_digits(digits: Dataset, seed: int, progress: Progress) -> tuple[Trained, ...]:
    radius = digits.radius(sigma=DIGITS_SIGMA)
    settings = replace(DIGITS_TRAINING, seed=seed)
    return train_contenders(digits, DIGITS_NETWORK, contenders(radius), radius, settings, progress)


def _boxes_on_iris(iris: Dataset, seed: int) -> SampleBoxes:
    module = build(IRIS_NETWORK, iris.input_shape, iris.classes, seed)
    train(module, Plain(l2=IRIS_L2), iris.x_train, iris.y_train, replace(IRIS_TRAINING, seed=seed))
    return boxes_of_sample(module, iris, iris.radius(sigma=IRIS_SIGMA), seed=seed)


def _share_of_range(sigma: float) -> str:
    return f"σ\u00a0{sigma:g} of each feature's range"


def _settings(digits: Dataset, iris: Dataset, seed: int, seconds: float) -> tuple[tuple[str, str], ...]:
    """What it takes to compute the page again, and what it took."""
    samples = f"{len(digits.y_train)} samples to train, {len(digits.y_test)} to test"
    return (
        ("seed", str(seed)),
        ("digits", f"{samples}; network {DIGITS_NETWORK}; {_described(DIGITS_TRAINING)}"),
        (
            "radius",
            f"digits: {digits.describe_radius(sigma=DIGITS_SIGMA)}; iris: {iris.describe_radius(sigma=IRIS_SIGMA)}",
        ),
        ("iris", f"{len(iris.y_train)} samples; network {IRIS_NETWORK}; {_described(IRIS_TRAINING)}; l2 {IRIS_L2:g}"),
        ("measured", "dual bounds in float64; inputs are not clipped to the range of pixels"),
        ("with", ", ".join(f"{name} {version}" for name, version in versions())),
        ("time taken", f"{seconds:.0f} s on one thread"),
    )


def _described(settings: Settings) -> str:
    batches = f"{settings.epochs} epochs in mini-batches of {settings.batch_size}"
    return f"{batches}; {settings.optimiser.capitalize()}, learning rate {settings.learning_rate:g}"

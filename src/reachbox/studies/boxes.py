"""One flower: the boxes of every method around what a network can answer, as in the paper's Fig. 1 and 2."""

from __future__ import annotations

from dataclasses import replace

from reachbox.box import Box
from reachbox.data import load
from reachbox.network.architectures import build
from reachbox.studies.chapter import Chapter, Request
from reachbox.studies.sample_boxes import boxes_of_sample
from reachbox.studies.sections import sample_boxes_section
from reachbox.studies.wording import described, sample_counts, share_of_range
from reachbox.training import Plain, Settings, train

NETWORK, SIGMA, L2 = "mlp:25,25,25", 0.1, 1e-3
TRAINING = Settings(epochs=300, batch_size=150, learning_rate=1e-2)


def boxes(request: Request) -> Chapter:
    """Trains the paper's network on Iris and bounds one sample by every method."""
    request.progress("one flower under every method", 0.0)
    dataset = load("iris", seed=request.seed)
    settings = replace(TRAINING, seed=request.seed)
    module = build(NETWORK, dataset.input_shape, dataset.classes, request.seed)
    train(module, Plain(l2=L2), dataset.x_train, dataset.y_train, settings)
    box = Box.around(dataset.x_train.double(), dataset.radius(sigma=SIGMA))
    found = boxes_of_sample(module, box, dataset.y_train, seed=request.seed)
    return Chapter(
        (sample_boxes_section("One flower, every method", found, "iris", dataset.class_names, share_of_range(SIGMA)),),
        (
            ("iris", f"{sample_counts(dataset)}; network {NETWORK}; {described(settings)}; l2 {L2:g}"),
            ("radius on iris", dataset.describe_radius(sigma=SIGMA)),
        ),
    )

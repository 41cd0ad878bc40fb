"""The few words that a newcomer needs to read a report."""

from __future__ import annotations

from reachbox.report import Section

BASICS = (
    (
        "Box",
        "For every number its lowest and its highest value. The input box holds every input within reach of a sample; "
        "the output box holds everything that the network answers to any of them.",
    ),
    (
        "Sigma, σ",
        "How far an input may move: each feature up or down by the share σ of its range over the training samples.",
    ),
    (
        "Sensitivity",
        "The volume of the output box: the product of its sides, one side for each output. With ten outputs, sides "
        "half as long make a volume a thousand times smaller.",
    ),
    (
        "Proven",
        "True of every input in the box, not only of those tried, up to the rounding of float64 arithmetic. Boxes are "
        "proven here wherever they are not called an estimate, so a sensitivity is an upper bound of the true one.",
    ),
)

METRICS = (
    ("ERR", "The share of samples that the network gets wrong as they are. Counted."),
    (
        "PGD_ERR",
        "The share that it gets wrong somewhere in the box: an attack by gradient steps found where. A floor under "
        "what an adversary can reach.",
    ),
    (
        "ADV_ERR",
        "The share for which it is not proven that every input in the box is classified right. A proven ceiling over "
        "what any adversary can reach.",
    ),
    (
        "SENSE",
        "The mean sensitivity. One sample can own a mean, so the median and the geometric mean stand beside it.",
    ),
    ("CE", "The mean cross-entropy, without perturbation."),
)


def words_section() -> Section:
    """The words without which nothing can be read."""
    sentence = "An input may move a little. How far can the outputs move? Four words are enough to read the answer."
    return Section("What you look at", sentence, terms=BASICS)

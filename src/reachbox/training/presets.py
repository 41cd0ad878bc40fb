"""Every choice that the paper leaves open, stated once with its reason, and the trainings that follow from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from torch import Tensor

from reachbox.training.objectives import Dropout, Jacobian, Objective, Plain, Robust, Sensitivity, Spectral
from reachbox.training.schedule import CoolDown, WarmUp
from reachbox.training.train import Settings

TWO_CONVOLUTIONS, ONE_CONVOLUTION = "conv:16,32", "conv:16"
SIGMA, WEIGHT, L2 = 0.05, 1e-6, 2.5e-4
ADAM = Settings(epochs=20, batch_size=50, optimiser="adam", learning_rate=1e-3)
SGD = Settings(epochs=20, batch_size=50, optimiser="sgd", learning_rate=0.1)

Make: TypeAlias = Callable[[Tensor, int], Objective]
"""An objective from the radius of each feature and the number of epochs."""


@dataclass(frozen=True)
class Choice:
    """Something that the paper leaves open, what is taken for it, and why."""

    about: str
    taken: str
    reason: str


CHOICES = (
    Choice(
        "convolutions",
        "4 by 4 kernels, stride 2, padding 1; 16 channels, then 32",
        "the paper gives the number of layers only; this is the MNIST network of Kolter and Wong's code, without its "
        "hidden linear layer",
    ),
    Choice("mini-batch", "50 samples", "the default of Kolter and Wong's code"),
    Choice(
        "learning rate",
        "Adam .001, SGD .1 without momentum, both constant",
        "Adam's own default, which is also that of Kolter and Wong's code, and the largest power of ten at which SGD "
        "trains the baseline: no further heuristics",
    ),
    Choice(
        "epochs",
        "20, alike for every method",
        "the default of Kolter and Wong's code; the figures show whether the curves have settled by then",
    ),
    Choice(
        "l2",
        f"{L2:g} times the sum of all squared weights, biases too",
        "the paper gives none; with it the baseline's JACOB is near the paper's, its SPECTRAL above",
    ),
    Choice(
        "radius",
        "sigma times each pixel's range, not clipped to [0, 1]; 0 for the 67 pixels that never vary",
        "Sec. 4.2's definition; clipping is not mentioned",
    ),
    Choice(
        "spectral",
        "weight .01",
        "the paper gives none; it is that of Tsuzuku, Sato and Sugiyama's code (2018), which compares with this method",
    ),
    Choice(
        "jacobian",
        "weight .1; dropout of half the last layer's inputs from 2/5 of the epochs on, the Jacobian's norm from 3/5 on",
        "Appendix A.1 has stages at epochs 41 and 61; of how many, and with which weight, is not said",
    ),
    Choice(
        "robust",
        "the radius rises linearly from 0 over the first fifth of the epochs",
        "at once, training stalls; Kolter and Wong's code, too, raises it linearly over its first epochs",
    ),
    Choice("SENSE", "Eq. 7, the mean over the samples", "the Eq. 9 that Sec. 6.1 names does not exist"),
    Choice(
        "ADV_LOSS, ADV_ERR",
        "from dual bounds on the margins, not from the logits' box",
        "Kolter and Wong's definition, which Sec. 6.1 names",
    ),
)


@dataclass(frozen=True)
class Preset:
    """A whole training under one name: network, objective and settings.

    `words` say what it is. `make` gives the objective from the radius of each feature, in the network's units, and the
    number of epochs, over which its stages are spread. `sigma` is the radius that it is meant for.

    >>> import torch
    >>> PRESETS["paper"].objective(torch.tensor(0.1)).weight
    1e-06
    """

    words: str
    make: Make = field(repr=False)
    network: str = TWO_CONVOLUTIONS
    settings: Settings = ADAM
    sigma: float = SIGMA

    def objective(self, radius: Tensor) -> Objective:
        """What is minimised, at this radius."""
        return self.make(radius, self.settings.epochs)

    def lasting(self, epochs: int) -> Preset:
        """The same training, its stages and its cool-down spread over another number of epochs."""
        down, share = self.settings.cool_down, epochs / max(1, self.settings.epochs)
        stretched = None if down is None or not epochs else CoolDown(down.end * share, down.start * share)
        return replace(self, settings=replace(self.settings, epochs=epochs, cool_down=stretched))


def plain(radius: Tensor, epochs: int) -> Objective:
    """The paper's baseline."""
    return Plain(l2=L2)


def paper(radius: Tensor, epochs: int) -> Objective:
    """The paper's SM: the mean volume of the dual boxes, at its own weight."""
    return Sensitivity(radius=radius, weight=WEIGHT, task=Plain(l2=L2))


def spectral(radius: Tensor, epochs: int) -> Objective:
    """The paper's specM."""
    return Spectral(weight=0.01, task=Plain(l2=L2))


def jacobian(radius: Tensor, epochs: int) -> Objective:
    """The paper's jacobM, in its three stages."""
    dropout, norm = 0.4 * epochs, 0.6 * epochs
    task = Dropout(share_warm_up=WarmUp(dropout, dropout), task=Plain(l2=L2))
    return Jacobian(weight=0.1, weight_warm_up=WarmUp(norm, norm), task=task)


def robust(radius: Tensor, epochs: int) -> Objective:
    """The paper's K&W."""
    return Robust(radius=radius, radius_warm_up=WarmUp(end=0.2 * epochs), task=Plain(l2=L2))


def recommended(radius: Tensor, epochs: int) -> Objective:
    """The width of the label's log-probability, by interval bounds."""
    return Sensitivity(
        radius=radius, weight=0.1, form="geometric_width", of="log_probability", method="interval",
        weight_warm_up=WarmUp(end=0.1 * epochs), task=Plain(l2=L2 / 10),
    )  # fmt: skip


COOLING = replace(ADAM, cool_down=CoolDown(end=ADAM.epochs))
PRESETS: Mapping[str, Preset] = {
    "recommended": Preset(
        "Against the width of the label's log-probability, by interval bounds.", recommended, settings=COOLING,
    ),
    "paper": Preset("The paper's SM (Sec. 5): against the volume of the output box, by dual bounds.", paper),
    "plain": Preset("The paper's baseline: cross-entropy and l2.", plain),
    "spectral": Preset("The paper's specM (Yoshida and Miyato 2017).", spectral),
    "jacobian": Preset("The paper's jacobM (Jakubovitz and Giryes 2018), in three stages.", jacobian),
    "robust": Preset("The paper's K&W (Kolter and Wong 2018): the robust cross-entropy itself.", robust),
}  # fmt: skip

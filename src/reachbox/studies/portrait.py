"""How one network's boxes look on some samples: class by class, over the radius, and what drives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.network import Network
from reachbox.reach import METHODS, reach
from reachbox.sensitivity import data_sensitivity, in_batches, sensitivity, summarise
from reachbox.studies.sample_boxes import SampleBoxes, boxes_of_sample

MULTIPLES = (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
OVER_RADIUS = ("interval", "dual", "crown")
FEW_INPUTS = 12
AT_SCALE = ("sampled", "interval", "dual", "crown", "alpha")


@dataclass(frozen=True, eq=False)
class Portrait:
    """Everything by `dual` bounds unless it says otherwise.

    `boxes` is the median sample under every method. `widths` are mean sides by the sample's class, `(classes,
    outputs)`, NaN where no sample is of a class. `volumes` has for each method the decimal logarithm of the geometric
    mean volume at each of `MULTIPLES` of the radius. `drivers`, of the shape of an input, says by how many percent a
    box's volume grows when that feature's radius grows by one percent: the mean over the samples.
    """

    boxes: SampleBoxes
    widths: Tensor
    volumes: dict[str, list[float]]
    drivers: Tensor


def portrait(network: Network, x: Tensor, labels: Tensor, radius: Tensor, classes: int, seed: int = 0) -> Portrait:
    """Of `x` `(samples, *features)`, float64, with `radius` for each feature.

    The median sample is drawn by all methods where few inputs vary, and else by those whose cost does not explode.
    """
    box = Box.around(x, radius)
    methods = AT_SCALE if int((radius > 0).sum()) > FEW_INPUTS else tuple(METHODS)
    return Portrait(
        boxes_of_sample(network, box, labels, methods=methods, seed=seed),
        _widths(network, box, labels, classes),
        {method: _over_radius(network, x, radius, method) for method in OVER_RADIUS},
        _drivers(network, x, radius),
    )


def _widths(network: Network, box: Box, labels: Tensor, classes: int) -> Tensor:
    with torch.no_grad():
        widths = torch.cat([reach(network, part).width for part in in_batches(box)])
    return torch.stack([widths[labels == label].mean(0) for label in range(classes)])


def _over_radius(network: Network, x: Tensor, radius: Tensor, method: str) -> list[float]:
    boxes = [Box.around(x, multiple * radius) for multiple in MULTIPLES]
    means = [summarise(data_sensitivity(network, box, method)).log_geometric_mean for box in boxes]
    return [mean / log(10) for mean in means]


def _drivers(network: Network, x: Tensor, radius: Tensor) -> Tensor:
    """`radius * d log S / d radius`, averaged over the samples; zero for a sample without volume."""
    total = torch.zeros_like(radius)
    for part in torch.split(x, 100):
        each = radius.clone().requires_grad_()
        volumes = sensitivity(network, Box.around(part, each))
        known = volumes > -torch.inf
        if bool(known.any()):
            (gradient,) = torch.autograd.grad(volumes[known].sum(), each)
            total += radius * gradient
    return total / len(x)


def ranked(drivers: Tensor, names: Sequence[str], most: int) -> list[tuple[str, float]]:
    """The features that drive the volume most, with their numbers, the first one most."""
    flat = drivers.flatten()
    return [(names[index], flat[index].item()) for index in flat.argsort(descending=True)[:most].tolist()]

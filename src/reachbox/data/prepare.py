"""What is done to samples before a network sees them: split into training and test, standardise."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from reachbox.data.dataset import Dataset
from reachbox.errors import InputError


def split(
    x: Tensor, y: Tensor, test_share: float, seed: int | torch.Generator = 0, stratified: bool = True
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Training and test samples, each `(x, y)`: a partition of the samples, both in their original order.

    `test_share` is at least 0 and below 1. Stratified, every class gives `test_share` of its members to the test set,
    to within one, and keeps at least one for training. A share of 0 divides nothing: the test set is then the
    training set itself.

    Raises `InputError` for a share or seed out of range, or a share that leaves no test sample.
    """
    if not 0 <= test_share < 1:
        raise InputError(f"split: a share of at least 0 and below 1 is allowed, found {test_share:g}")
    if test_share == 0:
        return (x, y), (x, y)
    generator = seed if isinstance(seed, torch.Generator) else _seeded(seed)
    groups = _groups(y if stratified else torch.zeros_like(y))
    is_test = torch.zeros(len(y), dtype=torch.bool)
    for members, count in zip(groups, _test_counts([len(members) for members in groups], test_share), strict=True):
        is_test[members[torch.randperm(len(members), generator=generator)[:count]]] = True
    if not bool(is_test.any()):
        raise InputError(f"split: a share of {test_share:g} of {len(y)} samples leaves no test sample")
    return (x[~is_test], y[~is_test]), (x[is_test], y[is_test])


def _seeded(seed: int) -> torch.Generator:
    if not 0 <= seed < 2**63:
        raise InputError(f"seed: a whole number from 0 to 2^63 - 1 is allowed, found {seed}")
    return torch.Generator().manual_seed(seed)


def _groups(y: Tensor) -> list[Tensor]:
    """Indices of the members of each class."""
    return [(y == label).nonzero().flatten() for label in sorted(set(y.tolist()))]


def _test_counts(members: list[int], share: float) -> list[int]:
    """How many of each class go to the test set: largest remainders, so that the total is right too."""
    quotas = [share * size for size in members]
    counts = [int(quota) for quota in quotas]
    can_give = [index for index, size in enumerate(members) if counts[index] + 1 < size]
    missing = round(share * sum(members)) - sum(counts)
    for index in sorted(can_give, key=lambda index: counts[index] - quotas[index])[:missing]:
        counts[index] += 1
    return counts


def standardise(dataset: Dataset) -> Dataset:
    """The same data set with every feature at mean 0 and standard deviation 1 over the training samples.

    Choose it where features differ in scale by orders of magnitude. Radii stay in original units: `Dataset.radius`
    divides by the scale. A feature that never varies becomes 0 with scale 1; one-hot columns stay 0 and 1.
    """
    x = dataset.x_train.double()
    shift = (x[0] + (x - x[0]).mean(0)).masked_fill(dataset.is_categorical, 0.0)
    deviation = _deviation(x - shift)
    scale = deviation.masked_fill((deviation == 0) | dataset.is_categorical, 1.0)

    def rescaled(samples: Tensor) -> Tensor:
        return ((samples.double() - shift) / scale).to(samples.dtype)

    return replace(
        dataset,
        x_train=rescaled(dataset.x_train),
        x_test=rescaled(dataset.x_test),
        feature_shift=dataset.feature_shift + dataset.feature_scale * shift,
        feature_scale=dataset.feature_scale * scale,
    )


def _deviation(centred: Tensor) -> Tensor:
    """Root mean square over the samples, free of underflow: values near 1e-200 have squares that are 0."""
    largest = centred.abs().amax(0)
    unit = largest.masked_fill(largest == 0, 1.0)
    return unit * (centred / unit).square().mean(0).sqrt()

"""A data set: samples as the network sees them, and what is needed to speak of them in their original units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reachbox.box import ArrayLike, as_tensor
from reachbox.errors import InputError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples with their labels, for training and for testing, and the range of every feature.

    `x_train` and `x_test` are `(samples, *features)`, float64 (MNIST: float32), in the network's units; `y_train` and
    `y_test` are `(samples,)`, int64, each an index into `class_names`. The network's units and the original ones obey
    `original = x * feature_scale + feature_shift`; shift 0 and scale 1 unless the data set is standardised.
    `feature_range` is the largest minus the smallest training value of each feature, in **original** units.
    The last three are float64 of shape `features`. `categorical` names the features that are one-hot columns:
    a category is never perturbed, so their radius is 0.

    Raises `InputError`, in one line that begins with the data set's name, for everything that does not fit together.
    """

    name: str
    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    feature_range: Tensor
    feature_shift: Tensor
    feature_scale: Tensor
    categorical: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        name: str,
        train: tuple[Tensor, Tensor],
        test: tuple[Tensor, Tensor],
        class_names: Sequence[str],
        *,
        feature_names: Sequence[str] | None = None,
        feature_range: Tensor | None = None,
        categorical: frozenset[str] = frozenset(),
    ) -> Dataset:
        """The data set of `train` and `test`, each `(x, y)`, in original units.

        Features are numbered where they have no names; the range is that of `train` unless it is given, and 0 for
        categorical features.
        """
        x_train, y_train = train
        _check_samples(name, "train", x_train, y_train, len(class_names))
        shape = x_train.shape[1:]
        names = tuple(feature_names) if feature_names is not None else numbered(shape.numel())
        if len(names) != shape.numel():
            raise InputError(f"{name}: {shape.numel()} features, but {len(names)} feature names")
        span = range_of(x_train) if feature_range is None else feature_range
        is_fixed = _membership(names, categorical).reshape(shape)
        return cls(
            name=name,
            x_train=x_train,
            y_train=y_train,
            x_test=test[0],
            y_test=test[1],
            feature_names=names,
            class_names=tuple(class_names),
            feature_range=span.masked_fill(is_fixed, 0.0),
            feature_shift=torch.zeros(shape, dtype=torch.float64),
            feature_scale=torch.ones(shape, dtype=torch.float64),
            categorical=categorical,
        )

    def __post_init__(self) -> None:
        if len(self.class_names) < 2:
            raise InputError(f"{self.name}: at least two classes are needed, found {list(self.class_names)}")
        _check_samples(self.name, "train", self.x_train, self.y_train, self.classes)
        _check_samples(self.name, "test", self.x_test, self.y_test, self.classes)
        if self.x_test.shape[1:] != self.x_train.shape[1:]:
            found = f"{self.input_shape} and {tuple(self.x_test.shape[1:])}"
            raise InputError(f"{self.name}: training and test samples must have the same shape, found {found}")
        self._check_features()

    def _check_features(self) -> None:
        count = self.x_train.shape[1:].numel()
        if len(self.feature_names) != count:
            raise InputError(f"{self.name}: {count} features, but {len(self.feature_names)} feature names")
        if len(set(self.feature_names)) < count:
            repeated = next(name for name in self.feature_names if self.feature_names.count(name) > 1)
            raise InputError(f"{self.name}: feature names must differ, found {repeated!r} more than once")
        unknown = sorted(self.categorical - set(self.feature_names))
        if unknown:
            raise InputError(f"{self.name}: categorical names {unknown}, which is no feature")
        for what in ("feature_range", "feature_shift", "feature_scale"):
            values: Tensor = getattr(self, what)
            if tuple(values.shape) != self.input_shape or values.dtype != torch.float64:
                found = f"{tuple(values.shape)} {values.dtype}"
                raise InputError(f"{self.name}: {what} must be float64 of shape {self.input_shape}, found {found}")
            if not bool(torch.isfinite(values).all()):
                raise InputError(f"{self.name}: {what} must be finite; the samples' values are too large")
        if bool((self.feature_range < 0).any()) or bool((self.feature_scale <= 0).any()):
            raise InputError(f"{self.name}: feature_range must not be negative, and feature_scale must be positive")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample, without the batch dimension."""
        return tuple(self.x_train.shape[1:])

    @property
    def classes(self) -> int:
        """The number of classes, that is of a network's outputs."""
        return len(self.class_names)

    @property
    def is_categorical(self) -> Tensor:
        """Which features are one-hot columns, bool of shape `features`."""
        return _membership(self.feature_names, self.categorical).reshape(self.input_shape)

    def in_original_units(self, x: Tensor) -> Tensor:
        """`x * feature_scale + feature_shift` for samples `(batch, *features)` in the network's units."""
        return x * self.feature_scale.to(x) + self.feature_shift.to(x)

    def radius(self, eps: ArrayLike | None = None, sigma: float | None = None) -> Tensor:
        """Radius of each feature in the network's units, float64 of shape `features`: what `Box.around` takes.

        Exactly one of the two is given, in original units. `sigma`: a share of each feature's range,
        `eps_v = sigma * d` (the paper's Sec. 4.2), so a feature that never varies has radius 0. `eps`: a number for
        every feature, or one per feature. A one-hot column has radius 0 unless `eps` says otherwise for it alone.

        Raises `InputError` for none or both, a negative or infinite value, or a wrong number of features.
        """
        radius = self._original_radius(eps, sigma) / self.feature_scale
        if not bool(torch.isfinite(radius).all()):
            raise InputError(f"{self.name}: the radius is too large for a feature whose scale is nearly 0")
        return radius

    def describe_radius(self, eps: ArrayLike | None = None, sigma: float | None = None) -> str:
        """Which radius `radius(eps, sigma)` is, in words that stand beside every result."""
        radius = self._original_radius(eps, sigma)
        if sigma is not None:
            words = f"sigma {sigma:g} of each feature's range"
        else:
            given = as_tensor(eps, "eps") if eps is not None else radius
            low, high = float(given.min()), float(given.max())
            words = f"eps {low:g} for every feature" if given.ndim == 0 else f"eps {low:g} to {high:g}, one per feature"
        zeros, features = int((radius == 0).sum()), radius.numel()
        if 0 < zeros < features:
            words += f" (0 for {zeros} of {features} features)"
        is_standardised = bool((self.feature_scale != 1).any())
        return f"{words}, in units before standardising" if is_standardised else words

    def _original_radius(self, eps: ArrayLike | None, sigma: float | None) -> Tensor:
        if (eps is None) == (sigma is None):
            raise InputError("radius: give either eps or sigma, one of the two")
        name, given = ("sigma", sigma) if eps is None else ("eps", eps)
        value = as_tensor(given if given is not None else 0.0, name, like=self.feature_range)
        if bool((value < 0).any()):
            raise InputError(f"{name}: must not be negative, found {float(value.min()):.17g}")
        if name == "sigma":
            if value.ndim:
                raise InputError(f"sigma: one number is allowed, found shape {tuple(value.shape)}")
            return value * self.feature_range
        if value.ndim == 0:
            return value.expand(self.input_shape).masked_fill(self.is_categorical, 0.0)
        if tuple(value.shape) not in (self.input_shape, (len(self.feature_names),)):
            allowed = f"a number, or one for each of {self.name}'s {len(self.feature_names)} features, is allowed"
            raise InputError(f"eps: {allowed}, found shape {tuple(value.shape)}")
        return value.reshape(self.input_shape)


def range_of(x: Tensor) -> Tensor:
    """Largest minus smallest value of each feature over the samples, float64 of shape `features`."""
    return x.amax(0).double() - x.amin(0).double()


def numbered(features: int) -> tuple[str, ...]:
    """Names for features that have none."""
    return tuple(f"feature {index}" for index in range(features))


def _membership(names: tuple[str, ...], chosen: frozenset[str]) -> Tensor:
    return torch.tensor([name in chosen for name in names])


def _check_samples(name: str, part: str, x: Tensor, y: Tensor, classes: int) -> None:
    if x.ndim < 2 or x.numel() == 0:
        found = f"shape {tuple(x.shape)}"
        raise InputError(f"{name}: x_{part} needs at least one sample and one feature, samples first; found {found}")
    if not x.is_floating_point() or y.dtype != torch.int64:
        raise InputError(f"{name}: {part} samples must be floating point, labels int64; found {x.dtype} and {y.dtype}")
    if tuple(y.shape) != (len(x),):
        raise InputError(f"{name}: one label a sample is needed: y_{part} {(len(x),)}, found {tuple(y.shape)}")
    bad = ~torch.isfinite(x.flatten(1)).all(1)
    if bool(bad.any()):
        raise InputError(f"{name}: x_{part}, sample {int(bad.nonzero()[0])}, holds NaN or infinity")
    outside = (y < 0) | (y >= classes)
    if bool(outside.any()):
        index = int(outside.nonzero()[0])
        raise InputError(f"{name}: y_{part}[{index}] is {int(y[index])}; labels from 0 to {classes - 1} are allowed")

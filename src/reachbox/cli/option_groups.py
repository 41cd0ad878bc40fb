"""Options that several commands take together; each group reads what was said into what a command works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reachbox.cli import options
from reachbox.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from reachbox.cli.computation import Computation
    from reachbox.cli.radius import Radius
    from reachbox.data import Dataset


@dataclass(frozen=True)
class DataOptions:
    """Which data set."""

    data: options.Data
    data_dir: options.DataDir = None
    label: options.Label = None
    one_hot: options.OneHot = False
    split: options.Split = None
    standardise: options.Standardise = False
    seed: options.Seed = 0

    def load(self) -> Dataset:
        """The data set itself."""
        from reachbox import data

        return data.load(
            self.data,
            data_dir=self.data_dir,
            label=self.label,
            one_hot=self.one_hot,
            split=self.split,
            standardise=self.standardise,
            seed=self.seed,
        )


@dataclass(frozen=True)
class SampleOptions(DataOptions):
    """Which samples of a data set, and how many of them."""

    train: options.Train = False
    samples: options.Samples = None

    def chosen(self, dataset: Dataset) -> tuple[Tensor, Tensor]:
        """Samples and labels of the part that was asked for."""
        return (dataset.x_train, dataset.y_train) if self.train else (dataset.x_test, dataset.y_test)


@dataclass(frozen=True)
class InputOptions(SampleOptions):
    """Samples of a file, of a data set, or of a file with the ranges of a data set."""

    data: options.MaybeData = None  # type: ignore[assignment]
    input_file: options.Input = None

    @property
    def data_set(self) -> SampleOptions | None:
        """The data set, if there is one; without it none of its options may stand."""
        given = {name: value for name, value in vars(self).items() if name != "input_file"}
        if self.data is not None:
            return SampleOptions(**given)
        if self != InputOptions(seed=self.seed, samples=self.samples, input_file=self.input_file):
            raise InputError(
                "data: --data-dir, --label, --one-hot, --split, --standardise and --train need --data NAME"
            )
        return None


@dataclass(frozen=True)
class RadiusOptions:
    """How far each feature may move."""

    eps: options.Eps = None
    sigma: options.Sigma = None

    def read(self) -> Radius:
        """The numbers; `InputError` for what is none."""
        from reachbox.cli.radius import Radius

        return Radius.of(**vars(self))


@dataclass(frozen=True)
class ClippedRadiusOptions(RadiusOptions):
    """How far each feature may move, and where it has to stay."""

    within: options.Within = None


@dataclass(frozen=True)
class MethodOptions:
    """How to bound, in float64."""

    method: options.Method = "dual"
    option: options.MethodOption = None
    timeout: options.Timeout = None
    device: options.Device = "cpu"

    def read(self, seed: int) -> Computation:
        """The method, ready to run; `InputError` for what is unknown or does not fit."""
        from reachbox.cli.computation import Computation

        return Computation.of(**{**vars(self), "option": self.option or (), "seed": seed})


@dataclass(frozen=True)
class ComputationOptions(MethodOptions):
    """How to bound, and in which arithmetic."""

    dtype: options.Dtype = "float64"

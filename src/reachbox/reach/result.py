"""What every method gives: a box for each sample, and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from reachbox.box import log_volume_of


class Kind(StrEnum):
    """How a result relates to the true range of each output."""

    ESTIMATE = "estimate"  # attained values: the true range is at least this
    SOUND = "sound"  # proven: the true range is at most this
    EXACT = "exact"  # proven, and attained up to the method's tolerance


@dataclass(frozen=True)
class Reach:
    """The range of every output of a network over an input box.

    `lower`, `upper` are `(batch, outputs)`, outputs flattened. They are proven bounds unless `kind` is an estimate,
    over the real numbers up to the rounding of the dtype used; `Kind.EXACT` says that they are attained as well.
    Where the method knows them, `inner_lower`, `inner_upper` are attained values and `attaining_lower`,
    `attaining_upper` the inputs that attain them, `(batch, outputs, *input_shape)`.
    `status` tells for each `(sample, output, side)` how the search ended; None stands for `solved` throughout.
    `engines` are those that `exact` used, in order. `seconds` is the time that the whole call took.
    """

    lower: Tensor
    upper: Tensor
    method: str
    kind: Kind
    inner_lower: Tensor | None = None
    inner_upper: Tensor | None = None
    attaining_lower: Tensor | None = None
    attaining_upper: Tensor | None = None
    status: npt.NDArray[np.str_] | None = None
    engines: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def width(self) -> Tensor:
        """`upper - lower`, `(batch, outputs)`."""
        return self.upper - self.lower

    @property
    def log_volume(self) -> Tensor:
        """Natural logarithm of the box's volume, `(batch,)`: the log of the sensitivity, Eq. 5 and 7.

        A width that is not above its own proven error, so that no two different values are attained, counts as 0.
        """
        if self.kind != Kind.EXACT or self.inner_lower is None or self.inner_upper is None:
            return log_volume_of(self.width)
        return log_volume_of(torch.where(self.inner_upper > self.inner_lower, self.width, 0.0))

    @property
    def solved(self) -> npt.NDArray[np.bool_]:
        """Whether each `(sample, output, side)` was solved, `(batch, outputs, 2)`."""
        if self.status is None:
            return np.ones((*self.lower.shape, 2), dtype=np.bool_)
        return np.asarray(self.status == "solved")

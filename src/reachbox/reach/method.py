"""What a method is: frozen options with one verb."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from reachbox.box import Box
from reachbox.network import Network
from reachbox.reach.result import Reach


class Method(ABC):
    """A way to bound the outputs of a network over a box. Subclasses are frozen dataclasses of typed options."""

    name: ClassVar[str]
    differentiable: ClassVar[bool] = False

    @abstractmethod
    def bound(self, network: Network, box: Box, objective: Tensor) -> Reach:
        """The range of `objective @ outputs` over the box.

        `network` holds plain tensors of the box's dtype and device; `objective` is `(batch, rows, outputs)`,
        possibly expanded over the batch.
        """

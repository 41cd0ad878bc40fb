"""What a command bounds: boxes, and what is known of the samples inside of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from reachbox.box import Box


@dataclass(frozen=True)
class Task:
    """The boxes to bound, where they come from and how they were made; class names where they are known."""

    boxes: Box
    source: str
    radius_words: str
    class_names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class LabelledTask(Task):
    """A task whose samples `x`, float64, and `labels` are known; `radius` is that of each feature."""

    x: Tensor = field(kw_only=True)
    radius: Tensor = field(kw_only=True)
    labels: Tensor = field(kw_only=True)
    class_names: tuple[str, ...] = field(kw_only=True)

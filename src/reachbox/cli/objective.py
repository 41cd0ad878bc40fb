"""The objective of a training, as the command line says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from torch import Tensor

from reachbox.cli.named_options import named_options
from reachbox.errors import InputError
from reachbox.training.objectives import OBJECTIVES, Objective, Plain


@dataclass(frozen=True)
class ObjectiveOptions:
    """An objective's name and the options that were given; None leaves an option at the objective's own default."""

    name: str | None = None
    l2: float | None = None
    weight: float | None = None
    method: str | None = None
    words: Sequence[str] = ()

    def build(self, radius: Tensor | None, within: tuple[float, float] | None) -> Objective:
        """The objective; `radius` is that of each feature, None where none was given.

        Raises `InputError` for an unknown name, an option that the objective does not have, or a missing radius.
        """
        name = self.name or Plain.name
        if name not in OBJECTIVES:
            raise InputError(f"objective: {', '.join(OBJECTIVES)} are allowed, found {name!r}")
        kind: Any = OBJECTIVES[name]
        if kind is Plain:
            return Plain(**self._given(kind, l2=self.l2))
        given = self._given(kind, weight=self.weight, method=self.method)
        if "radius" in {field.name for field in fields(kind)}:
            if radius is None:
                raise InputError(f"radius: the objective {name} needs --eps E or --sigma S")
            given |= {"radius": radius, "within": within}
        objective: Objective = kind(**given, task=Plain() if self.l2 is None else Plain(l2=self.l2))
        return objective

    def changed(self, objective: Objective, within: tuple[float, float] | None) -> Objective:
        """A preset's objective with the options that were given instead of its own."""
        if self.name is not None:
            raise InputError("objective: a preset has one; leave out --objective or --preset")
        kind: Any = type(objective)
        given = self._given(kind, weight=self.weight, method=self.method)
        if within is not None and "within" in {field.name for field in fields(kind)}:
            given["within"] = within
        changed: Objective = replace(cast(Any, objective), **given)
        return changed if self.l2 is None else _with_l2(changed, self.l2)

    def _given(self, kind: Any, **flags: float | str | None) -> dict[str, Any]:
        """The options that the flags and words set; a flag of another objective would have no effect and is refused."""
        has = {field.name for field in fields(kind)}
        for name, value in {"weight": self.weight, "method": self.method}.items():
            if value is not None and name not in has:
                raise InputError(f"{name}: the objective {kind.name} has none, leave it out")
        given = {name: value for name, value in flags.items() if value is not None}
        return given | named_options(kind, self.words, elsewhere=("weight", "method", "l2"))


def _with_l2(objective: Objective, l2: float) -> Objective:
    """The objective with the task at its bottom, where the l2 part is, at another weight."""
    if isinstance(objective, Plain):
        return replace(objective, l2=l2)
    nested = cast(Any, objective)
    changed: Objective = replace(nested, task=_with_l2(nested.task, l2))
    return changed

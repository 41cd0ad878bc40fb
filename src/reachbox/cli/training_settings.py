"""How a training goes through the data, as the command line says it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from reachbox.errors import InputError
from reachbox.training import CoolDown, Preset, Settings


@dataclass(frozen=True)
class SettingsOptions:
    """The settings that were given; None leaves one at the preset's value, or at the default."""

    epochs: int | None = None
    batch_size: int | None = None
    optimiser: str | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    clip: float | None = None
    cool_down: str | None = None

    def build(self, preset: Preset | None, seed: int) -> Settings:
        """The settings; those of a preset, spread over the epochs asked for, where there is one."""
        base = preset.settings if preset else Settings()
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "cool_down"}
        given = {name: value for name, value in values.items() if value is not None}
        if self.cool_down is not None:
            given["cool_down"] = _cool_down(self.cool_down)
        return replace(base, **given, seed=seed)


def _cool_down(words: str) -> CoolDown:
    """`START,END`, in epochs."""
    try:
        start, end = (float(word) for word in words.split(","))
    except ValueError:
        raise InputError(f"cool-down: two epochs START,END are needed, found {words!r}") from None
    return CoolDown(end, start)

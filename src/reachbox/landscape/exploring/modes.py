"""The ways to explore a network's landscape, each with the settings that suit it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from reachbox.errors import InputError
from reachbox.landscape.condensed.condense import is_condensable
from reachbox.landscape.condensed.smoothing import smoothed
from reachbox.landscape.energy import Energy, PerceptronEnergy, ReLU
from reachbox.landscape.exploring.jobs import Exploration, Kind
from reachbox.landscape.exploring.search import WORTH_CONDENSING, Searching


class Mode(StrEnum):
    """`smooth` is for activations without kinks. ReLU has two modes: `smoothed`, and `paper` as users of pele do."""

    SMOOTH = "smooth"
    SMOOTHED = "smoothed"
    PAPER = "paper"


CLIMBING: tuple[Kind, ...] = ("quench", "climb_from_minima", "climb_from_minima", "climb_from_minima")
MOVING: tuple[Kind, ...] = ("quench", *("climb_from_moves",) * 7)
EVERY_WAY: tuple[Kind, ...] = (
    "quench", "climb_from_minima", "climb_from_random", "climb_from_symmetric", "climb_from_moves", "connect",
)  # fmt: skip
KICKING: tuple[Kind, ...] = ("quench", "kick", "kick", "kick")
WIDE_BEND = 0.1
RMS = {Mode.SMOOTH: 1e-7, Mode.SMOOTHED: 1e-7, Mode.PAPER: 1e-3}


@dataclass(frozen=True, eq=False)
class Landscape:
    """What is explored and how: the surface, the searches, and whether points need their inertia to be kept."""

    energy: Energy
    exploration: Exploration
    mode: Mode

    @property
    def is_strict(self) -> bool:
        """Whether a point counts only with its inertia."""
        return self.exploration.searching.strict


def default_mode(network: Energy) -> Mode:
    """`smoothed` where the activation has a kink that can be smoothed, else `smooth`."""
    has_kinks = isinstance(network, PerceptronEnergy) and isinstance(network.activation, ReLU)
    return Mode.SMOOTHED if has_kinks else Mode.SMOOTH


def landscape_of(
    network: Energy, mode: Mode | None = None, width: float | None = None, rms: float | None = None, seed: int = 0
) -> Landscape:
    """The landscape of a network's loss in a mode, by default the one that suits it.

    `width` is the bend of the smoothed mode, .001 by default; transition states exist at .3 to 1. `rms` is the RMS
    gradient of a converged point. Raises `InputError` for a width in another mode, or where nothing can be smoothed.
    """
    mode = mode or default_mode(network)
    if width is not None and mode is not Mode.SMOOTHED:
        raise InputError(f"landscape: a width belongs to the smoothed mode, found mode {mode}")
    rms = RMS[mode] if rms is None else rms
    if mode is Mode.SMOOTHED:
        return _smoothed(network, 1e-3 if width is None else width, rms, seed)
    searching = Searching.for_networks(rms) if mode is Mode.SMOOTH else Searching.as_published(rms)
    kinds, batch = _climbing(network) if mode is Mode.SMOOTH else (("quench",), 32)
    return Landscape(network, Exploration(seed=seed, batch=batch, kinds=kinds, searching=searching), mode)


def _climbing(network: Energy) -> tuple[tuple[Kind, ...], int]:
    """How transition states of a smooth loss are looked for, and how many searches are a job.

    A small network is searched in every way there is; in a large one climbs along moves find most.
    """
    if not is_condensable(network):
        return CLIMBING, 8
    return (EVERY_WAY, 64) if network.dimension <= WORTH_CONDENSING else (MOVING, 8)


def _smoothed(network: Energy, width: float, rms: float, seed: int) -> Landscape:
    """With a narrow bend kicks find most; transition states are there with a wide one."""
    bent = smoothed(network, width)
    if not is_condensable(bent):
        raise InputError(f"l2: the smoothed mode needs one above 0 that counts biases, found {bent.l2:g}")
    kinds = CLIMBING if width > WIDE_BEND else KICKING
    exploration = Exploration(seed=seed, batch=8, kinds=kinds, searching=Searching.for_smoothed_relu(width, rms))
    return Landscape(bent, exploration, Mode.SMOOTHED)


def repeated(landscape: Landscape, seed: int) -> Landscape:
    """The same exploration with another seed."""
    return replace(landscape, exploration=replace(landscape.exploration, seed=seed))

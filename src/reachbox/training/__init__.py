"""Training against sensitivity: objectives, the one loop, metrics, and runs that survive a kill."""

from reachbox.training.attacks import Attack
from reachbox.training.metrics import METRICS, Evaluation
from reachbox.training.objectives import (
    OBJECTIVES,
    Dropout,
    Jacobian,
    Loss,
    Objective,
    Plain,
    Robust,
    Sensitivity,
    Spectral,
)
from reachbox.training.presets import PRESETS, Preset
from reachbox.training.processes import Processes
from reachbox.training.run import run
from reachbox.training.schedule import CoolDown, WarmUp
from reachbox.training.state import Epoch, State
from reachbox.training.train import DivergedError, Settings, Step, train

__all__ = [
    "METRICS", "OBJECTIVES", "PRESETS", "Attack", "CoolDown", "DivergedError", "Dropout", "Epoch", "Evaluation",
    "Jacobian", "Loss", "Objective", "Plain", "Preset", "Processes", "Robust", "Sensitivity", "Settings", "Spectral",
    "State", "Step", "WarmUp", "run", "train",
]  # fmt: skip

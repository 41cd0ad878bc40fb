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
from reachbox.training.run import run
from reachbox.training.schedule import WarmUp
from reachbox.training.state import Epoch, State
from reachbox.training.train import DivergedError, Settings, Step, train

__all__ = [
    "METRICS", "OBJECTIVES", "Attack", "DivergedError", "Dropout", "Epoch", "Evaluation", "Jacobian", "Loss",
    "Objective", "Plain", "Robust", "Sensitivity", "Settings", "Spectral", "State", "Step", "WarmUp", "run", "train",
]  # fmt: skip

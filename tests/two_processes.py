"""Trains by every objective; `python -m tests.two_processes FILE RANK COUNT PORT`, where a count above 1 is gloo's."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import distributed, nn

from reachbox import data
from reachbox.training import (
    Dropout,
    Jacobian,
    Objective,
    Plain,
    Processes,
    Robust,
    Sensitivity,
    Settings,
    Spectral,
    run,
    train,
)
from reachbox.training.metrics import Evaluation

RADIUS = 0.05
OBJECTIVES: dict[str, Objective] = {
    "plain": Plain(),
    "product": Sensitivity(radius=RADIUS, weight=1e-3),
    "a share": Sensitivity(radius=RADIUS, weight=1e-3, subsample=0.2),
    "log-probability": Sensitivity(radius=RADIUS, weight=0.1, of="log_probability", method="interval"),
    "spectral": Spectral(weight=0.1),
    "jacobian": Jacobian(weight=0.1, task=Dropout()),
    "robust": Robust(radius=RADIUS),
}
SETTINGS = Settings(epochs=2, batch_size=50, learning_rate=5e-3, clip=1.0)


def main(folder: Path, rank: int, count: int, port: int) -> None:
    """Writes the weights that each objective ends with, from every process."""
    torch.set_num_threads(1)
    if count > 1:
        address = f"tcp://127.0.0.1:{port}"
        distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=count)
    digits = data.load("digits")
    x, y = digits.x_train[:120], digits.y_train[:120]  # the last mini-batch is smaller
    measure = Evaluation(digits.x_test[:20], digits.y_test[:20], RADIUS, ("ERR", "SENSE"))
    weights, numbers = {}, []
    for name, objective in OBJECTIVES.items():
        torch.manual_seed(rank)  # the first process's weights must win
        module = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10)).double()
        state = train(module, objective, x, y, SETTINGS, measure=measure)
        weights[name] = torch.cat([weight.detach().flatten() for weight in module.parameters()])
        numbers += [value for epoch in state.history for value in (*epoch.losses.values(), *epoch.metrics.values())]
    weights["numbers"] = torch.tensor(numbers, dtype=torch.float64)
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    run(folder / "run", module, Plain(), digits, SETTINGS, evaluations={"test": measure})
    save_file(weights, folder / f"{Processes.present().rank}-of-{count}.safetensors")
    if count > 1:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(word) for word in sys.argv[2:]))

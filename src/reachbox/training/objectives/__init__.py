"""What training minimises: one file an objective, each usable alone in any loop.

>>> import torch
>>> from reachbox.training.objectives import Plain, Sensitivity
>>> model, x, y = torch.nn.Linear(2, 3), torch.zeros(1, 2), torch.tensor([0])
>>> sorted(Sensitivity(radius=0.1, task=Plain(l2=1e-3))(model, x, y).parts)
['cross_entropy', 'l2', 'sensitivity']
"""

from reachbox.training.objectives.dropout import Dropout
from reachbox.training.objectives.jacobian import Jacobian
from reachbox.training.objectives.objective import Loss, Model, Objective
from reachbox.training.objectives.penalty import Penalty
from reachbox.training.objectives.plain import Plain
from reachbox.training.objectives.robust import Robust
from reachbox.training.objectives.sensitivity import Form, Sensitivity
from reachbox.training.objectives.spectral import Spectral

OBJECTIVES: dict[str, type[Objective]] = {
    objective.name: objective for objective in (Plain, Sensitivity, Spectral, Dropout, Jacobian, Robust)
}

__all__ = [
    "OBJECTIVES", "Dropout", "Form", "Jacobian", "Loss", "Model", "Objective", "Penalty", "Plain", "Robust",
    "Sensitivity", "Spectral",
]  # fmt: skip

"""The attack behind PGD_ERR against IBM's toolbox: `pip install --no-deps adversarial-robustness-toolbox six tqdm`."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import reachbox as rb
from reachbox.data import load
from reachbox.network.architectures import build
from reachbox.training import PRESETS, Attack, train

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    evasion = pytest.importorskip("art.attacks.evasion")
    classification = pytest.importorskip("art.estimators.classification")

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

RADIUS, STEPS, RESTARTS = 0.12, 20, 3


@pytest.fixture(scope="module", params=["plain", "recommended"])
def trained(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor, Tensor]:
    """A network, and samples with their labels, of which some but not all are lost within the radius."""
    digits = load("digits")
    preset = PRESETS[request.param].lasting(4)
    radius = torch.tensor(RADIUS)
    module = build("conv:8", digits.input_shape, digits.classes, 0)
    train(module, preset.objective(radius), digits.x_train, digits.y_train, replace(preset.settings, batch_size=20))
    return module.eval(), digits.x_test[:200].float(), digits.y_test[:200]


def found_by_the_toolbox(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Points of its projected gradient descent."""
    classifier = classification.PyTorchClassifier(
        module, nn.CrossEntropyLoss(), tuple(x.shape[1:]), 10, device_type="cpu"
    )
    attack = evasion.ProjectedGradientDescentPyTorch(
        classifier, eps=RADIUS, eps_step=RADIUS / 5, max_iter=STEPS, num_random_init=RESTARTS,
        batch_size=len(x), verbose=False,
    )  # fmt: skip
    np.random.seed(0)  # noqa: NPY002 - the toolbox draws from it
    return torch.from_numpy(attack.generate(x.numpy(), y.numpy()))


def test_the_attack_is_as_strong_as_the_toolboxs_and_no_proof_denies_it(
    trained: tuple[nn.Module, Tensor, Tensor],
) -> None:
    module, x, y = trained
    network, box = rb.Network.from_module(module, x), rb.Box.around(x.double(), RADIUS)
    ours = Attack(steps=STEPS, restarts=RESTARTS).fools(network.to(torch.float64), box, x.double(), y)
    points = found_by_the_toolbox(module, x, y)
    points = torch.minimum(torch.maximum(points.double(), box.lower), box.upper)
    theirs = network.to(torch.float64)(points).argmax(1) != y
    assert 0.02 < theirs.double().mean() < 1
    assert ours.double().mean() >= theirs.double().mean() - 0.01
    certified = rb.certify(network, box, y).certified
    assert not bool((certified & (ours | theirs)).any())

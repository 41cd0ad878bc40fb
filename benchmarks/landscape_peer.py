"""topsearch's side of `landscape.py`, run by a Python that has it: `python landscape_peer.py PROBLEM SECONDS SEED`.

Prints one JSON object: distinct converged minima and transition states, and processor time.
"""

from __future__ import annotations

import json
import os
import sys
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
from topsearch.data.coordinates import AtomicCoordinates, StandardCoordinates
from topsearch.data.kinetic_transition_network import KineticTransitionNetwork
from topsearch.global_optimisation.basin_hopping import BasinHopping
from topsearch.global_optimisation.perturbations import AtomicPerturbation, StandardPerturbation
from topsearch.minimisation import lbfgs
from topsearch.potentials.atomic import LennardJones
from topsearch.potentials.potential import Potential
from topsearch.similarity.molecular_similarity import MolecularSimilarity
from topsearch.similarity.similarity import StandardSimilarity
from topsearch.transition_states.hybrid_eigenvector_following import HybridEigenvectorFollowing

TOLERANCE, L2, WIDTHS = 1e-5, 1e-3, (4, 25, 25, 25, 3)


class TanhLoss(Potential):  # type: ignore[misc]
    """The mean cross-entropy of a tanh perceptron with the l2 term, in numpy."""

    def __init__(self, inputs: Any, labels: Any) -> None:
        self.atomistic = False
        self.inputs, self.targets = inputs.T, np.eye(WIDTHS[-1])[labels].T

    def function(self, position: Any) -> float:
        return float(self.function_gradient(position)[0])

    def gradient(self, position: Any, displacement: float = 0.0) -> Any:
        return self.function_gradient(position)[1]

    def function_gradient(self, position: Any) -> tuple[float, Any]:
        layers, begin = [], 0
        for fan_in, fan_out in pairwise(WIDTHS):
            weight = position[begin : begin + fan_in * fan_out].reshape(fan_out, fan_in)
            begin += fan_in * fan_out
            layers.append((weight, position[begin : begin + fan_out]))
            begin += fan_out
        activations = [self.inputs]
        for index, (weight, bias) in enumerate(layers):
            z = weight @ activations[-1] + bias[:, None]
            activations.append(np.tanh(z) if index < len(layers) - 1 else z)
        shifted = activations[-1] - activations[-1].max(axis=0)
        totals = np.log(np.exp(shifted).sum(axis=0))
        samples = self.targets.shape[1]
        value = (totals - (shifted * self.targets).sum(axis=0)).mean() + L2 * position @ position
        delta = (np.exp(shifted - totals) - self.targets) / samples
        gradient: list[Any] = []
        for index in reversed(range(len(layers))):
            below = activations[index]
            gradient[:0] = [(delta @ below.T).ravel(), delta.sum(axis=1)]
            if index:
                delta = (layers[index][0].T @ delta) * (1 - below * below)
        return float(value), np.concatenate(gradient) + 2 * L2 * position


def cluster(seed: int) -> tuple[Any, ...]:
    """Seven atoms from a compact start, with steps and a temperature that keep them together."""
    grid = 1.1 * np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)][:7], dtype=float)
    start = grid.ravel() + 0.1 * np.random.default_rng(seed).standard_normal(21)
    coordinates = AtomicCoordinates(["C"] * 7, start)
    coordinates.same_bonds = lambda: True  # atoms of a cluster have no bonds to keep
    coordinates.remove_atom_clashes = lambda: None  # which counts in Angstrom
    similarity = MolecularSimilarity(distance_criterion=1.0, energy_criterion=TOLERANCE)
    search = HybridEigenvectorFollowing(
        LennardJones(), 1e-5, 75, 0.6, max_uphill_step_size=0.3, positive_eigenvalue_step=0.1
    )
    return LennardJones(), coordinates, similarity, AtomicPerturbation(1.2, 6), search


def iris(seed: int) -> tuple[Any, ...]:
    """The paper's network with tanh, on the data that the environment brings."""
    data = json.loads(os.environ["REACHBOX_BENCHMARK_DATA"])
    loss = TanhLoss(np.array(data["inputs"]), np.array(data["labels"]))
    dimension = sum((a + 1) * b for a, b in pairwise(WIDTHS))
    coordinates = StandardCoordinates(dimension, bounds=[(-10.0, 10.0)] * dimension)
    coordinates.position = 0.3 * np.random.default_rng(seed).standard_normal(dimension)
    similarity = StandardSimilarity(distance_criterion=1e-4, energy_criterion=TOLERANCE)
    search = HybridEigenvectorFollowing(loss, 1e-5, 200, 0.1, max_uphill_step_size=0.3, positive_eigenvalue_step=0.1)
    return loss, coordinates, similarity, StandardPerturbation(0.05), search


def speed(problem: str, seed: int) -> float:
    """Energy and gradient evaluations a second."""
    potential, coordinates, *_ = PROBLEMS[problem](seed)
    begin, calls = process_time(), 0
    while process_time() - begin < 1.0:
        potential.function_gradient(coordinates.position)
        calls += 1
    return calls / (process_time() - begin)


PROBLEMS = {"lj7": cluster, "iris": iris}


def run(problem: str, seconds: float, seed: int) -> dict[str, Any]:
    """Basin hopping for a third of the time, climbs from its minima for the rest."""
    np.random.seed(seed)  # noqa: NPY002 - topsearch draws from numpy's global generator
    potential, coordinates, similarity, step, search = PROBLEMS[problem](seed)
    network, begin = KineticTransitionNetwork(), process_time()
    hopping, own = BasinHopping(network, potential, similarity, step), lbfgs.minimise.__defaults__
    lbfgs.minimise.__defaults__ = (1e-6, 20, 5000, None)  # 200 steps of memory 5, its own, reach no minimum
    while process_time() - begin < seconds / 3 or network.n_minima == 0:
        hopping.run(coords=coordinates, n_steps=5, conv_crit=1e-5, temperature=0.5)
        if process_time() - begin > seconds:
            break
    lbfgs.minimise.__defaults__ = own
    states, searches = [], 0
    generator = np.random.default_rng(seed)
    while network.n_minima and process_time() - begin < seconds:
        here = deepcopy(coordinates)
        chosen = network.get_minimum_coords(int(generator.integers(network.n_minima)))
        here.position = chosen + 0.1 * generator.standard_normal(len(chosen))
        found = search.run(here)
        searches += 1
        if found[0] is not None and potential.check_valid_ts(_at(coordinates, found[0])):
            states.append(float(found[1]))
    minima = [
        float(network.get_minimum_energy(number))
        for number in range(network.n_minima)
        if potential.check_valid_minimum(_at(coordinates, network.get_minimum_coords(number)))
    ]
    return {"minima": minima, "states": states, "searches": searches, "seconds": process_time() - begin}


def _at(coordinates: Any, position: Any) -> Any:
    there = deepcopy(coordinates)
    there.position = position
    return there


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with TemporaryDirectory() as scratch:
        home = Path.cwd()
        os.chdir(scratch)  # topsearch writes a log where it stands
        answer = run(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
        answer["speed"] = speed(sys.argv[1], int(sys.argv[3]))
        os.chdir(home)
    print(json.dumps(answer))

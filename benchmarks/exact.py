"""The exact box of Iris networks: the paper's whole workload, and each problem against HiGHS, checked for agreement.

`python benchmarks/exact.py --help`. Trains a few 4-25-25-25-3 networks (energy: mean cross-entropy + .001 ||w||^2),
repeats them to the paper's 763 networks x 150 samples x 6 problems, and times our engine on them at each sigma. Then
solves some of the same problems with HiGHS: big-M from our proven ranges, gap 0.
"""

from __future__ import annotations

from itertools import pairwise
from json import dumps
from time import process_time
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
import typer
from scipy.optimize import Bounds, LinearConstraint, milp
from torch import Tensor, nn

import reachbox as rb
from reachbox.data import load
from reachbox.reach.exact import Exact, exact_stack
from reachbox.reach.exact.rounding import unit_ranges
from reachbox.reach.program import Program
from reachbox.reach.program import lower as lower_network

Floats = npt.NDArray[np.float64]
NETWORKS, PENALTY = 763, 1e-3


def trained(seed: int) -> nn.Sequential:
    """A minimum of the energy on raw Iris features, by L-BFGS from a random start."""
    iris = load("iris")
    torch.manual_seed(seed)
    sizes = [4, 25, 25, 25, 3]
    layers = [nn.Linear(before, after).double() for before, after in pairwise(sizes)]
    module = nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))[:-1]
    for weight in module.parameters():
        weight.data.normal_(std=0.3)
    optimiser = torch.optim.LBFGS(module.parameters(), max_iter=1500, history_size=20, line_search_fn="strong_wolfe")

    def energy() -> Tensor:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(module(iris.x_train), iris.y_train)
        loss = loss + PENALTY * sum((weight**2).sum() for weight in module.parameters())
        loss.backward()
        return loss

    optimiser.step(energy)
    return module


def stacked(modules: list[nn.Sequential], networks: int) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and biases of each layer, the modules repeated to so many networks."""
    chosen = [modules[number % len(modules)] for number in range(networks)]
    layers = [[part for part in module if isinstance(part, nn.Linear)] for module in chosen]
    return (
        [torch.stack([layer.weight.detach() for layer in same]) for same in zip(*layers, strict=True)],
        [torch.stack([layer.bias.detach() for layer in same]) for same in zip(*layers, strict=True)],
    )


def layer_matrix(program: Program) -> Floats:
    """All weights as one matrix: row `i` gives value `i` before its ReLU from all values after theirs."""
    full = np.zeros((program.begin[-1], program.begin[-1]))
    for block, first in enumerate(program.first):
        start, end = program.begin[block], program.begin[block + 1]
        entries = program.weights[0, program.offset[block] :][: (start - first) * (end - start)]
        full[start:end, first:start] = entries.reshape(start - first, end - start).T
    return full


def highs_maximum(module: nn.Sequential, box: rb.Box, row: Floats) -> float:
    """The maximum of `row @ outputs` by HiGHS: each value before and after its ReLU, and whether it is on."""
    program = lower_network(rb.Network.from_module(module, box.centre))
    network = np.zeros(1, dtype=np.int64)
    low, high, _ = (part[0] for part in unit_ranges(program, network, box.lower.numpy(), box.upper.numpy()))
    values, hidden = len(low), slice(program.inputs, int(program.begin[-2]))
    below, above = np.minimum(low, 0), np.maximum(high, 0)
    one, zero = np.eye(values), np.zeros((values, values))
    units = slice(program.inputs, values)
    affine, bias = np.hstack([one, -layer_matrix(program), zero])[units], program.biases[0, units]
    passed_on = np.hstack([-one, one, zero])[: program.inputs]
    constraints = [
        LinearConstraint(affine, bias, bias),
        LinearConstraint(passed_on, 0, 0),
        LinearConstraint(np.hstack([-one, one, zero])[hidden], 0, np.inf),
        LinearConstraint(np.hstack([-one, one, -np.diag(below)])[hidden], -np.inf, -below[hidden]),
        LinearConstraint(np.hstack([zero, one, -np.diag(above)])[hidden], -np.inf, 0),
    ]
    least, most, whole = np.zeros(3 * values), np.ones(3 * values), np.zeros(3 * values)
    least[:values], most[:values] = low, high
    least[values : 2 * values], most[values : 2 * values] = np.minimum(low, 0), above
    least[values:][hidden], most[2 * values :][hidden] = np.maximum(low, 0)[hidden], (high > 0)[hidden]
    least[2 * values :][hidden], whole[2 * values :][hidden] = (low >= 0)[hidden], 1
    cost = np.zeros(3 * values)
    cost[program.begin[-2] : values] = -row
    bounds, options = Bounds(least, most), {"mip_rel_gap": 0}
    solved = milp(cost, integrality=whole, bounds=bounds, constraints=constraints, options=options)
    if solved.status != 0:
        raise RuntimeError(f"HiGHS: {solved.message}")
    return float(-solved.fun)


def compare(modules: list[nn.Sequential], sigma: float, problems: int) -> tuple[float, float]:
    """Processor seconds that HiGHS takes for a problem on average, and the largest difference to our result."""
    iris, generator = load("iris"), np.random.default_rng(0)
    seconds, difference = 0.0, 0.0
    for _ in range(problems):
        module = modules[generator.integers(len(modules))]
        sample, output, sign = (
            generator.integers(len(iris.x_train)),
            generator.integers(3),
            generator.choice([-1.0, 1.0]),
        )
        box = rb.Box.around(iris.x_train[sample : sample + 1], iris.radius(sigma=sigma))
        ours = rb.reach(module, box, Exact())
        started = process_time()
        found = sign * highs_maximum(module, box, sign * np.eye(3)[output])
        seconds += process_time() - started
        expected = (ours.upper if sign > 0 else ours.lower)[0, output].item()
        difference = max(difference, abs(found - expected))
    return seconds / problems, difference


def main(
    minima: Annotated[int, typer.Option(help="how many networks to train")] = 12,
    networks: Annotated[int, typer.Option(help="to how many they are repeated")] = NETWORKS,
    problems: Annotated[int, typer.Option(help="how many problems HiGHS solves at each sigma")] = 40,
    threads: Annotated[int, typer.Option(help="threads of our engine; HiGHS takes one")] = 2,
    sigmas: Annotated[str, typer.Option(help="radii as shares of each feature's range")] = "0.05,0.1,0.2",
) -> None:
    """Prints one JSON object for each sigma."""
    modules = [trained(seed) for seed in range(minima)]
    weights, biases = stacked(modules, networks)
    torch.set_num_threads(threads)
    iris = load("iris")
    exact_stack([weight[:1] for weight in weights], [bias[:1] for bias in biases], rb.Box(iris.x_train, iris.x_train))
    for sigma in (float(part) for part in sigmas.split(",")):
        before = process_time()
        out = exact_stack(weights, biases, rb.Box.around(iris.x_train, iris.radius(sigma=sigma)))
        processor = process_time() - before
        count = 2 * out.lower.numel()
        highs, difference = compare(modules, sigma, problems)
        ours = processor / count
        found = {
            "sigma": sigma, "problems": count, "threads": threads,
            "seconds": out.seconds, "processor seconds": processor, "kind": out.kind,
            "largest gap": float((out.upper - out.inner_upper).max()), "ms a problem": 1e3 * ours,
            "HiGHS ms a problem": 1e3 * highs, "times faster": highs / ours, "largest difference": difference,
        }  # fmt: skip
        print(dumps(found))


if __name__ == "__main__":
    typer.run(main)

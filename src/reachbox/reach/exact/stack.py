"""The exact boxes of many networks of one architecture at once, such as all minima of a landscape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
import torch

from reachbox.box import ArrayLike, Box, as_tensor
from reachbox.errors import InputError
from reachbox.reach.exact.batch import Tasks
from reachbox.reach.exact.method import Exact
from reachbox.reach.program import Floats, Program
from reachbox.reach.result import Reach


def exact_stack(
    weights: Sequence[ArrayLike], biases: Sequence[ArrayLike], box: Box, method: Exact | None = None
) -> Reach:
    """The exact box of every network for every sample, in one call: all linear layers with ReLU between them.

    Choose it over `reach` for many sets of weights of one architecture: nothing is captured, and all problems share
    the threads. `weights[k]` is `(networks, outputs of layer k, its inputs)`, `biases[k]` `(networks, outputs)`;
    `box` is `(samples, inputs)`. The result is that of `reach(..., method)` with a batch of `networks * samples`, all
    samples of the first network first. Raises `InputError` for shapes that do not fit.

    >>> import reachbox as rb
    >>> from reachbox.reach.exact import exact_stack
    >>> exact_stack([[[[1.0]], [[-2.0]]]], [[[0.0], [1.0]]], rb.Box([[0.0]], [[1.0]])).upper
    tensor([[1.0000],
            [1.0000]], dtype=torch.float64)
    """
    started = perf_counter()
    method = Exact() if method is None else method
    program = _program(*_arrays(weights, biases))
    networks, samples = len(program.weights), box.shape[0]
    lower, upper = (bound.double().cpu().numpy() for bound in (box.lower, box.upper))
    if lower.shape[1:] != (program.inputs,):
        raise InputError(f"box: the networks take (samples, {program.inputs}), found shape {box.shape}")
    identity = np.broadcast_to(np.eye(program.outputs), (networks * samples, program.outputs, program.outputs))
    tasks = Tasks(
        np.repeat(np.arange(networks), samples), np.tile(lower, (networks, 1)), np.tile(upper, (networks, 1)), identity
    )
    method.check_inputs(tasks)
    result = method.as_reach(method.answer(program, tasks), (program.inputs,), torch.device("cpu"))
    return replace(result, seconds=perf_counter() - started)


def _arrays(weights: Sequence[ArrayLike], biases: Sequence[ArrayLike]) -> tuple[list[Floats], list[Floats]]:
    """Both as float64 arrays whose shapes fit each other."""
    if not weights or len(weights) != len(biases):
        raise InputError(f"weights: as many as biases and at least 1 are needed, found {len(weights)}, {len(biases)}")
    matrices = [as_tensor(weight, f"weights[{k}]").detach().double().cpu().numpy() for k, weight in enumerate(weights)]
    shifts = [as_tensor(bias, f"biases[{k}]").detach().double().cpu().numpy() for k, bias in enumerate(biases)]
    for k, (matrix, shift) in enumerate(zip(matrices, shifts, strict=True)):
        if matrix.ndim != 3 or shift.shape != matrix.shape[:2]:
            raise InputError(
                f"layer {k}: weights (networks, outputs, inputs) and biases (networks, outputs) are needed, "
                f"found shapes {matrix.shape} and {shift.shape}"
            )
        before = matrices[k - 1].shape[:2] if k else (len(matrices[0]), matrix.shape[2])
        if (len(matrix), matrix.shape[2]) != before:
            raise InputError(
                f"layer {k}: weights of shape {matrix.shape} do not follow {before[0]} x {before[1]} values"
            )
    return matrices, shifts


def _program(weights: list[Floats], biases: list[Floats]) -> Program:
    networks, _, inputs = weights[0].shape
    sizes = [inputs, *(bias.shape[1] for bias in biases)]
    begin = np.cumsum(sizes)
    slope = np.zeros(begin[-1])
    slope[:inputs], slope[begin[-2] :] = 1.0, 1.0
    flat = np.concatenate([weight.transpose(0, 2, 1).reshape(networks, -1) for weight in weights], axis=1)
    constants = np.concatenate([np.zeros((networks, inputs)), *biases], axis=1)
    entries = [weight[0].size for weight in weights]
    return Program(
        flat, np.abs(flat), constants, np.abs(constants), begin, np.cumsum([0, *sizes[:-2]]),
        np.cumsum([0, *entries[:-1]]), slope, np.zeros(len(weights), dtype=np.int64),
    )  # fmt: skip

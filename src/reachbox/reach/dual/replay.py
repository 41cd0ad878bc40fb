"""Functions replayed on a GPU: their kernels are recorded once for each shape, and launched all at once from then on.

The dual bound is some hundred small kernels, and a processor takes longer to launch them than a GPU to run them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Function: TypeAlias = "Callable[..., tuple[Tensor, ...]]"
"""Of tensors on one GPU, without a look at their values."""

FIRST_CALLS = 2  # that run as they are: what comes once or twice is not worth recording
WARM_UPS = 3  # before a recording, as torch's documentation asks
MOST = 8  # recordings that a network keeps
TOLERANCE = 1e-3  # between a replay and the function itself


@dataclass
class Recording:
    """The kernels of a function and of its gradient, between tensors that stay where they are.

    `turn` counts what has overwritten them: a gradient is replayed only right after its own forward pass.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    forward: Any
    of_outputs: tuple[Tensor, ...] = ()
    of_inputs: tuple[Tensor | None, ...] = ()
    backward: Any = None
    turn: int = 0

    def run(self, arguments: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The function's values."""
        with torch.no_grad():
            torch._foreach_copy_(list(self.inputs), list(arguments))
            self.forward.replay()
            self.turn += 1
            return tuple(output.clone() for output in self.outputs)

    def run_backward(self, gradients: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
        """The gradients of the last values; they can be had once."""
        torch._foreach_copy_(list(self.of_outputs), list(gradients))
        self.backward.replay()
        self.turn += 1
        return tuple(None if gradient is None else gradient.clone() for gradient in self.of_inputs)


class Replays:
    """The recordings of one function, by the shapes and kinds of its arguments."""

    def __init__(self) -> None:
        self.calls: dict[object, int] = {}
        self.recordings: dict[object, Recording | None] = {}

    def __call__(self, function: Function, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """`function(*arguments)`, which depends on nothing else."""
        if torch.cuda.is_current_stream_capturing():
            return function(*arguments)
        wanted = torch.is_grad_enabled() and any(argument.requires_grad for argument in arguments)
        kinds = tuple((tuple(a.shape), a.dtype, a.device, wanted and a.requires_grad) for a in arguments)
        recording = self._recording((torch.is_inference_mode_enabled(), *kinds), function, arguments, wanted)
        if recording is None:
            return function(*arguments)
        if not wanted:
            return recording.run(arguments)
        found: tuple[Tensor, ...] = _Replayed.apply(recording, function, *arguments)  # type: ignore[no-untyped-call]
        return found

    def _recording(
        self, key: object, function: Function, arguments: tuple[Tensor, ...], wanted: bool
    ) -> Recording | None:
        """The one of that key, made now if the key has come often enough; None where there is none."""
        if key in self.recordings:
            return self.recordings[key]
        self.calls[key] = self.calls.get(key, 0) + 1
        if self.calls[key] <= FIRST_CALLS:
            return None
        while len(self.recordings) >= MOST:
            del self.recordings[next(iter(self.recordings))]
        stream = torch.cuda.current_stream()
        try:
            self.recordings[key] = record(function, arguments, wanted)
        except RuntimeError:  # an operator that cannot be recorded, or too little memory: the function itself serves
            torch.cuda.set_stream(stream)
            self.recordings[key] = None
        return self.recordings[key]


def record(function: Function, arguments: tuple[Tensor, ...], wanted: bool) -> Recording:
    """Records a function, with its gradients where they are `wanted`, and compares a replay with the function.

    Raises `RuntimeError` where that is impossible.
    """
    inputs = tuple(a.detach().clone().requires_grad_(wanted and a.requires_grad) for a in arguments)
    sources = [value for value in inputs if value.requires_grad]
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UPS):
            found = function(*inputs)
            slopes = _gradients(found, sources, [torch.ones_like(value) for value in found]) if wanted else ()
            expected = tuple(value.detach() for value in found)
            del found  # its graph must not outlive the stream
    torch.cuda.current_stream().wait_stream(side)
    forward, backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
    with torch.cuda.graph(forward):
        outputs = function(*inputs)
    recording = Recording(inputs, tuple(value.detach() for value in outputs), forward)
    if wanted:
        recording.of_outputs = tuple(torch.ones_like(value) for value in outputs)
        with torch.cuda.graph(backward, pool=forward.pool()):
            gradients = iter(_gradients(outputs, sources, recording.of_outputs))
        recording.of_inputs = tuple(next(gradients) if value.requires_grad else None for value in inputs)
        recording.backward = backward
    _check(recording, arguments, expected, slopes)
    return recording


def _check(
    recording: Recording, arguments: tuple[Tensor, ...], expected: Sequence[Tensor], slopes: Sequence[Tensor | None]
) -> None:
    found: list[Tensor | None] = list(recording.run(arguments))
    if recording.backward is not None:
        of_inputs = recording.run_backward(recording.of_outputs)
        found += [g for g, value in zip(of_inputs, recording.inputs, strict=True) if value.requires_grad]
    for ours, own in zip(found, (*expected, *slopes), strict=True):
        if (ours is None) != (own is None):
            raise RuntimeError("a recording has other gradients than its function")
        if ours is not None and own is not None and not (ours - own).norm() <= TOLERANCE * own.norm():
            raise RuntimeError("a recording differs from its function")


def _gradients(
    outputs: Sequence[Tensor], sources: Sequence[Tensor], of_outputs: Sequence[Tensor]
) -> tuple[Tensor | None, ...]:
    return torch.autograd.grad(outputs, sources, of_outputs, allow_unused=True)


class _Replayed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, recording: Recording, function: Function, *arguments: Tensor) -> tuple[Tensor, ...]:
        found = recording.run(arguments)
        ctx.recording, ctx.function, ctx.turn = recording, function, recording.turn
        ctx.save_for_backward(*arguments)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.turn == ctx.recording.turn:
            return (None, None, *ctx.recording.run_backward(gradients))
        return (None, None, *_again(ctx.function, ctx.saved_tensors, gradients))  # another call came between


def _again(
    function: Function, arguments: tuple[Tensor, ...], gradients: tuple[Tensor, ...]
) -> tuple[Tensor | None, ...]:
    """The gradients by the function itself."""
    with torch.enable_grad():
        inputs = [argument.detach().requires_grad_(argument.requires_grad) for argument in arguments]
        outputs = function(*inputs)
    found = iter(_gradients(outputs, [value for value in inputs if value.requires_grad], gradients))
    return tuple(next(found) if value.requires_grad else None for value in inputs)

"""Networks by a short description: `mlp:25,25,25`, `conv:16,32`, or a factory of the user's own."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from reachbox.errors import InputError

ALLOWED = "mlp:25,25,25 (hidden widths), conv:16,32 (channels) or package.module:factory is allowed"


def build(spec: str, input_shape: tuple[int, ...], classes: int, seed: int = 0) -> nn.Module:
    """A freshly initialised float32 module from `(batch, *input_shape)` to logits `(batch, classes)`.

    `mlp:25,25,25`: linear layers with ReLU between them, the input flattened. `conv:16,32`: convolutions with 4x4
    kernels, stride 2 and padding 1, each with ReLU, then one linear layer; the input is `(channels, height, width)`.
    `package.module:factory`: a callable that takes nothing, or `input_shape` and `classes`, and gives a module.
    `seed` decides the weights; torch's global generator is left as it was.

    Raises `InputError` for an unknown description, layers that do not fit the input, or a factory that fails.

    >>> build("mlp:5", (4,), 3)(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """
    kind, _, rest = spec.partition(":")
    if not rest:
        raise InputError(f"network: {ALLOWED}, found {spec!r}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if kind == "mlp":
            module = _mlp(layer_sizes(spec, rest), input_shape, classes)
        elif kind == "conv":
            module = _conv(layer_sizes(spec, rest), input_shape, classes)
        else:
            module = _made_by(spec, kind, rest, input_shape, classes)
        _check_output(spec, module, input_shape, classes)
    return module


def layer_sizes(spec: str, listing: str) -> list[int]:
    """The numbers of a `listing` such as `25,25,25`; raises `InputError`, with the whole `spec`, for anything else."""
    sizes = [int(size) for size in listing.split(",") if size.strip().isdecimal()]
    if len(sizes) != listing.count(",") + 1 or min(sizes) < 1:
        raise InputError(f"network: layer sizes are whole numbers from 1, separated by commas; found {spec!r}")
    return sizes


def _mlp(widths: list[int], input_shape: tuple[int, ...], classes: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    before = torch.Size(input_shape).numel()
    for width in widths:
        layers += [nn.Linear(before, width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.Linear(before, classes))


def _conv(channels: list[int], input_shape: tuple[int, ...], classes: int) -> nn.Module:
    if len(input_shape) != 3:
        raise InputError(f"network: conv needs an input of (channels, height, width), found {input_shape}")
    layers: list[nn.Module] = []
    before, height, width = input_shape
    for number, after in enumerate(channels, start=1):
        if min(height, width) < 2:
            raise InputError(f"network: convolution {number} needs an image of at least 2x2, found {height}x{width}")
        layers += [nn.Conv2d(before, after, kernel_size=4, stride=2, padding=1), nn.ReLU()]
        before, height, width = after, height // 2, width // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * height * width, classes))


def _made_by(spec: str, path: str, name: str, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    factory = _factory(spec, path, name)
    try:
        wanted = inspect.signature(factory).parameters
        module = factory(input_shape=input_shape, classes=classes) if "input_shape" in wanted else factory()
    except Exception as error:
        raise InputError(f"network: {spec} failed: {type(error).__name__}: {_first_line(error)}") from error
    if not isinstance(module, nn.Module):
        raise InputError(f"network: {spec} must give a torch.nn.Module, found {type(module).__name__}")
    return module


def _factory(spec: str, path: str, name: str) -> Callable[..., Any]:
    try:
        factory: Callable[..., Any] | None = getattr(importlib.import_module(path), name, None)
    except Exception as error:
        raise InputError(
            f"network: {ALLOWED}; {spec!r} cannot be imported: {type(error).__name__}: {_first_line(error)}"
        ) from error
    if not callable(factory):
        raise InputError(f"network: module {path!r} has no callable {name!r}")
    return factory


def _check_output(spec: str, module: nn.Module, input_shape: tuple[int, ...], classes: int) -> None:
    """One evaluation in eval mode, which also initialises lazy layers."""
    modes = {part: part.training for part in module.modules()}
    place = next((weight for weight in module.parameters()), torch.zeros(()))
    try:
        with torch.no_grad():
            shape = tuple(module.eval()(torch.zeros(2, *input_shape, dtype=place.dtype, device=place.device)).shape)
    except Exception as error:
        raise InputError(
            f"network: {spec} does not take inputs of shape {input_shape}: {_first_line(error)}"
        ) from error
    finally:
        for part, training in modes.items():
            part.training = training
    if shape != (2, classes):
        raise InputError(f"network: {spec} must give {classes} outputs a sample, found shape {shape[1:]}")


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")

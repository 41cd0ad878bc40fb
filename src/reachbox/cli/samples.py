"""From the options of a command to its task: the samples they name, and boxes around them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from reachbox import data
from reachbox.box import Box
from reachbox.cli.option_groups import InputOptions, SampleOptions
from reachbox.cli.radius import Radius
from reachbox.cli.task import LabelledTask, Task
from reachbox.data import Dataset, Inputs
from reachbox.errors import InputError


def task_from(options: InputOptions, radius: Radius, shape: tuple[int, ...], count: int | None) -> Task:
    """The task of a command that takes `--input`, `--data` or both."""
    data_set = options.data_set
    if options.input_file is not None:
        return task_from_input(options.input_file, data_set, radius, shape, count)
    if data_set is not None:
        return task_from_data(data_set, radius, shape, count)
    raise InputError("samples: say which, --input FILE or --data NAME")


def task_from_data(options: SampleOptions, radius: Radius, shape: tuple[int, ...], count: int | None) -> LabelledTask:
    """Boxes around the first `count` samples of a data set, for a network that takes inputs of `shape`."""
    if radius.within is not None and options.standardise:
        raise InputError("within: is in original units, which do not fit standardised samples; leave one of them out")
    dataset = options.load()
    x, labels = options.chosen(dataset)
    total, part = len(x), "training" if options.train else "test"
    _check_count(count, total, f"{dataset.name} has {total} {part}")
    x = fitted(x[:count], shape, dataset.name).double()
    each, words = radius.in_units_of(dataset)
    each = fitted(each.unsqueeze(0), shape, dataset.name)[0]
    return LabelledTask(
        boxes=Box.around(x, each, radius.within),
        source=f"{dataset.name}, {_first(len(x), total)} {part} samples",
        radius_words=words,
        class_names=dataset.class_names,
        x=x,
        radius=each,
        labels=labels[:count],
    )


def task_from_input(
    path: Path, options: SampleOptions | None, radius: Radius, shape: tuple[int, ...], count: int | None
) -> Task:
    """The boxes of a file, or boxes around its samples; `options`: the data set whose range `sigma` uses."""
    inputs = data.read_input(path, shape)
    boxes, words, names = _boxes_of(inputs, options, radius, shape)
    total = boxes.shape[0]
    _check_count(count, total, f"{path} has {total}")
    boxes = Box(boxes.lower[:count], boxes.upper[:count])
    return Task(boxes, f"{path}, {_first(boxes.shape[0], total)} samples", words, class_names=names)


def _boxes_of(
    inputs: Inputs, options: SampleOptions | None, radius: Radius, shape: tuple[int, ...]
) -> tuple[Box, str, tuple[str, ...] | None]:
    """The boxes, their radius in words, and class names where a data set gives them."""
    if not inputs.needs_radius:
        if radius.is_given or options is not None:
            raise InputError(f"{inputs.path}: has its own radius; --eps, --sigma and --data are not allowed")
        words = "lower and upper of the file" if inputs.boxes is not None else "eps of the file"
        return inputs.box(within=radius.within), words + radius.clipped, None
    if options is None:
        each, words = radius.plain(shape)
        return inputs.box(each, radius.within), words, None
    dataset = options.load()
    _check_order(inputs, dataset)
    each, words = radius.in_units_of(dataset)
    return inputs.box(fitted(each.unsqueeze(0), shape, dataset.name)[0], radius.within), words, dataset.class_names


def _check_order(inputs: Inputs, dataset: Dataset) -> None:
    """Columns are taken by their place; the same names in another order are an error."""
    names = inputs.names or ()
    if names != dataset.feature_names and sorted(names) == sorted(dataset.feature_names):
        place = next(i for i, (one, other) in enumerate(zip(names, dataset.feature_names, strict=True)) if one != other)
        wanted = dataset.feature_names[place]
        raise InputError(f"{inputs.path}: column {place + 1} is {names[place]!r}, but {wanted!r} in {dataset.name}")


def fitted(x: Tensor, shape: tuple[int, ...], name: str) -> Tensor:
    """Samples in the shape that the network takes: dimensions of size 1 and flattening do not matter, row-major."""
    found = tuple(x.shape[1:])
    core, wanted = (tuple(size for size in sizes if size != 1) for sizes in (found, shape))
    is_flat = min(len(core), len(wanted)) <= 1
    if core == wanted or (is_flat and torch.Size(core).numel() == torch.Size(wanted).numel()):
        return x.reshape(len(x), *shape)
    raise InputError(f"{name}: samples have shape {found}, but the network takes {shape}")


def _first(count: int, total: int) -> str:
    if count == total:
        return f"all {total}"
    return f"the first of {total}" if count == 1 else f"the first {count} of {total}"


def _check_count(count: int | None, total: int, found: str) -> None:
    if count is not None and count > total:
        raise InputError(f"samples: {found} samples, fewer than {count}")

"""How a command computes: its method, arithmetic and device, and a batch at a time with progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import inf
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reachbox.box import Box
from reachbox.certify import Certificate, certify
from reachbox.cli.named_options import named_options
from reachbox.cli.progress import progress, waiting
from reachbox.cli.task import LabelledTask
from reachbox.errors import InputError
from reachbox.formats.results import statuses
from reachbox.network import Network
from reachbox.reach import METHODS, Kind, Method, Reach, reach
from reachbox.sensitivity import BATCH, in_batches
from reachbox.training.attacks import Attack

TENSORS = ("lower", "upper", "inner_lower", "inner_upper", "attaining_lower", "attaining_upper")
DTYPES = {"float64": torch.float64, "float32": torch.float32}


@dataclass(frozen=True)
class Computation:
    """A method with its options, and where and in what arithmetic it runs."""

    method: Method
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(
        cls,
        method: str,
        dtype: str = "float64",
        device: str = "cpu",
        *,
        option: Sequence[str] = (),
        timeout: float | None = None,
        seed: int = 0,
    ) -> Computation:
        """From the command line's words; `InputError` for one that is unknown or does not fit the method."""
        if dtype not in DTYPES:
            raise InputError(f"dtype: {' or '.join(DTYPES)} is allowed, found {dtype!r}")
        return cls(_method(method, option, timeout, seed), DTYPES[dtype], device_of(device))

    def bound(self, network: Network, boxes: Box) -> Reach:
        """`reach` of all boxes, results on the CPU; a bar shows the samples done."""
        parts = []
        with progress(f"{self.method.name} bounds", boxes.shape[0]) as advance:
            for part in in_batches(boxes):
                parts.append(reach(network, part.to(device=self.device), self.method, dtype=self.dtype))
                advance(part.shape[0])
        return _joined(parts)

    def certify(self, network: Network, task: LabelledTask, predicted: Tensor) -> Certificate:
        """The proven margins of all samples, on the CPU; `predicted` is each sample's class. A bar shows those done."""
        margins, solved = [], []
        with progress(f"{self.method.name} margins", len(task.x)) as advance:
            for box, labels in zip(in_batches(task.boxes), torch.split(task.labels, BATCH), strict=True):
                box, labels = box.to(device=self.device), labels.to(self.device)
                found = certify(network, box, labels, self.method, dtype=self.dtype)
                margins.append(found.margin)
                solved.append(found.solved)
                advance(len(labels))
        correct = predicted == task.labels
        return Certificate(torch.cat(margins).cpu(), task.labels, correct, torch.cat(solved).cpu())

    def predicted(self, network: Network, x: Tensor) -> Tensor:
        """The class that the network gives each sample, int64 `(samples,)`."""
        logits = [network(part.to(self.device, self.dtype)).flatten(1) for part in torch.split(x, BATCH)]
        return torch.cat(logits).argmax(1).cpu()

    def attack(self, network: Network, task: LabelledTask, certificate: Certificate, seed: int) -> Tensor:
        """For which samples an input of another class is known, bool `(samples,)`; only the uncertified are tried."""
        known = ~certificate.correct
        tried = (certificate.correct & ~certificate.certified).nonzero().flatten()
        if not len(tried):
            return known
        box = Box(task.boxes.lower[tried], task.boxes.upper[tried]).to(device=self.device)
        x, labels = task.x[tried].to(self.device), task.labels[tried].to(self.device)
        with waiting(f"attack on {len(tried)} samples"):
            known[tried] = Attack(seed=seed).fools(network, box, x, labels).cpu()
        return known

    def record(self) -> dict[str, object]:
        """How it was computed, for the record."""
        return {"dtype": str(self.dtype).removeprefix("torch."), "device": str(self.device)}


def device_of(name: str) -> torch.device:
    """The device of that name; `InputError` where it does not exist on this machine."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"device: cpu, cuda or cuda:N is allowed, found {name!r}") from None
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device: cpu, cuda or cuda:N is allowed, found {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device: {torch.cuda.device_count()} CUDA devices are there, found {name!r}")
    return device


def _method(name: str, words: Sequence[str], timeout: float | None, seed: int) -> Method:
    """The method of that name with its options; a time limit that it lacks is a mistake, a seed is not."""
    if name not in METHODS:
        raise InputError(f"method: {', '.join(METHODS)} are allowed, found {name!r}")
    kind: Any = METHODS[name]
    has = {field.name for field in fields(kind)}
    options = named_options(kind, words, elsewhere=("seed", "time_limit"))
    if "seed" in has:
        options["seed"] = seed
    if timeout is not None:
        if "time_limit" not in has:
            raise InputError(f"timeout: {name} has no time limit")
        if not 0 <= timeout < inf:
            raise InputError(f"timeout: a number of seconds from 0 on is needed, found {timeout:g}")
        options["time_limit"] = timeout
    method: Method = kind(**options)
    return method


def _joined(parts: list[Reach]) -> Reach:
    """The results of consecutive batches as one, on the CPU."""
    known = [name for name in TENSORS if getattr(parts[0], name) is not None]
    tensors: dict[str, Any] = {name: torch.cat([getattr(part, name) for part in parts]).cpu() for name in known}
    status = np.concatenate([statuses(part) for part in parts])
    kind = next((part.kind for part in parts if part.kind is not Kind.EXACT), Kind.EXACT)
    engines = tuple(dict.fromkeys(engine for part in parts for engine in part.engines))
    seconds = sum(part.seconds for part in parts)
    return replace(parts[0], kind=kind, **tensors, status=status, engines=engines, seconds=seconds)

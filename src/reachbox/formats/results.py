"""Results as plain JSON: what `--json` prints and `--out` writes, for other programs and other years.

Numbers round-trip: a float is written with the fewest digits, 17 at most, that give the same float back. Strict JSON
knows no infinity, so it is the string `"inf"` or `"-inf"`, which `float` reads in Python as in most languages. Nothing
that holds NaN is ever written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from math import isfinite, isnan
from os import PathLike, fspath
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from reachbox.certify import Certificate
from reachbox.errors import InputError
from reachbox.reach import Reach
from reachbox.sensitivity import Summary

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"


def reach_record(result: Reach) -> dict[str, Plain]:
    """The fields of a `Reach` under their names, with its log volume and volume.

    `lower`, `upper` are `[sample][output]`, `status` is `[sample][output][side]` and always there; attained values
    and the inputs that attain them appear where the method knows them.
    """
    record = {
        "method": result.method,
        "kind": result.kind,
        "engines": list(result.engines),
        "lower": result.lower,
        "upper": result.upper,
        "log_volume": result.log_volume,
        "volume": result.log_volume.exp(),
        "status": statuses(result),
        "seconds": result.seconds,
    }
    known = ("inner_lower", "inner_upper", "attaining_lower", "attaining_upper")
    record |= {name: value for name in known if (value := getattr(result, name)) is not None}
    return {name: plain(value) for name, value in record.items()}


def sensitivity_record(result: Reach, summary: Summary) -> dict[str, Plain]:
    """The volumes of a data set's output boxes and their summary; logarithms are natural.

    `solved` tells of each sample whether all its sides were solved.
    """
    record = {
        "method": result.method,
        "kind": result.kind,
        "engines": list(result.engines),
        "samples": summary.samples,
        "mean": _exponential(summary.log_mean),
        "median": _exponential(summary.log_median),
        "geometric_mean": _exponential(summary.log_geometric_mean),
        "positive_share": summary.positive_share,
        "log_mean": summary.log_mean,
        "log_median": summary.log_median,
        "log_geometric_mean": summary.log_geometric_mean,
        "log_volume": result.log_volume,
        "volume": result.log_volume.exp(),
        "solved": result.solved.all((1, 2)),
        "seconds": result.seconds,
    }
    return {name: plain(value) for name, value in record.items()}


def certificate_record(certificate: Certificate) -> dict[str, Plain]:
    """What is proven of each sample, and the two errors; `margin` is `[sample][class]`, 0 at the sample's label.

    `solved` tells of each sample whether the method ended its search.
    """
    certified = certificate.certified
    record = {
        "samples": len(certified),
        "certified_samples": int(certified.sum()),
        "robust_error": certificate.robust_error,
        "error": certificate.error,
        "certified": certified,
        "correct": certificate.correct,
        "solved": certificate.solved,
        "labels": certificate.labels,
        "margin": certificate.margin,
    }
    return {name: plain(value) for name, value in record.items()}


def statuses(result: Reach) -> npt.NDArray[np.str_]:
    """The status of each `(sample, output, side)`, written out."""
    return np.full((*result.lower.shape, 2), "solved") if result.status is None else result.status


def to_json(record: Mapping[str, object]) -> str:
    """The record as one strict JSON object, a field a line, ASCII only."""
    fields = (f"  {json.dumps(name)}: {json.dumps(plain(value), allow_nan=False)}" for name, value in record.items())
    return "{\n" + ",\n".join(fields) + "\n}"


def plain(value: object) -> Plain:
    """The value as JSON has it: tensors and arrays become lists, infinities strings, paths and enumerations words.

    Raises `InputError` for NaN, and `TypeError` for what has no plain form.
    """
    found: Plain
    match value:
        case Enum():
            found = plain(value.value)
        case None | bool() | int() | str():
            found = value
        case float():
            found = _number(value)
        case Tensor() | np.ndarray() | np.generic():
            found = plain(value.tolist())
        case PathLike():
            found = str(fspath(value))
        case Mapping():
            found = {str(name): plain(part) for name, part in value.items()}
        case list() | tuple():
            found = [plain(part) for part in value]
        case _:
            raise TypeError(f"{type(value).__name__} has no plain form")
    return found


def _number(value: float) -> float | str:
    if isnan(value):
        raise InputError("result: holds NaN, which is no answer; the network's weights or the box are too large")
    return value if isfinite(value) else str(value)


def _exponential(log: float) -> float:
    """`exp(log)`, infinite where it overflows."""
    return float(torch.tensor(log, dtype=torch.float64).exp())

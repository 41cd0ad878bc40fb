"""The verb: bounds of a network's outputs over a box, by one of the methods."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from time import perf_counter

import torch
from torch import Tensor

from reachbox.box import ArrayLike, Box, as_tensor, check_box
from reachbox.checks import demand, is_seen_finite, together
from reachbox.errors import InputError
from reachbox.network import Network
from reachbox.network.capture import as_network
from reachbox.reach.alpha import Alpha
from reachbox.reach.crown import Crown
from reachbox.reach.dual import Dual
from reachbox.reach.exact import Exact, exact_stack
from reachbox.reach.interval import Interval
from reachbox.reach.lp import Lp
from reachbox.reach.method import Method
from reachbox.reach.milp import Milp
from reachbox.reach.precision import full_precision
from reachbox.reach.result import Kind, Reach
from reachbox.reach.sampled import Sampled
from reachbox.reach.smt import Smt

METHODS: dict[str, type[Method]] = {
    method.name: method for method in (Sampled, Interval, Dual, Crown, Alpha, Lp, Milp, Smt, Exact)
}


def reach(
    network: Network | torch.nn.Module,
    box: Box,
    method: str | Method = "dual",
    *,
    objective: ArrayLike | None = None,
    dtype: torch.dtype = torch.float64,
) -> Reach:
    """The range of every output of `network` when its input ranges over `box`.

    `method` is a name (`sampled`, `interval`, `dual`, `crown`, `alpha`, `lp`, `milp`, `smt`, `exact`) or a method with
    its own options, such as `Dual(intersect=True)`. `objective` `C`, `(k, outputs)` or `(batch, k, outputs)`, bounds
    `C y` instead of the outputs `y` themselves: margins and specifications. Computes in `dtype` on the box's device;
    training may pass float32. The result's `lower` and `upper` are `(batch, outputs)` (or `k`), and its `kind` says
    whether they are an estimate, sound or exact. For `interval`, `dual` and `crown` they carry gradients to weights,
    box and objective.

    Raises `InputError` for shapes that do not fit, weights that are not finite, or bounds that overflow;
    `UnsupportedError` for an operator that the method cannot bound.

    >>> import torch, reachbox as rb
    >>> box = rb.Box([[-1.0, 0.0]], [[1.0, 2.0]])
    >>> rb.reach(torch.nn.Sequential(torch.nn.Flatten()), box, method="interval").upper
    tensor([[1., 2.]], dtype=torch.float64)
    """
    started = perf_counter()
    chosen = _method(method)
    check_box(box)
    graph = as_network(network, box.centre)
    graph.check_input(box.shape)
    with together(), full_precision():
        box = box.to(dtype)
        rows = _objective(objective, graph, box)
        result = chosen.bound(graph.to(dtype, box.lower.device), box, rows)
        _check_overflow(result)
    return replace(result, seconds=perf_counter() - started)


def _method(method: str | Method) -> Method:
    if isinstance(method, Method):
        return method
    if method not in METHODS:
        raise InputError(f"method: {method!r} is unknown; allowed: {', '.join(METHODS)}")
    return METHODS[method]()


def _objective(objective: ArrayLike | None, network: Network, box: Box) -> Tensor:
    """The objective as `(batch, rows, outputs)` in the box's dtype; the identity where none is given."""
    batch, outputs = box.shape[0], prod(network.output_shape)
    if objective is None:
        return torch.eye(outputs, dtype=box.lower.dtype, device=box.lower.device).expand(batch, -1, -1)
    rows = as_tensor(objective, "objective", like=box.lower)
    if (
        rows.ndim not in (2, 3)
        or rows.shape[-1] != outputs
        or (rows.ndim == 3 and len(rows) != batch)
        or 0 in rows.shape
    ):
        raise InputError(
            f"objective: (k, {outputs}) or ({batch}, k, {outputs}) is needed, found shape {tuple(rows.shape)}"
        )
    return rows.expand(batch, -1, -1)


def _check_overflow(result: Reach) -> None:
    if is_seen_finite(result.lower, result.upper):
        return
    # A comparison with NaN is false.
    demand(
        ((result.lower < torch.inf) & (result.upper > -torch.inf)).all(),
        lambda: InputError(
            f"{result.method}: the bounds overflow {str(result.lower.dtype).removeprefix('torch.')}; "
            "the network's weights or the box are too large"
        ),
    )


__all__ = [
    "METHODS", "Alpha", "Crown", "Dual", "Exact", "Interval", "Kind", "Lp", "Method", "Milp", "Reach", "Sampled", "Smt",
    "exact_stack", "reach",
]  # fmt: skip

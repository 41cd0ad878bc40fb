"""A network in a `.safetensors` file: the graph as JSON in the metadata, the weights as tensors. Nothing is run."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from reachbox.errors import FileError, InputError, ReachboxError
from reachbox.file_access import reading, write_atomically
from reachbox.network.graph import Builder, Network, Node
from reachbox.network.operators import OPERATORS, Affine, Operator, resolve

KEY = "reachbox.network"
VERSION = 1
KINDS = {kind.__name__: kind for kind in OPERATORS}


def write_safetensors(network: Network, path: Path) -> None:
    """Writes the graph and its present weights, each in its own precision."""
    network.check_weights()
    tensors: dict[str, Tensor] = {}
    nodes = [described(number, node, tensors) for number, node in enumerate(network.nodes)]
    graph = {"version": VERSION, "input_shape": network.input_shape, "output": network.output, "nodes": nodes}
    write_atomically(path, to_bytes(tensors, {KEY: json.dumps(graph)}))


def described(number: int, node: Node, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """A node for JSON; its tensors go into `tensors`."""
    operator, kind = node.operator, type(node.operator).__name__
    if KINDS.get(kind) is not type(operator):
        raise InputError(f"node {node.name!r}: operator {kind} cannot be written; known: {', '.join(KINDS)}")
    sources = operator.sources()
    for name, source in sources.items():
        tensors[f"{number}.{name}"] = resolve(source).detach().cpu().clone().contiguous()
    names = [field.name for field in dataclasses.fields(operator)]  # type: ignore[arg-type]
    settings = {name: getattr(operator, name) for name in names if name not in sources}
    return {
        "name": node.name, "operator": kind, "inputs": node.inputs, "tensors": list(sources), "settings": settings
    }  # fmt: skip


def read_safetensors(path: Path) -> Network:
    """The network in a file that `write_safetensors` wrote."""
    with reading(path):
        path.open("rb").close()
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise FileError(f"{path}: not a whole .safetensors file: {str(error).splitlines()[0]}") from None
    if text is None:
        raise FileError(f"{path}: weights without a network; it must be written by reachbox")
    try:
        return rebuilt(json.loads(text, parse_constant=not_a_number), tensors)
    except ReachboxError as error:
        raise type(error)(f"{path}: {error}") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, RecursionError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise FileError(f"{path}: the network in it is damaged: {type(error).__name__} {reason}") from None


def rebuilt(graph: dict[str, Any], tensors: dict[str, Tensor]) -> Network:
    """The network that JSON describes, its shapes worked out anew and tried on zeros."""
    if graph["version"] != VERSION:
        raise FileError(f"format version {VERSION} is supported, found {graph['version']!r}")
    builder = Builder(frozen(graph["input_shape"]))
    for number, node in enumerate(graph["nodes"]):
        if node["operator"] not in KINDS:
            known = ", ".join(KINDS)
            raise FileError(f"node {node['name']!r}: operator {node['operator']!r} is unknown; known: {known}")
        if not all(0 <= value <= number for value in node["inputs"]):
            raise FileError(f"node {node['name']!r}: inputs {node['inputs']} are not among the values before it")
        weights = {name: tensors[f"{number}.{name}"] for name in node["tensors"]}
        settings = {name: frozen(value) for name, value in node["settings"].items()}
        operator: Operator = KINDS[node["operator"]](**weights, **settings)
        builder.add(node["name"], operator, *node["inputs"])
    if not 0 <= graph["output"] <= len(builder.nodes):
        raise FileError(f"output {graph['output']} is not among the {len(builder.nodes)} values")
    network = builder.network(graph["output"])
    try_out(network)
    return network


def try_out(network: Network) -> None:
    """Evaluates every operator forwards, and every affine one backwards, on zeros."""
    exact = network.to(torch.float64)
    exact(torch.zeros(1, *exact.input_shape, dtype=torch.float64))
    for node in exact.nodes:
        if isinstance(node.operator, Affine):
            rows = node.operator.transposed(torch.zeros(1, *node.shape, dtype=torch.float64))
            if any(back.shape[1:] != exact.shape_of(value) for back, value in zip(rows, node.inputs, strict=True)):
                raise FileError(f"node {node.name!r}: the settings of {node.operator.name} contradict each other")


def not_a_number(text: str) -> float:
    """Settings are finite."""
    raise ValueError(f"{text} is not allowed")


def frozen(value: Any) -> Any:
    """JSON's lists as tuples."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value

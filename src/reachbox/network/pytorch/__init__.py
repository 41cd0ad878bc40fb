"""Reads torch modules: `reader` captures and walks the graph, the other files map ATen operators to ours."""

from reachbox.network.pytorch.reader import read_module

__all__ = ["read_module"]

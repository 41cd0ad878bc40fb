"""What a network is, and how it is read from torch and ONNX."""

from reachbox.network.files import load, save
from reachbox.network.graph import Network, Node

__all__ = ["Network", "Node", "load", "save"]

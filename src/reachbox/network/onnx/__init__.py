"""Networks in ONNX files: read without running anything, written so that every runtime agrees."""

from reachbox.network.onnx.reader import read_onnx
from reachbox.network.onnx.writer import write_onnx

__all__ = ["read_onnx", "write_onnx"]

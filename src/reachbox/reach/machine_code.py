"""The decorators of compiled code under their former name."""

from reachbox.machine_code import compiled, compiled_for_finite

__all__ = ["compiled", "compiled_for_finite"]

"""reachbox: how far a neural network's output can move when its input does."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from reachbox.box import Box
    from reachbox.certify import Certificate, certify
    from reachbox.errors import FileError, InputError, ReachboxError, SolverError, UnsupportedError
    from reachbox.formats.vnnlib import read_vnnlib
    from reachbox.network import Network
    from reachbox.network.files import load, save
    from reachbox.reach import (
        Alpha,
        Crown,
        Dual,
        Exact,
        Interval,
        Kind,
        Lp,
        Milp,
        Reach,
        Sampled,
        Smt,
        exact_stack,
        reach,
    )  # fmt: skip
    from reachbox.sensitivity import Summary, sensitivity, summarise
    from reachbox.verify import Counterexample, Specification, Verdict, Verification, verify

__all__ = [
    "Alpha", "Box", "Certificate", "Counterexample", "Crown", "Dual", "Exact", "FileError", "InputError", "Interval",
    "Kind", "Lp", "Milp", "Network", "Reach", "ReachboxError", "Sampled", "Smt", "SolverError", "Specification",
    "Summary", "UnsupportedError", "Verdict", "Verification", "__version__", "certify", "exact_stack", "load", "reach",
    "read_vnnlib", "save", "sensitivity", "summarise", "verify",
]  # fmt: skip

HOMES = {
    "box": ("Box",),
    "certify": ("Certificate", "certify"),
    "errors": ("FileError", "InputError", "ReachboxError", "SolverError", "UnsupportedError"),
    "formats.vnnlib": ("read_vnnlib",),
    "network": ("Network",),
    "network.files": ("load", "save"),
    "reach": (
        "Alpha",
        "Crown",
        "Dual",
        "Exact",
        "Interval",
        "Kind",
        "Lp",
        "Milp",
        "Reach",
        "Sampled",
        "Smt",
        "exact_stack",
        "reach",
    ),
    "sensitivity": ("Summary", "sensitivity", "summarise"),
    "verify": ("Counterexample", "Specification", "Verdict", "Verification", "verify"),
}


class _Package(ModuleType):
    """Public names are imported at their first use, so that `reachbox --help` does not wait for torch."""

    def __getattr__(self, name: str) -> object:
        home = next((module for module, names in HOMES.items() if name in names), None)
        if home is None:
            raise AttributeError(f"module 'reachbox' has no attribute {name!r}")
        found: object = getattr(importlib.import_module(f"reachbox.{home}"), name)
        super().__setattr__(name, found)
        return found

    def __dir__(self) -> list[str]:
        """The public names, imported or not yet."""
        return sorted({*(name for name in super().__dir__() if name.startswith("__")), *__all__})

    def __setattr__(self, name: str, value: object) -> None:
        """Python binds a submodule here when it is imported; `reach` must stay the verb."""
        if not (isinstance(value, ModuleType) and name in __all__):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

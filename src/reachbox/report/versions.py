"""What a result was computed with."""

from __future__ import annotations

import platform
from importlib.metadata import version

PACKAGES = ("torch", "numpy", "matplotlib")


def versions() -> tuple[tuple[str, str], ...]:
    """The versions of reachbox, Python and the packages that decide a result, as name and version."""
    from reachbox import __version__

    packages = tuple((package, version(package)) for package in PACKAGES)
    return (("reachbox", __version__), ("Python", platform.python_version()), *packages)

"""What an installation has: each part is found out without loading more than it takes."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from reachbox import __version__
from reachbox.errors import FileError
from reachbox.solvers.availability import EXTRAS, PACKAGES

Facts = dict[str, str]
NEEDED = ("torch", "numpy", "scipy", "scikit-learn", "numba", "highspy", "onnx", "safetensors", "matplotlib")
OPTIONAL = {
    "onnxruntime": "verify judges counterexamples with it",
    "tensorboard": "train --tensorboard",
    "lightning": "the callback for Lightning",
    "distributed": "landscape explore --dask",
}


def examined(data_dir: Path | None) -> Mapping[str, Facts]:
    """Everything, by title."""
    return {
        "versions": _versions(),
        "devices": _devices(),
        "solvers": _solvers(),
        "optional": {name: _version(name) or f"not installed; {use}" for name, use in OPTIONAL.items()},
        "data": _data(data_dir),
        "compiled code": _compiled_code(),
    }


def _versions() -> Facts:
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    known = {"reachbox": __version__, "Python": platform.python_version(), "system": system}
    return known | {name: _version(name) or "missing" for name in NEEDED}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _devices() -> Facts:
    import torch

    cuda = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    build = f"torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch is built without CUDA"
    found = {f"cuda:{index}": name for index, name in enumerate(cuda)} or {"cuda": f"none; {build}"}
    return {"cpu": f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads", **found}


def _solvers() -> Facts:
    return {solver: _solver(solver, package) for solver, package in PACKAGES.items()}


def _solver(solver: str, package: str) -> str:
    if find_spec(package) is not None:
        return _version(package) or "installed"
    hint = f"not installed; pip install '{EXTRAS.get(solver, package)}'"
    return f"{hint}, Python 3.11 at most" if solver == "marabou" and sys.version_info >= (3, 12) else hint


def _data(data_dir: Path | None) -> Facts:
    return {"iris, digits": "come with scikit-learn", "mnist": _mnist(data_dir)}


def _mnist(data_dir: Path | None) -> str:
    from reachbox.data.download import cache_folder
    from reachbox.data.mnist import SHA256, files_in

    folder = data_dir or os.environ.get("REACHBOX_DATA")
    if folder:
        try:
            return f"in {files_in(Path(folder))[0].parent}"
        except FileError as error:
            return str(error)
    cache = cache_folder() / "mnist"
    is_there = all((cache / name).is_file() for name in SHA256)
    return f"downloaded, in {cache}" if is_there else f"downloaded at its first use, into {cache}"


def _compiled_code() -> Facts:
    """Where numba keeps machine code, beside the sources or in one folder for all, and how much of it."""
    from numba.core.dispatcher import Dispatcher

    import reachbox
    from reachbox.reach.exact.polytope import cube

    assert isinstance(cube, Dispatcher)
    assert cube.stats.cache_path is not None
    folder = Path(cube.stats.cache_path)
    package = Path(reachbox.__path__[0])
    place = package if folder.is_relative_to(package) else folder.parent
    files = list(place.rglob("*.nb[ci]")) if place.is_dir() else []
    size = sum(file.stat().st_size for file in files) / 1e6
    kept = (
        f"{len(files)} files, {size:.1f} MB" if files else "nothing yet: what runs first compiles, for a minute or so"
    )
    return {"kept": kept, "in": str(place), "forgotten by": "deleting its *.nbi and *.nbc files"}

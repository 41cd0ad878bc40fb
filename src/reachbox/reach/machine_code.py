"""The decorators of all compiled code: machine code without a compiler on the user's machine, kept between runs.

Neither allows the compiler to reassociate: the error bounds hold for sums in any order, not for other formulas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CellType, FunctionType
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


@cache
def sources(folder: Path) -> str:
    """A hash of all source files of a folder."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(folder.glob("*.py")))).hexdigest()


def compiled(function: Function) -> Function:
    """`function` compiled at its first call and cached on disk; threads run it side by side."""
    options = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    return cast(Function, njit(**options)(_keyed(function)))


def compiled_for_finite(function: Function) -> Function:
    """The same, faster, for functions that never meet NaN or infinity."""
    options = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract", "nnan", "ninf", "nsz"}}
    return cast(Function, njit(**options)(_keyed(function)))


def _keyed(function: Callable[..., Any]) -> FunctionType:
    """`function` with the hash of its folder's sources as a closure variable.

    Numba's cache notices changes of a function's file and closure, but not of the functions that it calls: without
    this, a change in one file of this folder would leave the old machine code of another in use.
    """
    assert isinstance(function, FunctionType)
    assert function.__closure__ is None
    code = function.__code__.replace(co_freevars=("sources",))
    key = (CellType(sources(Path(code.co_filename).parent)),)
    keyed = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, key)
    keyed.__doc__, keyed.__qualname__, keyed.__module__ = function.__doc__, function.__qualname__, function.__module__
    return keyed

"""The decorators of all compiled code: machine code without a compiler on the user's machine, kept between runs.

Those for bounds do not allow the compiler to reassociate: the error bounds hold for sums in any order, not for other
formulas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CellType, FunctionType
from typing import Any, TypeVar, cast

from numba import njit
from numba.core.dispatcher import Dispatcher

from reachbox import __version__

FINITE = {"contract", "nnan", "ninf", "nsz"}
Function = TypeVar("Function", bound=Callable[..., Any])


@cache
def sources(folder: Path) -> str:
    """A hash of all source files of a folder."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(folder.glob("*.py")))).hexdigest()


def compiled(function: Function) -> Function:
    """`function` compiled at its first call and cached on disk; threads run it side by side."""
    return _compiled(function, {"contract"})


def compiled_for_finite(function: Function) -> Function:
    """The same, faster, for functions that never meet NaN or infinity."""
    return _compiled(function, FINITE)


def compiled_in_place(function: Function) -> Function:
    """The same as `compiled` for functions that make no arrays: part of their callers, no references are counted."""
    return _compiled(function, {"contract"}, _nrt=False, forceinline=True)


def compiled_in_place_for_finite(function: Function) -> Function:
    """The same as `compiled_for_finite` for functions that make no arrays."""
    return _compiled(function, FINITE, _nrt=False, forceinline=True)


def compiled_for_searches(function: Function) -> Function:
    """The same as `compiled` with formulas reassociated, for what is checked afterwards and enters no proven bound."""
    return _compiled(function, {"contract", "reassoc"})


def _compiled(function: Function, fastmath: set[str], **options: bool) -> Function:
    always = {"cache": True, "nogil": True, "error_model": "numpy"}
    return cast(Function, njit(**always, fastmath=fastmath, **options)(_keyed(function)))


def _keyed(function: Callable[..., Any]) -> FunctionType:
    """`function` under a name of this version, with a hash of the sources behind it as a closure variable.

    Numba's cache notices changes of a function's file and closure, but not of the functions that it calls: without
    the hash, a change in one file would leave the old machine code of another in use. And it reads its index with
    pickle, which fails where an earlier version knew a class by another name: hence the version.
    """
    assert isinstance(function, FunctionType)
    assert function.__closure__ is None
    code = function.__code__.replace(co_freevars=("sources",))
    keyed = FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, (CellType(_sources_behind(function)),)
    )
    keyed.__doc__, keyed.__module__ = function.__doc__, function.__module__
    keyed.__qualname__ = f"{function.__qualname__}-{__version__}"
    return keyed


def _sources_behind(function: FunctionType) -> str:
    """A hash of the function's folder and of those from which it imports compiled functions."""
    callees = (function.__globals__.get(name) for name in function.__code__.co_names)
    imported = {callee.py_func.__closure__[0].cell_contents for callee in callees if isinstance(callee, Dispatcher)}
    own = sources(Path(function.__code__.co_filename).parent)
    return hashlib.sha256("".join([own, *sorted(imported - {own})]).encode()).hexdigest()

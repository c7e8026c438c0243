"""The one way the core compiles a function.

Machine code is kept on disk between processes (``NUMBA_CACHE_DIR``, or beside the source), so that a worker that is
started in the night loads it instead of compiling for half a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

__all__ = ["compiled"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile a function of numbers and arrays for the argument types it is called with.

    Division by zero gives infinity or NaN, as in numpy, and never raises; the function runs in one thread.
    """
    return cast(_Function, numba.njit(cache=True, error_model="numpy", nogil=True)(function))

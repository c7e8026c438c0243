"""Two machine instructions that a decoder of bit streams needs and numpy does not offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["leading_zeros", "load_word"]

_WORD = ir.IntType(64)


def _load_word(_typing: Any, data: Any, place: Any) -> Any:  # noqa: ARG001 - numba reads the parameters
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        address = builder.bitcast(builder.gep(array.data, [arguments[1]]), _WORD.as_pointer())
        word = builder.load(address)
        word.align = 1
        return builder.bswap(word)

    return types.uint64(data, types.intp), generate


def _leading_zeros(_typing: Any, _word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


load_word: Callable[[NDArray[np.uint8], int], np.uint64] = cast(Any, intrinsic(_load_word))
"""Read the eight bytes of an array from a place as one big-endian number. Nothing is checked."""

leading_zeros: Callable[[np.uint64], int] = cast(Any, intrinsic(_leading_zeros))
"""Count the zero bits before the first one of a number; 64 for 0."""

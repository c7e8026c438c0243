"""Asking for memory before it is needed.

A part of an image is read row by row, and each row begins on another page: the processor, which looks ahead within a page
only, would wait for memory at the beginning of each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["AHEAD", "prefetch_line", "prefetch_row", "prefetch_square"]

AHEAD: Final = 8
"""Rows from the one that is worked on to the one that is asked for: far enough for a row of 128 pixels to arrive in time."""

_LARGEST_SQUARE: Final = 32.0
"""Half the side [pixel] of what is asked for as a whole: it fits into the first cache beside another one."""

_LINE: Final = 64
"""Bytes that memory is moved by."""

_BYTE = ir.IntType(8)
_INT = ir.IntType(32)


def _prefetch(_typing: Any, data: Any, offset: Any) -> Any:  # noqa: ARG001 - numba reads the parameters
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        address = builder.gep(builder.bitcast(array.data, _BYTE.as_pointer()), [arguments[1]])
        kind = ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), _INT, _INT, _INT])
        function = builder.module.declare_intrinsic("llvm.prefetch", [_BYTE.as_pointer()], kind)
        builder.call(function, [address, _INT(0), _INT(3), _INT(1)])
        return context.get_dummy_value()

    return types.void(data, types.intp), generate


_prefetch_at: Callable[[NDArray[Any], int], None] = cast(Any, intrinsic(_prefetch))
"""Ask for the memory that is so many bytes from the beginning of an array; never an error, even where there is none."""


@compiled
def prefetch_row(image: NDArray[Any], row: int, first: int, stop: int) -> None:
    """Ask for a part of a row of an image, shape (ny, nx), whose columns lie side by side; it may lie outside."""
    begin = row * image.strides[0]
    for offset in range(begin + first * image.itemsize, begin + stop * image.itemsize, _LINE):
        _prefetch_at(image, offset)


@compiled
def prefetch_line(values: NDArray[Any], first: int, stop: int) -> None:
    """Ask for a part of an array of one axis, whose values lie side by side; it may lie outside."""
    for offset in range(first * values.itemsize, stop * values.itemsize, _LINE):
        _prefetch_at(values, offset)


@compiled
def prefetch_square(image: NDArray[Any], x: float, y: float, reach: float) -> None:
    """Ask for all pixels within `reach` of a place of an image: done for the next source, it is there when its turn comes.

    Nothing is asked for where that is no place, or too much.
    """
    if not (reach <= _LARGEST_SQUARE and abs(x) < image.shape[1] and abs(y) < image.shape[0]):
        return
    first, stop = max(int(x - reach), 0), min(int(x + reach) + 2, image.shape[1])
    for row in range(max(int(y - reach), 0), min(int(y + reach) + 2, image.shape[0])):
        prefetch_row(image, row, first, stop)

"""Tables as the bytes of a Parquet file, and back."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import compute

from rapid.errors import BadFile
from rapid.processing.catalogue.schema import Schema

__all__ = ["MOST_BYTES", "read_parquet", "write_parquet"]

MOST_BYTES: Final = 2**30
"""Memory [byte] that a table may take when read: a visit of LSSTCam with 2000 sources a detector takes a tenth."""

_MOST_ROWS: Final = 2**24
"""Rows of a table: some bits of a file may stand for thousands of the same value, so that its size says nothing."""


def write_parquet(table: pa.Table) -> bytes:
    """Write a table; the same table gives the same bytes with the same version of Arrow.

    Texts repeat and go into dictionaries. Measured numbers do not, but the first bytes of all of them are alike: with each
    byte in a row of its own a catalogue is a quarter smaller, and written in a third of the time.
    """
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    numbers = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table, sink, compression="zstd", use_dictionary=texts or False, use_byte_stream_split=numbers or False
    )
    return bytes(sink.getvalue().to_pybytes())


def read_parquet(content: bytes, schema: Schema, *, subject: str = "") -> pa.Table:
    """Read a table of a schema.

    What it takes in memory is known before it is taken: rows are counted and have a few bytes each, since no column has
    lists, and a text that stands in many rows is read once and multiplied only when all of it is small enough.

    Raises
    ------
    BadFile
        If it is not Parquet, damaged, larger than `MOST_BYTES` when read, or not of this schema.
    """
    texts = [column.name for column in schema.columns if pa.types.is_string(column.type)]
    try:
        here = pq.ParquetFile(pa.BufferReader(content)).schema_arrow
        _check_columns(here, schema, subject)
        file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=[name for name in texts if name in here.names])
        _check_rows(file.metadata.num_rows, len(schema.columns), subject)
        table = file.read(use_threads=False)
        table.validate(full=True)
        table = _spelled_out(table, subject)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        found = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadFile("the table cannot be read", subject=subject, expected="Parquet", found=found[:200]) from error
    schema.check(table, subject=subject)
    return table


def _check_columns(found: pa.Schema, schema: Schema, subject: str) -> None:
    """Refuse columns that the schema does not know before any is read: they may hold anything."""
    strange = [name for name in found.names if name not in {column.name for column in schema.columns}]
    nested = [field.name for field in found if pa.types.is_nested(field.type)]
    if strange or nested or len(set(found.names)) != len(found.names):
        expected = ", ".join(column.name for column in schema.columns)
        raise BadFile(
            f"other columns than {schema.name!r} has", subject=subject, expected=expected, found=", ".join(found.names)
        )


def _check_rows(rows: int, columns: int, subject: str) -> None:
    most = min(_MOST_ROWS, MOST_BYTES // (8 * columns))
    if not 0 <= rows <= most:
        raise BadFile("the table is too large", subject=subject, expected=f"{most} rows at most", found=f"{rows} rows")


def _spelled_out(table: pa.Table, subject: str) -> pa.Table:
    """Write the texts of dictionaries into their rows."""
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            size = sum(_text_bytes(chunk) for chunk in table.column(place).chunks)
            if size > MOST_BYTES:
                raise BadFile(
                    f"the texts of {field.name} are too large",
                    subject=subject,
                    expected=f"{MOST_BYTES} bytes at most",
                    found=f"{size} bytes",
                )
            table = table.set_column(place, field.with_type(pa.string()), table.column(place).cast(pa.string()))
    return table


def _text_bytes(chunk: pa.DictionaryArray) -> int:
    lengths = compute.binary_length(chunk.dictionary).fill_null(0)
    return compute.sum(lengths.cast(pa.int64()).take(chunk.indices)).as_py() or 0

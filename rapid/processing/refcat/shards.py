"""One shard of a reference catalogue: the stars of one HEALPix pixel, as Parquet."""

from __future__ import annotations

import hashlib
import io
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from rapid.errors import BadFile
from rapid.processing.refcat.references import NUMBERS, References

__all__ = ["DESCRIPTIONS", "decode_shard", "digest", "encode_shard", "shard_name"]

DESCRIPTIONS: Final = {
    "id": ("", "number in the catalogue of origin"),
    "ra": ("deg", "ICRS right ascension at epoch"),
    "dec": ("deg", "ICRS declination at epoch"),
    "epoch": ("yr", "Julian year of the place (TCB)"),
    "pm_ra": ("mas / yr", "proper motion in right ascension times cos dec; NaN: not known"),
    "pm_dec": ("mas / yr", "proper motion in declination; NaN: not known"),
    "ra_error": ("mas", "standard error of right ascension times cos dec at epoch; NaN: not known"),
    "dec_error": ("mas", "standard error of declination at epoch; NaN: not known"),
    "mag_": ("mag", "AB magnitude; NaN: not measured"),
    "mag_error_": ("mag", "standard error of the magnitude; NaN: not measured"),
}
"""Unit and meaning of every column; the bands' are by the beginning of their names."""

_ROWS_PER_FOLDER: Final = 10_000


def shard_name(level: int, pixel: int) -> str:
    """Return the name of a shard below the catalogue: ``Norder5/Dir0/Npix4711.parquet``, as in the IVOA's HiPS 1.0."""
    return f"Norder{level}/Dir{pixel // _ROWS_PER_FOLDER * _ROWS_PER_FOLDER}/Npix{pixel}.parquet"


def digest(content: bytes) -> str:
    """Return the SHA-256 of a content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def encode_shard(stars: References) -> bytes:
    """Write the stars of a shard as Parquet, with unit and description of every column in its field's metadata."""
    columns = stars.columns()
    fields = [
        pa.field(name, pa.from_numpy_dtype(values.dtype), nullable=False, metadata=_said(name))
        for name, values in columns.items()
    ]
    table = pa.Table.from_arrays([pa.array(values) for values in columns.values()], schema=pa.schema(fields))
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", use_dictionary=False)
    return sink.getvalue()


def decode_shard(content: bytes, *, name: str, expected_digest: str = "") -> References:
    """Read a shard.

    Parameters
    ----------
    name
        For messages.
    expected_digest
        SHA-256 that the content must have; not looked at when empty.

    Raises
    ------
    BadFile
        If the content is not the one promised, is no Parquet, or has other columns than a shard has.
    InputError
        If a star has no place.
    """
    found = digest(content)
    if expected_digest and found != expected_digest:
        raise BadFile(
            "the shard is damaged: its content is not the one that was written",
            subject=name,
            expected=f"sha256 {expected_digest[:12]}...",
            found=f"{found[:12]}... in {len(content)} bytes",
        )
    try:
        # not pq.read_table: it starts a thread, on which a process that ends at once may abort
        table = pq.ParquetFile(pa.BufferReader(content), pre_buffer=False).read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        found = str(error).splitlines()[0]
        raise BadFile("the shard cannot be read", subject=name, expected="Parquet", found=found) from error
    return _references(table, name)


def _references(table: pa.Table, name: str) -> References:
    wanted = {column: pa.from_numpy_dtype(kind) for column, kind in NUMBERS.items()}
    bands = [column.removeprefix("mag_") for column in table.column_names if _is_band(column)]
    wanted |= {f"{prefix}{band}": pa.float32() for band in bands for prefix in ("mag_", "mag_error_")}
    found = dict(zip(table.schema.names, table.schema.types, strict=True))
    if found != wanted or len(table.schema.names) != len(wanted) or any(column.null_count for column in table.columns):
        raise BadFile("not the columns of a shard", subject=name, expected=_listed(wanted), found=_listed(found))
    columns = {column: table[column].to_numpy() for column in wanted}
    return References(
        **{column: columns[column] for column in NUMBERS},
        magnitudes={band: columns[f"mag_{band}"] for band in bands},
        magnitude_errors={band: columns[f"mag_error_{band}"] for band in bands},
    )


def _is_band(column: str) -> bool:
    return column.startswith("mag_") and not column.startswith("mag_error_")


def _listed(columns: dict[str, pa.DataType]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items()) + "; no nulls"


def _said(column: str) -> dict[str, str]:
    prefix = "mag_error_" if column.startswith("mag_error_") else "mag_" if column.startswith("mag_") else column
    unit, description = DESCRIPTIONS[prefix]
    return {"unit": unit, "description": description}

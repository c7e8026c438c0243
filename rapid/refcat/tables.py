"""Tables of stars as others write them: FITS, Parquet, CSV, and the truth of our own simulation. Told apart by content."""

from __future__ import annotations

import gzip
import io
import json
import re
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from astropy.io import fits
from numpy.typing import NDArray

from rapid.errors import BadFile, InputError
from rapid.processing.refcat import julian_year

__all__ = ["StarTable", "read_table"]

Column = NDArray[Any]

_GZIP: Final = b"\x1f\x8b"
_MOST_UNPACKED: Final = 4 * 2**30
"""Bytes a gzip file may unpack to. Files of the Gaia archive have some 200 MB in half a million rows."""

_LATISS: Final = re.compile(r"SDSS([ugrizy])_")
_LSSTCAM: Final = re.compile(r"([ugrizy])_\d+")


@dataclass(frozen=True, slots=True, eq=False)
class StarTable:
    """Columns of numbers by name, with units where the file has them; ``kind`` is that of the file.

    Missing numbers are NaN in columns of floats; a column of integers with missing ones became floats.
    """

    name: str
    kind: str
    columns: Mapping[str, Column]
    units: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def read_table(content: bytes, *, name: str) -> StarTable:
    """Read a table of any of the kinds; `name` is for messages.

    Raises
    ------
    BadFile
        If it is none of them, or damaged.
    """
    plain = _plain(content, name)
    try:
        if plain.startswith(b"SIMPLE  ="):
            return _fits(plain, name)
        if plain.startswith(b"PAR1"):
            table = pq.ParquetFile(pa.BufferReader(plain), pre_buffer=False).read(use_threads=False)
            return StarTable(name, "Parquet", _arrow_columns(table))
        if plain.lstrip().startswith(b"{"):
            return _truth(plain, name)
        return StarTable(name, "CSV", _arrow_columns(_csv(plain)))
    except BadFile:
        raise
    except (InputError, pa.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadFile("the table cannot be read", subject=name, expected=_EXPECTED, found=said) from error


_EXPECTED: Final = "FITS, Parquet, CSV or the truth of a simulated exposure"


def _plain(content: bytes, name: str) -> bytes:
    if not content.startswith(_GZIP):
        return content
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            plain = stream.read(_MOST_UNPACKED + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadFile("the gzip stream is damaged", subject=name, expected="gzip data", found=str(error)) from error
    if len(plain) > _MOST_UNPACKED:
        raise BadFile("the table is too large", subject=name, expected=f"up to {_MOST_UNPACKED} bytes", found="more")
    return plain


def _fits(content: bytes, name: str) -> StarTable:
    """Read the first table; columns of strings, arrays and bits are left out."""
    with (
        warnings.catch_warnings(action="ignore"),  # what is wrong with a table shows when it is read
        fits.open(io.BytesIO(content), lazy_load_hdus=True, memmap=False) as hdus,
    ):
        table = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)), None)
        if table is None:
            raise BadFile(
                "there is no table in it", subject=name, expected="a table extension", found=f"{len(hdus)} HDUs"
            )
        columns = {
            column.name: _native(table.data[column.name])
            for column in table.columns
            if table.data[column.name].dtype.kind in "fiu" and table.data[column.name].ndim == 1
        }
        units = {column.name: str(column.unit) for column in table.columns if column.unit}
    return StarTable(name, "FITS", columns, units)


def _native(values: Column) -> Column:
    return values.astype(values.dtype.newbyteorder("="))


def _csv(content: bytes) -> pa.Table:
    """Read CSV; lines that begin with # are left out, as those of ECSV and of the Gaia archive."""
    lines = content[: content.rfind(b"\n") + 1 or None]
    start = 0
    while lines[start : start + 1] == b"#":
        start = lines.find(b"\n", start) + 1
    delimiter = "," if b"," in lines[start:].split(b"\n", 1)[0] else " "
    options = pa_csv.ConvertOptions(null_values=["", "null", "NaN", "nan", "NULL"], strings_can_be_null=True)
    return pa_csv.read_csv(
        pa.BufferReader(content[start:]),
        read_options=pa_csv.ReadOptions(use_threads=False),
        parse_options=pa_csv.ParseOptions(delimiter=delimiter),
        convert_options=options,
    )


def _arrow_columns(table: pa.Table) -> dict[str, Column]:
    return {
        name: _native(np.asarray(table[name].to_numpy()))
        for name in table.column_names
        if pa.types.is_integer(table.schema.field(name).type) or pa.types.is_floating(table.schema.field(name).type)
    }


def _truth(content: bytes, name: str) -> StarTable:
    """Read the stars of a simulated exposure, where they stood in the middle of it."""
    found = json.loads(content)
    stars = found.get("stars") if isinstance(found, dict) else None
    if not isinstance(stars, list) or "begin_tai" not in found:
        raise BadFile(
            "JSON, and not the truth of an exposure", subject=name, expected="stars, begin_tai", found="neither"
        )
    columns = {key: np.array([star[key] for star in stars], dtype=np.float64) for key in ("ra", "dec", "magnitude")}
    columns["epoch"] = np.full(len(stars), julian_year(str(found["begin_tai"])))
    columns[f"mag_{_band(str(found.get('filter')))}"] = columns.pop("magnitude")
    return StarTable(name, "simulated truth", columns)


def _band(name: str) -> str:
    """Name the band of a filter: ``SDSSr_65mm`` is latiss_r, ``r_57`` is lsst_r, others have their own."""
    for pattern, camera in ((_LATISS, "latiss"), (_LSSTCAM, "lsst")):
        match = pattern.match(name)
        if match:
            return f"{camera}_{match[1]}"
    return "_".join(re.findall(r"[a-z0-9]+", name.lower())) or "mag"

"""The coverage of a night as a Parquet table."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pyarrow as pa

from rapid.errors import BadFile, InputError
from rapid.processing.catalogue import Column, Schema, read_parquet, write_parquet
from rapid.processing.skymap.night import NightCoverage

__all__ = ["COVERAGE", "decode_night", "encode_night"]

COVERAGE: Final = Schema(
    "rapid coverage",
    1,
    (
        Column("exposure_id", pa.int64(), description="Exposure"),
        Column("detector", pa.int32(), description="Number of the detector"),
        Column("revision", pa.int64(), description="The higher one counts"),
        Column("band", pa.string(), description="Band of the filter"),
        Column("seconds", pa.float64(), "s", "Exposure time"),
        Column("effective_time", pa.float64(), "s", "Effective exposure time", nullable=True),
        Column("seeing", pa.float64(), "arcsec", "FWHM of the point-spread function", nullable=True),
        *(
            Column(f"{axis}_{corner}", pa.float64(), "deg", f"ICRS {said} of corner {corner}")
            for corner in range(4)
            for axis, said in (("ra", "right ascension"), ("dec", "declination"))
        ),
    ),
)
"""The pixels are not kept: they follow from the corners."""


def encode_night(night: NightCoverage) -> bytes:
    """Write the coverage of a night as Parquet."""
    columns = {
        "exposure_id": pa.array(night.exposure_id),
        "detector": pa.array(night.detector.astype(np.int32)),
        "revision": pa.array(night.revision),
        "band": pa.array(night.band.tolist(), pa.string()),
        "seconds": pa.array(night.seconds),
        "effective_time": pa.array(night.effective_time, mask=np.isnan(night.effective_time)),
        "seeing": pa.array(night.seeing, mask=np.isnan(night.seeing)),
    }
    for corner in range(4):
        for place, axis in enumerate(("ra", "dec")):
            columns[f"{axis}_{corner}"] = pa.array(np.ascontiguousarray(night.footprint[:, corner, place]))
    return write_parquet(COVERAGE.table(columns, {"order": night.order}))


def decode_night(content: bytes, *, subject: str = "") -> NightCoverage:
    """Read the coverage of a night.

    Raises
    ------
    BadFile
        If the content is no such table, or a row is impossible.
    """
    table = read_parquet(content, COVERAGE, subject=subject)
    order = COVERAGE.check(table, subject=subject).get("order")
    if type(order) is not int:
        raise BadFile("no order of HEALPix pixels", subject=subject, expected="an integer", found=repr(order)[:80])
    names = ("exposure_id", "detector", "revision", "seconds")
    columns = {name: table[name].to_numpy() for name in names} | {"band": np.array(table["band"].to_pylist(), np.str_)}
    for name in ("effective_time", "seeing"):
        columns[name] = table[name].fill_null(math.nan).to_numpy()
    corners = [table[f"{axis}_{corner}"].to_numpy() for corner in range(4) for axis in ("ra", "dec")]
    columns["footprint"] = np.stack(corners, axis=-1)
    try:
        return NightCoverage.of_columns(columns, order)
    except InputError as error:
        raise BadFile("an impossible row", subject=subject, expected="a contribution", found=str(error)) from error

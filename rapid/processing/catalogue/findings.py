"""Findings as rows of a table: one a finding, of as many frames as one likes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa

from rapid.errors import BadFile, InputError
from rapid.processing.catalogue.schema import Column, Schema
from rapid.processing.findings import Finding, Quality

__all__ = ["FINDINGS", "findings_of", "findings_table"]

FINDINGS: Final = Schema(
    "rapid findings",
    1,
    (
        Column("exposure_id", pa.int64(), description="Exposure it was found on"),
        Column(
            "detector",
            pa.int32(),
            description="Number of the detector; null for a finding of the exposure",
            nullable=True,
        ),
        Column("analysis", pa.string(), description="Analysis that found it"),
        Column("name", pa.string(), description="What it is"),
        Column("real", pa.float64(), description="Its value, if it is a real number", nullable=True),
        Column("integer", pa.int64(), description="Its value, if it is an integer", nullable=True),
        Column("truth", pa.bool_(), description="Its value, if it is true or false", nullable=True),
        Column("text", pa.string(), description="Its value, if it is a word", nullable=True),
        Column("unit", pa.string(), description="Unit of value and uncertainty, as astropy.units reads it"),
        Column("uncertainty", pa.float64(), description="One standard deviation", nullable=True),
        Column("n", pa.int64(), description="Items it rests on", nullable=True),
        Column("quality", pa.string(), description="good, suspect or missing"),
        Column("reason", pa.string(), description="Why it is suspect or missing"),
        Column("label", pa.string(), description="Title of its column on a page"),
        Column("description", pa.string(), description="One sentence about it"),
    ),
)
"""Of the four columns for values one at most has one; none has when the finding is missing."""

_VALUES: Final = {"real": float, "integer": int, "truth": bool, "text": str}


def findings_table(
    findings: Iterable[Finding], *, exposure_id: int, detector: int | None, analysis: str = ""
) -> pa.Table:
    """Put the findings of an analysis on a frame into a table; tables of several are joined by `pyarrow.concat_tables`.

    An uncertainty that is no finite number is missing.

    Raises
    ------
    InputError
        If a number of a finding does not fit into 64 bits.
    """
    rows = list(findings)
    columns: dict[str, list[object]] = {
        "exposure_id": [exposure_id] * len(rows),
        "detector": [detector] * len(rows),
        "analysis": [analysis] * len(rows),
        **{name: [_if_kind(row.value, kind) for row in rows] for name, kind in _VALUES.items()},
        "uncertainty": [_finite(row.uncertainty) for row in rows],
        "quality": [row.quality.value for row in rows],
    }
    for name in ("name", "unit", "n", "reason", "label", "description"):
        columns[name] = [getattr(row, name) for row in rows]
    return FINDINGS.table({column.name: _array(columns[column.name], column) for column in FINDINGS.columns})


def findings_of(table: pa.Table, *, subject: str = "") -> list[Finding]:
    """Return the findings of a table, as they were.

    Raises
    ------
    BadFile
        If it is another table, or a row is no finding.
    """
    FINDINGS.check(table, subject=subject)
    return [_finding(row, number, subject) for number, row in enumerate(table.to_pylist())]


def _finding(row: dict[str, object], number: int, subject: str) -> Finding:
    values = [row[name] for name in _VALUES if row[name] is not None]
    said = {name: row[name] for name in ("name", "unit", "description", "label", "uncertainty", "n", "reason")}
    if len(values) > 1:
        raise BadFile(f"row {number} has several values", subject=subject, expected="one", found=str(values))
    try:
        return Finding(value=values[0] if values else None, quality=Quality(str(row["quality"])), **said)  # type: ignore[arg-type]
    except ValueError as error:
        raise BadFile(f"row {number} is no finding", subject=subject, found=str(error)) from error


def _if_kind(value: object, kind: type) -> object:
    """Return a value if it is of a kind, to which numpy's scalars belong too; a truth value is no integer."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if type(value) is kind else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _array(values: list[object], column: Column) -> pa.Array:
    try:
        return pa.array(values, column.type)
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise InputError(
            f"a value of {column.name} does not fit", expected=str(column.type), found=str(error)
        ) from error

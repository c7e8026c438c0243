"""What a table of ours looks like: its columns with type, unit and meaning, and a version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from pyarrow import compute

from rapid.errors import BadFile

__all__ = ["Column", "Schema"]

_KEY: Final = b"rapid"
"""Under which a schema's own metadata stands, as JSON."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, of numbers, truth values or texts: no lists, whose length a file may lie about.

    Attributes
    ----------
    name, type, unit, description
        The unit is one of `astropy.units`, empty for none.
    nullable
        Whether a value may be missing.
    optional
        Whether the whole column may.
    """

    name: str
    type: pa.DataType
    unit: str = ""
    description: str = ""
    nullable: bool = False
    optional: bool = False

    @property
    def field(self) -> pa.Field:
        """The field of an Arrow schema, with unit and description in its metadata."""
        said = {"unit": self.unit, "description": self.description}
        return pa.field(self.name, self.type, self.nullable, {key: value for key, value in said.items() if value})


@dataclass(frozen=True, slots=True)
class Schema:
    """A table's columns under a name; the version is raised whenever a column changes."""

    name: str
    version: int
    columns: tuple[Column, ...]

    def table(self, columns: Mapping[str, pa.Array], notes: Mapping[str, object] | None = None) -> pa.Table:
        """Put columns together, in the order of the schema; optional ones may be left out.

        `notes` (values JSON can hold) go into the metadata of the table.
        """
        here = [column for column in self.columns if not (column.optional and column.name not in columns)]
        said = {"schema": self.name, "version": self.version, **(notes or {})}
        schema = pa.schema([column.field for column in here], {_KEY: json.dumps(said, allow_nan=False)})
        return pa.Table.from_arrays([columns[column.name] for column in here], schema=schema)

    def check(self, table: pa.Table, *, subject: str = "") -> dict[str, object]:
        """Return the notes of a table that has this schema.

        Raises
        ------
        BadFile
            If it is another table, of another version, has other columns, or a value is missing or NaN that must not be.
        """
        notes = _notes(table, subject)
        found = (notes.pop("schema", None), notes.pop("version", None))
        if found != (self.name, self.version):
            raise BadFile(
                "not the table that is wanted",
                subject=subject,
                expected=f"{self.name!r} of version {self.version}",
                found=f"{found[0]!r} of version {found[1]}",
            )
        self._check_columns(table, subject)
        for name, column in zip(table.column_names, table.columns, strict=True):
            _check_values(next(one for one in self.columns if one.name == name), column, subject)
        return notes

    def _check_columns(self, table: pa.Table, subject: str) -> None:
        found = [(field.name, field.type, field.nullable) for field in table.schema]
        names = {name for name, _, _ in found}
        wanted = [
            (column.name, column.type, column.nullable)
            for column in self.columns
            if column.name in names or not column.optional
        ]
        if found != wanted:
            raise BadFile(
                f"other columns than {self.name!r} has", subject=subject, expected=_listed(wanted), found=_listed(found)
            )


def _notes(table: pa.Table, subject: str) -> dict[str, object]:
    """Read the metadata of a table as it was written."""
    try:
        notes = json.loads((table.schema.metadata or {}).get(_KEY, b"{}"))
    except (ValueError, RecursionError) as error:
        raise BadFile("metadata that cannot be read", subject=subject, expected="JSON", found=str(error)) from error
    if not isinstance(notes, dict):
        raise BadFile("metadata that cannot be read", subject=subject, expected="a JSON object", found=str(notes)[:80])
    return notes


def _check_values(column: Column, values: pa.ChunkedArray, subject: str) -> None:
    if values.null_count and not column.nullable:
        found = f"{values.null_count} of them"
        raise BadFile(f"values of {column.name} are missing", subject=subject, expected="none", found=found)
    if pa.types.is_floating(values.type) and compute.any(compute.is_nan(values)).as_py():
        raise BadFile(f"{column.name} has NaN", subject=subject, expected="nulls for what is missing", found="NaN")


def _listed(columns: list[tuple[str, pa.DataType, bool]]) -> str:
    return ", ".join(f"{name} {kind}{'' if nullable else ' not null'}" for name, kind, nullable in columns)

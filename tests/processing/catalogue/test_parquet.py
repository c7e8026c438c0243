"""What is not one of our tables is refused with a sentence, whatever it is."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.errors import BadFile
from rapid.processing.catalogue import Column, Schema, parquet, read_parquet, write_parquet

SCHEMA = Schema(
    "test",
    3,
    (
        Column("number", pa.int64(), "s", "A number"),
        Column("real", pa.float64(), "m", "Another", nullable=True),
        Column("word", pa.string(), "", "A word", nullable=True, optional=True),
    ),
)
TABLE = SCHEMA.table({"number": pa.array(range(1000)), "real": pa.array(np.linspace(0, 1, 1000))}, {"of": "a test"})
CONTENT = write_parquet(TABLE)


def written(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def test_a_table_comes_back_with_its_metadata() -> None:
    table = read_parquet(CONTENT, SCHEMA)
    assert table.equals(TABLE, check_metadata=True)
    assert SCHEMA.check(table) == {"of": "a test"}
    assert table.schema.field("number").metadata == {b"unit": b"s", b"description": b"A number"}


def test_the_same_table_gives_the_same_bytes() -> None:
    assert write_parquet(TABLE) == CONTENT


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PAR1",
        b"SIMPLE  =                    T",
        CONTENT[:100],
        CONTENT[:-1],
        CONTENT[100:],
        b"PAR1" + bytes(100) + b"PAR1",
    ],
    ids=["empty", "magic", "FITS", "begin", "cut", "end", "zeros"],
)
def test_what_is_no_parquet_is_refused(content: bytes) -> None:
    with pytest.raises(BadFile, match=r"^x\.parquet: the table cannot be read; expected Parquet; found .+"):
        read_parquet(content, SCHEMA, subject="x.parquet")


@given(place=st.integers(0, len(CONTENT) - 1), value=st.integers(0, 255))
def test_a_damaged_byte_is_noticed_or_does_no_harm(place: int, value: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[place] = value
    with contextlib.suppress(BadFile):
        assert read_parquet(bytes(damaged), SCHEMA).schema.equals(TABLE.schema)


def test_a_table_larger_than_allowed_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MOST_BYTES", 10_000)
    with pytest.raises(BadFile, match="the table is too large; expected 416 rows at most; found 1000 rows"):
        read_parquet(CONTENT, SCHEMA)


def test_many_equal_values_in_few_bytes_are_not_read() -> None:
    number = pa.array(np.zeros(2**21, np.int64))
    table = SCHEMA.table({"number": number, "real": pa.nulls(len(number), pa.float64())})
    bomb = write_parquet(pa.concat_tables([table] * 9))
    assert len(bomb) < 2**20
    with pytest.raises(BadFile, match="the table is too large; expected 16777216 rows at most; found 18874368 rows"):
        read_parquet(bomb, SCHEMA)


def test_a_long_text_in_many_rows_is_not_multiplied() -> None:
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(100_000, np.int8)), pa.array(["x" * 100_000]))
    columns = {"number": pa.array(range(100_000)), "real": pa.nulls(100_000, pa.float64()), "word": words}
    bomb = written(pa.table(columns).replace_schema_metadata(TABLE.schema.metadata))
    assert len(bomb) < 2**20
    with pytest.raises(BadFile, match=r"the texts of word are too large; expected .*; found 10000000000 bytes"):
        read_parquet(bomb, SCHEMA)


def test_lists_are_not_read() -> None:
    lists = TABLE.set_column(0, "number", pa.array([[1, 2]] * 1000))
    with pytest.raises(BadFile, match="other columns than 'test' has"):
        read_parquet(written(lists), SCHEMA)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns(["number"]), "other columns than 'test' has; expected number .*; found real"),
        (
            lambda table: table.append_column("more", table["real"]),
            "other columns than 'test' has; .* found number, real, more",
        ),
        (lambda table: table.append_column("real", table["real"]), "other columns than 'test' has"),
        (lambda table: table.select(["real", "number"]), "other columns than 'test' has"),
        (
            lambda table: table.rename_columns(["number", "Real"]).replace_schema_metadata(table.schema.metadata),
            "other columns than 'test' has",
        ),
        (
            lambda table: table.set_column(1, "real", table["real"].cast(pa.float32())),
            "other columns than 'test' has; expected .* real double; found .* real float",
        ),
        (
            lambda table: table.set_column(0, pa.field("number", pa.int64()), table["number"]),
            "other columns than 'test' has; expected number int64 not null, .*; found number int64, ",
        ),
        (
            lambda table: table.set_column(1, table.schema.field("real"), pa.array(np.full(1000, np.nan))),
            "real has NaN; expected nulls for what is missing",
        ),
        (
            lambda table: table.replace_schema_metadata({}),
            "not the table that is wanted; .* found None of version None",
        ),
        (
            lambda table: table.replace_schema_metadata({"rapid": json.dumps({"schema": "test", "version": 2})}),
            "not the table that is wanted; expected 'test' of version 3; found 'test' of version 2",
        ),
        (lambda table: table.replace_schema_metadata({"rapid": "{"}), "metadata that cannot be read; expected JSON"),
        (lambda table: table.replace_schema_metadata({"rapid": b"\xff\xfe\xff"}), "metadata that cannot be read"),
        (lambda table: table.replace_schema_metadata({"rapid": "[" * 100_000}), "metadata that cannot be read"),
        (
            lambda table: table.replace_schema_metadata({"rapid": "[1]"}),
            "metadata that cannot be read; expected a JSON object",
        ),
    ],
)
def test_other_tables_are_refused(change: object, message: str) -> None:
    with pytest.raises(BadFile, match=message):
        read_parquet(written(change(TABLE)), SCHEMA)  # type: ignore[operator]


def test_a_column_of_nothing_may_be_left_out_or_be_there() -> None:
    word = SCHEMA.table({"number": pa.array([1]), "real": pa.array([None], pa.float64()), "word": pa.array(["ja"])})
    assert read_parquet(write_parquet(word), SCHEMA).to_pylist() == [{"number": 1, "real": None, "word": "ja"}]

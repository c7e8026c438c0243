"""Shards and manifests: what is written is read again, and what is damaged is refused in words."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rapid.errors import BadFile, InputError
from rapid.processing.refcat import (
    Manifest,
    Origin,
    References,
    Shard,
    concatenate,
    decode_manifest,
    decode_shard,
    encode_manifest,
    encode_shard,
    shard_name,
)
from rapid.processing.refcat.references import NUMBERS
from rapid.processing.refcat.shards import digest
from tests.support.fields import references_at

SINGLE = hnp.arrays(np.float32, 3, elements=st.floats(width=32, allow_nan=True, allow_infinity=False))
PLACES = {"ra": np.array([0.0, 123.456789012345, 359.9999999]), "dec": np.array([-90.0, 0.1, 90.0])}


def same(one: References, other: References) -> bool:
    mine, theirs = one.columns(), other.columns()
    return mine.keys() == theirs.keys() and all(
        mine[name].dtype == theirs[name].dtype
        and np.array_equal(mine[name], theirs[name], equal_nan=mine[name].dtype.kind == "f")
        for name in mine
    )


@settings(max_examples=40)
@given(motion=SINGLE, magnitude=SINGLE, error=SINGLE)
def test_a_shard_is_read_as_it_was_written(motion: Any, magnitude: Any, error: Any) -> None:
    stars = References(
        id=np.array([1, -2, 2**62]),
        epoch=np.array([2016.0, 1991.25, 2026.5]),
        pm_ra=motion,
        pm_dec=-motion,
        ra_error=error,
        dec_error=error,
        magnitudes={"gaia_g": magnitude, "latiss_r": error},
        magnitude_errors={"gaia_g": error, "latiss_r": magnitude},
        **PLACES,
    )
    content = encode_shard(stars)
    assert content == encode_shard(stars)
    assert same(decode_shard(content, name="x", expected_digest=digest(content)), stars)


def test_every_column_says_its_unit() -> None:
    schema = pq.read_schema(pa.BufferReader(encode_shard(references_at(**PLACES))))
    for column in schema:
        u.Unit(column.metadata[b"unit"].decode())
        assert len(column.metadata[b"description"]) > 10
    assert schema.field("pm_ra").metadata[b"unit"] == b"mas / yr"
    assert b"cos dec" in schema.field("pm_ra").metadata[b"description"]


def test_values_cannot_be_changed() -> None:
    stars = decode_shard(encode_shard(references_at(**PLACES)), name="x")
    with pytest.raises(ValueError, match="read-only"):
        stars.ra[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        stars.magnitudes["r"][0] = 1.0


def test_an_empty_shard() -> None:
    empty = concatenate([])
    assert len(decode_shard(encode_shard(empty), name="x")) == 0


def test_bands_are_united() -> None:
    one, other = references_at(**PLACES), references_at(**PLACES)
    other = References(
        **{name: getattr(other, name) for name in NUMBERS},
        magnitudes={"z": np.ones(3)},
        magnitude_errors={"z": np.ones(3)},
    )
    both = concatenate([one, other])
    assert list(both.magnitudes) == ["r", "z"]
    np.testing.assert_array_equal(np.isnan(both.magnitudes["r"]), [False] * 3 + [True] * 3)
    np.testing.assert_array_equal(both.brightness(), [15.0] * 3 + [1.0] * 3)
    assert same(both.chosen(np.arange(6) < 3).at(2026.0).chosen(np.array([2, 0])), both.chosen(np.array([2, 0])))


def table_without(column: str) -> bytes:
    table = pq.read_table(pa.BufferReader(encode_shard(references_at(**PLACES)))).drop_columns([column])
    return written(table)


def written(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue())


def whole_table() -> pa.Table:
    return pq.read_table(pa.BufferReader(encode_shard(references_at(**PLACES))))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Npix7: the shard cannot be read; expected Parquet"),
        (b"PAR1 and nothing else PAR1", "cannot be read"),
        (encode_shard(references_at(**PLACES))[:-20], "cannot be read"),
        (table_without("dec"), "not the columns of a shard; expected id int64, ra double, dec double"),
        (table_without("mag_error_r"), "not the columns of a shard"),
        (written(whole_table().append_column("mag_error_x", pa.array([1.0] * 3, pa.float32()))), "not the columns"),
        (
            written(whole_table().set_column(1, "ra", pa.array([1.0, 2.0, 3.0], pa.float32()))),
            "found id int64, ra float",
        ),
        (written(whole_table().set_column(1, "ra", pa.array([1.0, None, 3.0]))), "no nulls"),
        (written(pa.Table.from_arrays([pa.array([1])] * 2, names=["ra", "ra"])), "not the columns"),
        (written(whole_table().set_column(1, "ra", pa.array([1.0, np.nan, 3.0]))), "finite numbers; found 1 others"),
        (written(whole_table().set_column(2, "dec", pa.array([1.0, 91.0, -91.0]))), "finite numbers; found 2 others"),
    ],
)
def test_a_shard_that_is_none_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(InputError) as error:
        decode_shard(content, name="Npix7")
    assert words in str(error.value)


def test_a_flipped_bit_is_noticed() -> None:
    content = encode_shard(references_at(**PLACES))
    broken = bytes([*content[:50], content[50] ^ 1, *content[51:]])
    with pytest.raises(BadFile, match=r"Npix7: the shard is damaged: .*expected sha256 [0-9a-f]{12}\.\.\.; found"):
        decode_shard(broken, name="Npix7", expected_digest=digest(content))


def test_names_of_shards() -> None:
    assert shard_name(5, 4711) == "Norder5/Dir0/Npix4711.parquet"
    assert shard_name(8, 786_431) == "Norder8/Dir780000/Npix786431.parquet"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"dec": np.zeros(2)}, "the column dec is not one number a star; expected (3,); found (2,)"),
        (
            {"magnitudes": {"r": np.zeros(3)}},
            "magnitudes and their errors are of different bands; expected r; found none",
        ),
        ({"magnitudes": {"R": np.zeros(3)}}, "not a name for a band; expected snake_case, as gaia_g; found 'R'"),
        ({"magnitudes": {"error_r": np.zeros(3)}}, "found 'error_r'"),
        ({"epoch": np.array([2016.0, np.inf, 2016.0])}, "found 1 others"),
    ],
)
def test_stars_that_cannot_be(columns: dict[str, Any], words: str) -> None:
    nothing = {name: np.zeros(3) for name in NUMBERS}
    with pytest.raises(InputError) as error:
        References(**nothing | PLACES | columns)
    assert words in str(error.value)


# --- the manifest ----------------------------------------------------------------------------------------------------

MANIFEST = Manifest(
    name="test",
    level=2,
    epochs=(1991.25, 2016.0),
    bands=("gaia_g",),
    origins=(Origin("a.fits", "0" * 64, "FITS", 5),),
    shards={0: Shard(2, 100, "1" * 64), 191: Shard(3, 100, "2" * 64)},
)


def test_a_manifest_is_read_as_it_was_written() -> None:
    content = encode_manifest(MANIFEST)
    assert decode_manifest(content, name="manifest.json") == MANIFEST
    assert MANIFEST.rows == 5
    said = json.loads(content)
    assert said["frame"] == "ICRS"
    assert said["healpix"] == {"level": 2, "ordering": "nested"}
    assert said["columns"]["pm_ra"]["unit"] == "mas / yr"


def changed(**entries: Any) -> bytes:
    return json.dumps(json.loads(encode_manifest(MANIFEST)) | entries).encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "the manifest is not JSON"),
        (b"\xff\xfe\x00", "the manifest is not JSON"),
        (b"[" * 100_000, "the manifest is not JSON"),
        (b"[1]", "not a manifest of ours; expected rapid reference catalogue 1; found list"),
        (b"{}", "found (None, None)"),
        (changed(version=2), "found ('rapid reference catalogue', 2)"),
        (changed(healpix={"level": 12, "ordering": "nested"}), "expected level 0 to 9; found 12"),
        (changed(healpix={"level": 2, "ordering": "ring"}), "expected nested pixels in ICRS; found ring in ICRS"),
        (changed(healpix={"level": "x", "ordering": "nested"}), "the manifest is damaged"),
        (changed(rows=6), "expected 6 stars; found 5 in its shards"),
        (
            changed(rows=2, shards={"192": {"rows": 2, "bytes": 1, "sha256": "1" * 64}}),
            "expected pixels of level 2; found 192",
        ),
        (changed(shards={"1": {"rows": 2}}), "the manifest is damaged"),
        (changed(shards=[]), "the manifest is damaged"),
        (changed(epochs=[2016.0]), "the manifest is damaged"),
        (changed(epochs=[2016.0, float("inf")]), "expected finite epochs"),
        (changed(origins=[3]), "the manifest is damaged"),
        (changed(version=True), "found ('rapid reference catalogue', True)"),
        (changed(bands=["r", "r"]), "expected bands that differ; found r, r"),
    ],
)
def test_a_manifest_that_is_none_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(BadFile) as error:
        decode_manifest(content, name="manifest.json")
    assert str(error.value).startswith("manifest.json: ")
    assert words in str(error.value)


WRONG: dict[str, tuple[Any, ...]] = {
    "name": (3, None),
    "frame": (3, None, []),
    "rows": (5.0, "5", None, -1, float("nan"), float("inf")),
    "epochs": (2016, "ab", [1, 2, 3], ["1", "2"], [True, 2.0], [10**400, 2.0], [2017.0, 2016.0], [float("nan"), 1.0]),
    "bands": ("gaia_g", 3, [3], [""], [None]),
    "healpix": (3, None, [], {}, {"level": 2}, {"ordering": "nested"}),
    "healpix.level": (float("inf"), float("nan"), 2.0, 2.5, "2", None, True, [2], -1, 10**30),
    "healpix.ordering": (3, None, []),
    "origins": (3, None, {}, "ab", [{}], [[]]),
    "origins.0.name": (3, None, ""),
    "origins.0.kind": (3, None, ""),
    "origins.0.rows": (float("inf"), 1.5, "5", None, True, -1),
    "origins.0.sha256": (123, None, "", "0" * 63, "0" * 65, "g" * 64, "A" * 64, "0" * 64 + "\n"),
    "shards": (3, None, "ab", [], {"0": 3}, {"0": None}, {"0": {}}),
    "shards.0.rows": (float("inf"), 2.0, "2", None, True, -2),
    "shards.0.bytes": (float("-inf"), 1.5, "100", None, True, 0),
    "shards.0.sha256": (123, None, "", "1" * 63, "1" * 65, "\ud800" * 64, "F" * 64, ["1" * 64]),
}


@pytest.mark.parametrize(("place", "value"), [(place, value) for place, values in WRONG.items() for value in values])
def test_no_entry_of_a_manifest_may_be_of_another_kind(place: str, value: object) -> None:
    content = json.loads(encode_manifest(MANIFEST))
    *parents, last = [int(part) if part == "0" and place.startswith("origins") else part for part in place.split(".")]
    entry = content
    for parent in parents:
        entry = entry[parent]
    assert last in entry
    entry[last] = value
    with pytest.raises(BadFile, match=r"^manifest\.json: the manifest (is damaged|contradicts itself)"):
        decode_manifest(json.dumps(content).encode(), name="manifest.json")


@pytest.mark.parametrize("pixel", ["", "-1", "+1", "01", " 1", "1_0", "1.0", "x", "\u0661", "9" * 5000])
def test_a_pixel_has_one_spelling(pixel: str) -> None:
    shards = {pixel: {"rows": 5, "bytes": 1, "sha256": "1" * 64}}
    with pytest.raises(BadFile, match="the manifest is damaged; expected shards by number of the pixel") as error:
        decode_manifest(changed(shards=shards), name="manifest.json")
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("entry", ["name", "frame", "healpix", "epochs", "rows", "bands", "origins", "shards"])
def test_an_entry_that_is_missing_is_named(entry: str) -> None:
    content = json.loads(encode_manifest(MANIFEST))
    del content[entry]
    with pytest.raises(BadFile, match=f"expected the manifest with {entry};"):
        decode_manifest(json.dumps(content).encode(), name="manifest.json")

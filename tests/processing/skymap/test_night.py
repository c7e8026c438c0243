"""The coverage of a night: merged in any order, as often as one likes, with the same result to the bit."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.errors import BadFile, InputError
from rapid.processing.skymap import Contribution, NightCoverage, cover
from rapid.processing.skymap.storing import COVERAGE, decode_night, encode_night

ORDER = 10


def square(ra: float, dec: float) -> np.ndarray:
    return np.array([(ra, dec), (ra + 0.2, dec), (ra + 0.2, dec + 0.2), (ra, dec + 0.2)])


contributions = st.builds(
    Contribution,
    exposure_id=st.integers(1, 4),
    detector=st.integers(0, 2),
    revision=st.integers(0, 2),
    band=st.sampled_from("gri"),
    seconds=st.sampled_from([0.0, 15.0, 30.0]),
    effective_time=st.sampled_from([math.nan, 10.0, 20.0]),
    seeing=st.sampled_from([math.nan, 0.7, 0.9]),
    footprint=st.builds(square, st.sampled_from([0.0, 0.1, 359.9]), st.sampled_from([-30.0, -30.1])),
)
nights = st.builds(NightCoverage.of, st.lists(contributions, max_size=6), st.just(ORDER))


@given(one=nights, two=nights, three=nights)
def test_merging_is_a_union(one: NightCoverage, two: NightCoverage, three: NightCoverage) -> None:
    assert one.merged(two) == two.merged(one)
    assert one.merged(two).merged(three) == one.merged(two.merged(three)) == three.merged(one, two)
    assert one.merged(one) == one
    assert one.merged(two).merged(two, one) == one.merged(two)
    assert one.merged(NightCoverage.of([], ORDER)) == one


@given(items=st.lists(contributions, max_size=8), seed=st.integers(0, 100))
def test_the_order_of_arrival_does_not_matter(items: list[Contribution], seed: int) -> None:
    shuffled = [items[i] for i in np.random.default_rng(seed).permutation(len(items))]
    one_by_one = NightCoverage.of([], ORDER)
    for item in shuffled:
        one_by_one = one_by_one.merged(NightCoverage.of([item], ORDER))
    assert one_by_one == NightCoverage.of(items, ORDER)


@given(items=st.lists(contributions, max_size=8))
def test_of_each_exposure_and_detector_the_highest_revision_stays(items: list[Contribution]) -> None:
    highest: dict[tuple[int, int], int] = {}
    for item in items:
        key = item.exposure_id, item.detector
        highest[key] = max(highest.get(key, 0), item.revision)
    night = NightCoverage.of(items, ORDER)
    assert list(zip(night.exposure_id, night.detector, strict=True)) == sorted(highest)
    assert night.revision.tolist() == [highest[key] for key in sorted(highest)]


def test_each_contribution_keeps_its_pixels() -> None:
    items = [Contribution(i, 0, "r", 30.0, square(10.0 * i, -30.0)) for i in (3, 1, 2)]
    night = NightCoverage.of(items, ORDER)
    for place, number in enumerate((1, 2, 3)):
        here = night.pixels[night.starts[place] : night.starts[place + 1]]
        np.testing.assert_array_equal(here, cover(square(10.0 * number, -30.0), ORDER))


def test_it_can_be_told_by_band() -> None:
    night = NightCoverage.of([Contribution(i, 0, "gr"[i % 2], 30.0, square(0.0, 0.0)) for i in range(5)], ORDER)
    assert night.of_band("r").exposure_id.tolist() == [1, 3]
    assert night.of_band("g").merged(night.of_band("r")) == night
    assert len(night.of_band("y")) == 0
    assert len(night.of_band("y").pixels) == 0


def test_coverages_of_different_orders_do_not_merge() -> None:
    with pytest.raises(InputError, match="pixels of different orders; expected order 10; found order 9"):
        NightCoverage.of([], 10).merged(NightCoverage.of([], 9))


def test_it_cannot_be_changed() -> None:
    night = NightCoverage.of([Contribution(1, 0, "r", 30.0, square(0.0, 0.0))], ORDER)
    with pytest.raises(ValueError, match="read-only"):
        night.seconds[0] = 3.0
    assert night != "night"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": -1.0}, "impossible seconds; expected a number, 0 or more; found -1.0"),
        ({"seconds": math.nan}, "impossible seconds; .* found nan"),
        ({"seeing": -0.1}, "impossible seeing; expected a number, 0 or more; found -0.1"),
        ({"effective_time": math.inf}, "impossible effective_time"),
        ({"footprint": square(0.0, 0.0)[:3]}, "not the footprint of a detector; expected four corners; found 3"),
        ({"footprint": square(0.0, 95.0)}, "a corner is off the sphere"),
    ],
)
def test_an_impossible_contribution_is_refused(change: dict[str, object], message: str) -> None:
    item = Contribution(1, 0, "r", 30.0, square(0.0, 0.0))
    with pytest.raises(InputError, match=message):
        replace(item, **change)


# --- stored -------------------------------------------------------------------------------------------------------


@given(night=nights)
def test_it_comes_back_as_it_was(night: NightCoverage) -> None:
    assert decode_night(encode_night(night)) == night


def test_equal_nights_are_equal_bytes() -> None:
    items = [Contribution(i, i % 3, "r", 30.0, square(i, -30.0), seeing=0.8) for i in range(20)]
    halves = NightCoverage.of(items[10:], ORDER).merged(NightCoverage.of(items[:12], ORDER))
    assert encode_night(halves) == encode_night(NightCoverage.of(items, ORDER))


def stored(notes: dict[str, object] | None = None, **columns: object) -> bytes:
    night = NightCoverage.of([Contribution(1, 0, "r", 30.0, square(0.0, 0.0), seeing=0.8)], ORDER)
    table = pq.read_table(pa.BufferReader(encode_night(night)))
    for name, value in columns.items():
        field = table.schema.field(name)
        table = table.set_column(table.column_names.index(name), field, pa.array([value], field.type))
    said = json.loads(table.schema.metadata[b"rapid"]) | (notes or {})
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({b"rapid": json.dumps(said)}), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no table", "the table cannot be read; expected Parquet"),
        (stored({"order": "ten"}), "no order of HEALPix pixels; expected an integer; found 'ten'"),
        (stored({"order": True}), "no order of HEALPix pixels"),
        (stored({"order": 99}), "an impossible row; .* found no order of HEALPix pixels; expected 0 to 26; found 99"),
        (stored(seconds=-3.0), "an impossible row; expected a contribution; found impossible seconds"),
        (stored(dec_2=91.0), "an impossible row; .* a corner is off the sphere"),
        (stored({"schema": "rapid sources"}), "not the table that is wanted; expected 'rapid coverage' of version 1"),
    ],
)
def test_a_bad_file_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(BadFile, match=f"night.parquet: {message}"):
        decode_night(content, subject="night.parquet")


def test_every_column_says_what_it_is() -> None:
    assert all(column.description for column in COVERAGE.columns)

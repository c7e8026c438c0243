"""The JSON file beside a raw: the same exposure as the FITS header, and nothing but cards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.errors import BadHeader, RapidError, UnknownInstrument
from rapid.processing.headers import read_sidecar, translate, translate_sidecar
from rapid.processing.headers.sidecar import SIDECAR_LIMIT
from tests.support.lsstcam_cards import CARDS

NAME = "MC_O_20251001_000051_R22_S11.json"


def as_json(**cards: Any) -> bytes:
    return json.dumps({"__CONTENT__": "metadata"} | CARDS | cards).encode()


def test_it_says_what_the_header_says() -> None:
    assert translate_sidecar(as_json(SEEING=None, FOCUSZ=-1.5), name=NAME) == translate(
        CARDS | {"SEEING": None, "FOCUSZ": -1.5}, name=NAME
    )


def test_null_is_undefined_and_hierarchical_names_have_dots() -> None:
    found = read_sidecar(
        b'{"__CONTENT__": "metadata", "HIERARCH.STUTTER.ROWS": 0, "SEEING": null, "A.B": true}', name=NAME
    )
    assert found == {"STUTTER ROWS": 0, "SEEING": None, "A.B": True}


def test_simulated_parts_are_told_by_their_dotted_names() -> None:
    assert translate_sidecar(as_json(**{"HIERARCH.SIMULATE.MTDOME": 1}), name=NAME).simulated
    assert not translate_sidecar(as_json(**{"HIERARCH.SIMULATE.MTDOME": 0}), name=NAME).simulated


def test_remarks_may_stand_more_than_once_and_are_left_out() -> None:
    assert read_sidecar(b'{"COMMENT": ["one", "two"], "HISTORY": "three", "A": 1}', name=NAME) == {"A": 1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "expected JSON in UTF-8"),
        (b"{", "expected JSON in UTF-8"),
        (b'{"A": 1} {}', "expected JSON in UTF-8"),
        (b"\xff\xfe{}", "expected JSON in UTF-8"),
        (b"[1]", "expected a JSON object; found a list"),
        (b"null", "expected a JSON object; found null"),
        (b'"text"', "expected a JSON object; found str"),
        (b'{"A": NaN}', "NaN is no number of JSON"),
        (b'{"A": -Infinity}', "-Infinity is no number of JSON"),
        (b'{"A": 1e999}', "expected finite numbers; found 'A' is beyond them"),
        (b'{"A": 1, "A": 2}', "expected each card once; found 'A' twice"),
        (b'{"HIERARCH.A.B": 1, "A B": 2}', "expected each card once; found 'A B' twice"),
        (b'{"A": {"B": 1}}', "expected text, a number, true, false or null for each card; found 'A' is an object"),
        (b'{"A": []}', "found 'A' is a list"),
        (b'{"COMMENT": {}}', "found 'COMMENT' is an object"),
        (b'{"A": "\\u0000"}', r"expected printable ASCII, as in a FITS header; found 'A' = '\\x00'"),
        (b'{"A": "\\ud800"}', "expected printable ASCII"),
        ('{"A": "é"}'.encode(), "expected printable ASCII"),
        (b'{"A\\n": 1}', "expected names of at most 80 ASCII characters"),
        (b'{"' + b"A" * 81 + b'": 1}', "expected names of at most 80 ASCII characters"),
        (b'{"__CONTENT__": "pixels"}', "expected __CONTENT__ metadata; found 'pixels'"),
        (b'{"A": ' + b"[" * 100_000, "expected a flat object; found values nested in one another"),
        (b'{"A": ' + b'{"A":' * 20_000 + b"1" + b"}" * 20_001, "expected a flat object"),
        (b'{"A": ' + b"9" * 5000 + b"}", "expected JSON in UTF-8; found Exceeds the limit"),
        (b" " * (SIDECAR_LIMIT + 1), f"expected at most {SIDECAR_LIMIT} bytes; found {SIDECAR_LIMIT + 1}"),
    ],
)
def test_anything_else_is_a_bad_header(content: bytes, words: str) -> None:
    with pytest.raises(BadHeader, match=words) as caught:
        read_sidecar(content, name=NAME)
    assert caught.value.subject == NAME
    assert len(str(caught.value)) < 400


def test_what_a_header_must_not_be_a_sidecar_must_not_be() -> None:
    with pytest.raises(BadHeader, match=f"{NAME}: the card EXPTIME cannot be used.*found 'long'"):
        translate_sidecar(as_json(EXPTIME="long"), name=NAME)
    with pytest.raises(UnknownInstrument, match=f"{NAME}: no header rules"):
        translate_sidecar(as_json(INSTRUME="DECam"), name=NAME)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.one_of(st.binary(max_size=200), st.dictionaries(st.sampled_from([*CARDS, "COMMENT", "x"]), json_values)))
def test_any_content_is_translated_or_refused(given_content: bytes | dict[str, Any]) -> None:
    content = given_content if isinstance(given_content, bytes) else json.dumps(CARDS | given_content).encode()
    try:
        found = translate_sidecar(content, name=NAME).obs_id
    except RapidError as error:
        assert isinstance(error, BadHeader | UnknownInstrument)  # noqa: PT017 - which of the two is not known before
        found = error.subject
    assert found in {NAME, CARDS["OBSID"]} or found.startswith("MC_")


@given(
    st.dictionaries(
        st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1, max_size=8),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-(2**53), 2**53),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=68),
        ),
        max_size=8,
    )
)
def test_cards_come_back_as_they_were_written(cards: dict[str, object]) -> None:
    kept = {card: value for card, value in cards.items() if card not in {"COMMENT", "HISTORY"}}
    assert read_sidecar(json.dumps(cards).encode(), name=NAME) == kept


def test_those_of_the_camera_are_read(shared_data: Path) -> None:
    place = shared_data / "obs_lsst_raws/guider/raw/MC_C_20240918_000013_R42_S11.json"
    found = translate_sidecar(place.read_bytes(), name=place.name)
    assert (found.obs_id, found.detector_name, found.exposure_time) == ("MC_C_20240918_000013", "R42_S11", 15.0)
    assert (found.physical_filter, found.band, found.observation_type) == ("ef_43", "white", "test")

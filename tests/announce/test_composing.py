"""What is published says what the ledger holds, keeps its contract, and is the same however often it is made."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from astropy import units
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError
from pydantic import ValidationError as NotValid

from rapid.announce import Composer
from rapid.announce.composing import level
from rapid.announce.messages import CONTRACT, Metric, json_schemas
from rapid.ports import Bulletin, DeadLetter, FeedEvent

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
AT = datetime(2026, 3, 16, 3, 12, 0, 250_000, tzinfo=UTC)
COMPOSER = Composer("rapid", "s3://rubintv/gallery", "https://rapid.example.org")
COLUMNS = {"seeing": {"unit": "arcsec"}, "sky": {"unit": "electron"}, "filter": {"unit": ""}}
ENTRY: dict[str, Any] = {
    "camera": "auxtel", "instrument": "LATISS", "obs_id": "AT_O_20260315_000007", "day_obs": 20260315, "seq_num": 7,
    "detector_name": "R00_S00", "state": "done", "error": "", "revision": 2, "arrival_id": 3,
    "cells": {"seeing": 1.1, "sky": None, "filter": "r", "stars": 31, "saturated": True},
    "notes": {"sky": "no sky in a bias", "stars": "few"}, "uncertainties": {"seeing": 0.02},
    "channels": {"monitor": "auxtel/2026-03-15/monitor/000007/a b.png"}, "failures": {"spectrum": "ValueError: x"},
    "timings": {"isr": 0.5},
}  # fmt: skip
EVENT = FeedEvent(12, AT, "exposure", "auxtel", 20260315, 7, ENTRY)
LETTER = DeadLetter(4, "file", "kafka", "LATISS/x.fits", "not FITS", "Traceback", b"", AT, 3, None)
VERDICT = {"instrument": "LATISS", "calib": "bias", "day_obs": 20260315, "verdict": "WAIVED", "rules_version": "7"}


def valid(body: bytes) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(body)
    schema = json.loads((SCHEMAS / f"{said['schema'].replace('/', '-')}.json").read_text())
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(said)
    return said


def result(**changes: Any) -> dict[str, Any]:
    made = COMPOSER.result(replace(EVENT, body=ENTRY | changes), COLUMNS)
    assert made is not None
    return valid(made.body)


# --- the contract ------------------------------------------------------------------------------------------------


def test_the_published_schemas_are_those_of_the_models() -> None:
    for name, schema in json_schemas().items():
        Draft202012Validator.check_schema(schema)
        assert json.loads((SCHEMAS / name).read_text()) == schema, "python tools/make_schemas.py docs/schemas"
        assert name in (SCHEMAS / "README.md").read_text()


@pytest.mark.parametrize("name", CONTRACT)
def test_a_reader_lets_unknown_fields_pass_and_misses_the_schema(name: str) -> None:
    schema = json_schemas()[f"{name.replace('/', '-')}.json"]
    assert schema.get("additionalProperties") is None
    assert "schema" in schema["required"]  # type: ignore[operator]
    with pytest.raises(ValidationError, match="schema"):
        Draft202012Validator(schema).validate({})


# --- results -----------------------------------------------------------------------------------------------------


def test_a_result_says_what_the_table_does() -> None:
    said = result()
    assert (said["instrument"], said["obs_id"], said["detector"]) == ("LATISS", "AT_O_20260315_000007", "R00_S00")
    assert (said["state"], said["revision"], said["sequence"]) == ("done", 2, 12)
    assert said["at_utc"] == "2026-03-16T03:12:00.250000Z"
    assert said["metrics"]["seeing"] == {
        "value": 1.1, "unit": "arcsec", "uncertainty": 0.02, "quality": "good", "reason": "",
    }  # fmt: skip
    assert said["metrics"]["sky"]["quality"] == "missing"
    assert said["metrics"]["sky"]["reason"] == "no sky in a bias"
    assert said["metrics"]["stars"] == {
        "value": 31,
        "unit": "",
        "uncertainty": None,
        "quality": "suspect",
        "reason": "few",
    }
    assert said["metrics"]["saturated"]["value"] is True
    assert said["failures"] == {"spectrum": "ValueError: x"}
    assert said["page"] == "https://rapid.example.org/auxtel/20260315/7"
    assert said["pictures"]["monitor"] == {
        "url": "s3://rubintv/gallery/auxtel/2026-03-15/monitor/000007/a%20b.png",
        "page": "https://rapid.example.org/pictures/auxtel/2026-03-15/monitor/000007/a%20b.png",
    }
    assert all(units.Unit(metric["unit"]) is not None for metric in said["metrics"].values())


def test_types_are_kept() -> None:
    values = [True, 1, 1.0, "1", None]
    assert [type(Metric(value=value, quality="good").value) for value in values] == [bool, int, float, str, type(None)]


def test_a_failed_one_says_why_and_one_that_is_not_settled_says_nothing() -> None:
    assert result(state="failed", error="not FITS")["error"] == "not FITS"
    for state in ("waiting", "running", "superseded"):
        assert COMPOSER.result(replace(EVENT, body=ENTRY | {"state": state}), COLUMNS) is None
    night = FeedEvent(1, AT, "night", "auxtel", 20260315, None, {"camera": "auxtel", "day_obs": 20260315})
    assert COMPOSER.result(night, {}) is None


def test_without_an_address_of_the_page_there_are_no_links_to_it() -> None:
    made = Composer("rapid", "file:///gallery").result(EVENT, COLUMNS)
    assert made is not None
    said = valid(made.body)
    assert said["page"] == said["pictures"]["monitor"]["page"] == ""


@given(
    st.text(max_size=40), st.text(max_size=40), st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.none()
)
def test_whatever_a_table_holds_can_be_told_and_twice_is_the_same(name: str, reason: str, value: object) -> None:
    body = ENTRY | {"cells": {name: value}, "notes": {name: reason} if value is None else {}}
    event = replace(EVENT, body=body)
    made, again = COMPOSER.result(event, {}), COMPOSER.result(event, {})
    assert made == again
    assert made is not None
    assert valid(made.body)["metrics"][name]["value"] == value


def test_ids_of_two_ledgers_differ() -> None:
    one, other = (COMPOSER.result(replace(EVENT, at=at), {}) for at in (AT, AT + timedelta(microseconds=1)))
    assert one is not None
    assert other is not None
    assert one.id != other.id


@given(st.text(max_size=60))
def test_a_name_makes_one_level_of_a_topic(text: str) -> None:
    assert not set(level(text)) & set("+#/$ \x00")
    assert level(level(text)) == level(text)


# --- alerts and verdicts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "what"), [("file", "exposure.failed"), ("message", "message.rejected")])
def test_a_dead_letter_is_an_alert(kind: str, what: str) -> None:
    made = COMPOSER.letter(replace(LETTER, kind=kind))
    said = valid(made.body)
    assert (said["kind"], said["state"], said["reason"]) == (what, "raised", "not FITS")
    assert made.route == ("service", "rapid", "alert", what)


def test_a_verdict_has_its_place() -> None:
    made = COMPOSER.bulletin(Bulletin(1, AT, "verdict", "bias/20260315", VERDICT))
    said = valid(made.body)
    assert (said["verdict"], said["subject"], made.route) == (
        "WAIVED",
        "bias/20260315",
        ("LATISS", "verdict", "bias", "all"),
    )


@pytest.mark.parametrize("wrong", [{"verdict": "FINE"}, {"calib": "Bias/+"}, {"unknown": 1}])
def test_a_verdict_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(NotValid):
        COMPOSER.bulletin(Bulletin(1, AT, "verdict", "x", VERDICT | wrong))

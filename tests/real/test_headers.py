"""Headers of real files, as the observatory's own translators read them: every case, every property.

``expected`` is what the observatory's own tests assert, ``oracle`` what its translators give. Numbers are compared to the
seven decimals of those tests. What is not carried, or carried otherwise, is listed here with the reason.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rapid.errors import BadHeader
from rapid.processing.exposure import ExposureInfo
from rapid.processing.fits import read_guider
from rapid.processing.geometry import detectors
from rapid.processing.headers import corrected, standard_properties, translate, translate_sidecar
from rapid.processing.headers.corrections import corrections

NOT_CARRIED: dict[str, str] = {}
"""Properties of the observatory's translators that ours have not; there are none."""

OTHERWISE = {
    (
        "latiss-future",
        "datetime_end",
    ): "the header has no TIMESYS, so theirs takes the end, not the begin, for UTC; all are TAI",
}
"""Values that are another's of purpose: those of the same number are compared all the same, without the scale."""

CASES = 23
MUST_FAIL = {"latiss-future-bad": "EXPTIME"}
MILLISECOND = np.timedelta64(1, "ms")


def cases(place: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((place / "translator_cases/cases.json").read_text())
    assert len(found) == CASES
    return found


def header_of(place: Path, case: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / "translator_cases" / case["header_file"]).read_text())
    return found


def test_every_property_of_every_case_agrees(shared_data: Path) -> None:
    compared = 0
    for case in cases(shared_data):
        if case["id"] in MUST_FAIL:
            continue
        found = standard_properties(translate(header_of(shared_data, case), name=case["id"]))
        for source in ("expected", "oracle"):
            for name, value in (case.get(source) or {}).items():
                if name not in NOT_CARRIED:
                    agree(found[name], value, f"{case['id']}: {name}", same_scale=(case["id"], name) not in OTHERWISE)
                    compared += 1
    assert compared == 1505


def agree(found: Any, wanted: Any, where: str, *, same_scale: bool) -> None:
    if isinstance(wanted, dict) and "time" in wanted:
        assert (wanted["scale"] == "tai") == same_scale, where
        assert abs(np.datetime64(found) - np.datetime64(wanted["time"])) <= MILLISECOND, where
        return
    wanted = plain(wanted)
    if isinstance(wanted, float | tuple):
        assert found == pytest.approx(wanted, abs=1e-7, rel=0, nan_ok=True), where
    else:
        assert found == wanted, where
        assert type(found) is type(wanted), where


def plain(value: Any) -> Any:
    """Turn a case's value into numbers: pressures in Pa, positions as pairs."""
    if not isinstance(value, dict):
        return value
    for key in ("icrs_deg", "altaz_deg", "earth_xyz_m"):
        if key in value:
            return tuple(value[key])
    if "timedelta_s" in value:
        return value["timedelta_s"]
    return float(value["quantity"]) * (100 if value["unit"] == "hPa" else 1)


def test_the_properties_are_theirs(shared_data: Path) -> None:
    named = {name for case in cases(shared_data) for name in (case.get("oracle") or {})}
    found = standard_properties(translate(header_of(shared_data, cases(shared_data)[0]), name="x"))
    assert named - NOT_CARRIED.keys() == found.keys()


def test_what_must_fail_fails(shared_data: Path) -> None:
    failing = {case["id"]: case for case in cases(shared_data) if "expect_error" in case}
    assert failing.keys() == MUST_FAIL.keys()
    for name, case in failing.items():
        with pytest.raises(BadHeader, match=f"{name}: the card {MUST_FAIL[name]} cannot be used"):
            translate(header_of(shared_data, case), name=name)


def test_every_card_that_theirs_corrects_is_corrected(shared_data: Path) -> None:
    """And no other is changed."""
    compared = 0
    for case in cases(shared_data):
        header = header_of(shared_data, case)
        found = corrected(header, name=case["id"])
        changes = case["fix_header"]["changes"]
        for card in header.keys() | found.keys() | changes.keys():
            wanted = changes[card][1] if card in changes else header.get(card)
            if (case["id"].partition("-")[0], card) not in CORRECTED_WHEN_READ:
                assert found.get(card) == (pytest.approx(wanted, abs=1e-7) if is_number(wanted) else wanted), (
                    case["id"],
                    card,
                )
                compared += card in changes
    assert compared == 110


CORRECTED_WHEN_READ = {
    ("comCam", "INSTRUME"): "the camera is known by another name, and the card is not read again",
    ("comCam", "LSST_NUM"): "the serial number is taken from the geometry",
    ("comCam", "ROTPA"): "0 degrees is what nobody measured; only `standard_properties` says it",
}
"""Corrections that ours makes at another place, and where."""


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def test_the_cases_as_sidecars_say_the_same(shared_data: Path) -> None:
    for case in cases(shared_data):
        if case["id"] in MUST_FAIL:
            continue
        header = header_of(shared_data, case)
        content = {"__CONTENT__": "metadata"} | {
            f"HIERARCH.{card.replace(' ', '.')}" if " " in card else card: value for card, value in header.items()
        }
        found = translate_sidecar(json.dumps(content).encode(), name=case["id"])
        assert same(found, translate(header, name=case["id"]))


def same(one: ExposureInfo, other: ExposureInfo) -> bool:
    return repr(one) == repr(other)  # a NaN is not equal to itself


@pytest.mark.parametrize(
    ("file", "began", "seconds"),
    [
        ("MC_C_20240918_000013_R00_SG0_guider", "2024-09-18T13:51:28.474", 5.1),
        ("MC_C_20230616_000013_R04_SG0", "2023-06-17T05:46:29.893", math.nan),
    ],
)
def test_headers_of_real_guiders(shared_data: Path, file: str, began: str, seconds: float) -> None:
    path = shared_data / f"obs_lsst_raws/guider/guider_data/{file}.fits"
    found = translate(read_guider(path, name=path.name).header, name=path.name)
    obs_id, detector_name = path.name[:20], path.name[21:28]
    number = detectors("LSSTCam")[detector_name].number
    assert (found.obs_id, found.detector_name, found.detector) == (obs_id, detector_name, number)
    assert (found.begin_tai, found.observation_type, found.on_sky) == (began, "unknown", False)
    assert found.exposure_time == pytest.approx(seconds, nan_ok=True)
    assert found.exposure_time_requested is None
    sidecar = path.with_suffix(".json")
    if sidecar.exists():
        assert same(translate_sidecar(sidecar.read_bytes(), name=sidecar.name), found)


def test_every_correction_of_a_single_exposure_is_carried(shared_data: Path) -> None:
    given: dict[str, dict[str, Any]] = {}
    for camera in ("latiss", "lsstcam"):
        given |= json.loads((shared_data / f"translator_cases/corrections_{camera}.json").read_text())
    assert len(given) == 3341 + 43
    named = {f"{obs_id[:14]}{int(obs_id[14:]):06d}": cards for obs_id, cards in given.items()}
    assert len(named) == len(given), "sixteen are filed with five digits; they stand for exposures all the same"
    assert {obs_id: dict(corrections(obs_id)) for obs_id in named} == named
    assert not corrections("AT_O_20260315_000051")

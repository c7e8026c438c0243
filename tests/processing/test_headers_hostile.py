"""Whatever one card says, a header is translated into numbers that are some, or refused in words."""

from __future__ import annotations

import dataclasses
import math

import pytest

from rapid.errors import BadHeader, InputError
from rapid.processing.describe import describe
from rapid.processing.headers import translate
from tests.support import frames, lsstcam_cards

HEADERS = {"LATISS": (frames.CARDS, frames.NAME), "LSSTCam": (lsstcam_cards.CARDS, "x.fits")}
CARDS = (
    *(
        "RA",
        "DEC",
        "ROTPA",
        "ROTCOORD",
        "RADESYS",
        "TRACKSYS",
        "RASTART",
        "DECSTART",
        "AZSTART",
        "ELSTART",
        "AZEND",
        "ELEND",
    ),
    *(
        "AMSTART",
        "FOCUSZ",
        "AIRTEMP",
        "PRESSURE",
        "HUMIDITY",
        "SEEING",
        "VIGN_MIN",
        "SHUTTIME",
        "XPOSURE",
        "DARKTIME",
        "EXPTIME",
    ),
    *(
        "DATE",
        "DATE-BEG",
        "DATE-END",
        "DATE-OBS",
        "MJD-BEG",
        "MJD-OBS",
        "GDSSTART",
        "TIMESYS",
        "GROUPID",
        "CURINDEX",
        "MAXINDEX",
    ),
    *(
        "N_STAMPS",
        "ROIMILLI",
        "LSST_NUM",
        "OBSGEO-X",
        "OBSGEO-Y",
        "OBSGEO-Z",
        "OBJECT",
        "PROGRAM",
        "REASON",
        "TESTTYPE",
    ),
    *(
        "CCDSLOT",
        "RAFTBAY",
        "GRATING",
        "FILTER",
        "FILTER2",
        "HEADVER",
        "IMGTYPE",
        "OBSID",
        "DAYOBS",
        "SEQNUM",
        "CONTRLLR",
    ),
    *("INSTRUME", "TELESCOP", "SIMULATE ATDOME"),
)
VALUES = (
    *(None, "", " ", "x" * 300, "abc", "\x00", "é", "٣", "3.5", "nan", "1e999", True, False),
    *(math.nan, math.inf, -math.inf, -1, 0, -1e300, 1e300, 10**30, -(10**30), 3 + 4j, b"x", [], {}),
    *("2026-99-99T00:00:00", "2026-03-16T03:12:60.5", "0001-01-01T00:00:00", "9999-12-31T23:59:59.999"),
)
MAY_BE_UNKNOWN = {"exposure_time", "dark_time"}


@pytest.mark.parametrize("camera", HEADERS)
def test_one_card_of_nonsense_is_refused_or_left_out(camera: str) -> None:
    cards, name = HEADERS[camera]
    translated = 0
    for card in CARDS:
        for value in VALUES:
            try:
                info = translate({**cards, card: value}, name=name)
            except InputError:
                continue
            translated += 1
            told = {field.name: getattr(info, field.name) for field in dataclasses.fields(info)}
            numbers = {key: one for key, one in told.items() if isinstance(one, float) and key not in MAY_BE_UNKNOWN}
            assert all(map(math.isfinite, numbers.values())), f"{card} = {value!r}: {numbers}"
            findings = [finding.value for finding in describe(info) if isinstance(finding.value, float)]
            assert all(map(math.isfinite, findings)), f"{card} = {value!r}"
    assert 0.5 < translated / (len(CARDS) * len(VALUES)) < 1


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00", "1857-12-31T23:59:59", "3000-01-01T00:00:00"])
@pytest.mark.parametrize("camera", HEADERS)
def test_a_date_beyond_any_calendar_is_none(camera: str, date: str) -> None:
    cards, name = HEADERS[camera]
    kept = {key: value for key, value in cards.items() if not key.startswith(("DATE", "MJD"))}
    with pytest.raises(BadHeader, match=f"does not say when the exposure began.*found DATE-BEG = '{date}'"):
        translate({**kept, "DATE-BEG": date}, name=name)

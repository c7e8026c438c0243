"""A camera that falls silent and a part that fails are told once, and again when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rapid.announce.watching import CameraWatch, ComponentWatch, watch
from rapid.errors import LedgerError
from rapid.ledger import open_ledger
from rapid.ports import Bulletin, FeedEvent
from tests.support.announcing import COMPOSER
from tests.support.ledgers import sqlite_url

NIGHT = datetime(2026, 3, 16, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def seen(number: int, at: datetime, *, day_obs: int = 20260315, kind: str = "exposure") -> FeedEvent:
    return FeedEvent(number, at, kind, "auxtel", day_obs, number, {"obs_id": f"AT_O_{day_obs}_{number:06d}"})


def test_a_silent_camera_is_missed_once_and_cleared_when_it_is_back() -> None:
    cameras = CameraWatch(30 * MINUTE)
    assert cameras.saw(seen(1, NIGHT)) is None
    assert cameras.missed(NIGHT + 30 * MINUTE) == []
    (missed,) = cameras.missed(NIGHT + 31 * MINUTE)
    assert missed.name == "camera.silent/auxtel/1"
    assert "nothing came from auxtel for more than 30 min; the last was AT_O_20260315_000001" in str(
        missed.body["reason"]
    )
    assert cameras.missed(NIGHT + 60 * MINUTE) == []
    back = cameras.saw(seen(2, NIGHT + 61 * MINUTE))
    assert back is not None
    assert (back.body["state"], back.body["about"]) == ("cleared", missed.name)
    assert cameras.missed(NIGHT + 62 * MINUTE) == []
    assert len(cameras.missed(NIGHT + 92 * MINUTE)) == 1


def test_a_new_life_misses_it_under_the_same_name() -> None:
    names = []
    for _ in range(2):
        cameras = CameraWatch(30 * MINUTE)
        cameras.saw(seen(1, NIGHT))
        names += [posting.name for posting in cameras.missed(NIGHT + 40 * MINUTE)]
    assert names == ["camera.silent/auxtel/1"] * 2


def test_other_nights_and_a_night_that_is_over_say_nothing() -> None:
    cameras = CameraWatch(30 * MINUTE)
    cameras.saw(seen(1, NIGHT, day_obs=20260101))
    cameras.saw(seen(2, NIGHT, kind="night"))
    assert cameras.missed(NIGHT + 60 * MINUTE) == []
    cameras.saw(seen(3, NIGHT))
    assert cameras.missed(NIGHT + timedelta(hours=12)) == []


def test_a_part_that_fails_for_long_is_told_and_then_that_it_works() -> None:
    parts = ComponentWatch(timedelta(seconds=30))
    assert parts.looked({"gallery": "away"}, NIGHT) == []
    assert parts.looked({}, NIGHT + timedelta(seconds=10)) == []
    assert parts.looked({"gallery": "away"}, NIGHT + timedelta(seconds=20)) == [], "it begins anew"
    (raised,) = parts.looked({"gallery": "still away"}, NIGHT + timedelta(seconds=50))
    assert (raised.body["subject"], raised.body["reason"], raised.body["severity"]) == (
        "gallery",
        "still away",
        "error",
    )
    assert parts.looked({"gallery": "away"}, NIGHT + timedelta(seconds=90)) == []
    (cleared,) = parts.looked({}, NIGHT + timedelta(seconds=91))
    assert (cleared.body["state"], cleared.body["about"]) == ("cleared", raised.name)


async def test_alerts_wait_for_a_ledger_and_keep_their_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rapid.announce.watching.LOOK", timedelta(seconds=0.02))
    failing: Mapping[str, str] = {"kafka": "is away"}
    async with open_ledger(sqlite_url(tmp_path)) as ledger:
        post, refused = ledger.post, list[str]()

        async def refuses_once(kind: str, subject: str, body: Mapping[str, object]) -> bool:
            if not refused:
                refused.append(subject)
                raise LedgerError("the disk is full")
            return await post(kind, subject, body)  # type: ignore[arg-type]

        monkeypatch.setattr(ledger, "post", refuses_once)
        watching = asyncio.create_task(watch(ledger, lambda: failing, silence=30 * MINUTE, patience=timedelta(0)))
        found: list[Bulletin] = []
        async with asyncio.timeout(20):
            while not found:
                found = list(await ledger.bulletins(0))
                await asyncio.sleep(0.01)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    assert [bulletin.subject for bulletin in found] == refused
    announced = COMPOSER.bulletin(found[0])
    assert announced.route == ("service", "rapid", "alert", "component.failing")

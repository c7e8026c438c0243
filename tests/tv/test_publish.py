"""The gallery: pictures before the row, and the same bytes each time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from rapid.errors import BadName, NotAvailable
from rapid.ports import EncodedCatalogue, EncodedPicture, Outcome, Row
from rapid.tv.publish import StoreGallery
from tests.support.memory_feed import COLUMNS, MemoryStore, entry_of

PLACE = "rapid/auxtel/20260315/000051/R00_S00"
MONITOR = "auxtel/2026-03-15/monitor/000051/auxtel_monitor_2026-03-15_000051.png"
IMEXAM = "auxtel/2026-03-15/imexam/000051/auxtel_imexam_2026-03-15_000051.jpg"
SOURCES = f"{PLACE}/sources.parquet"


def outcome_of(*, cells: Mapping[str, Any] | None = None, seconds: float = 1.0, camera: str = "auxtel") -> Outcome:
    return Outcome(
        row=Row(
            camera=camera,
            instrument="LATISS",
            obs_id="AT_O_20260315_000051",
            day_obs=20260315,
            seq_num=51,
            detector_name="R00_S00",
            cells=cells or {"psf_fwhm": 0.95, "object": "δ Cep"},
        ),
        columns=COLUMNS,
        pictures=(
            EncodedPicture("monitor", "png", b"one", 8, 8),
            EncodedPicture("imexam", "jpg", b"two", 8, 8, sidecar={"x": 1.5, "fits": [1.0, 2.0]}),
        ),
        shutter_closed_at=datetime(2026, 3, 16, tzinfo=UTC),
        seconds={"read": seconds},
        cpu_seconds=seconds,
        catalogues=(EncodedCatalogue("sources", b"PAR1"),),
    )


class FailingStore(MemoryStore):
    """Refuses one key, after a moment."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key

    async def put(self, key: str, body: bytes, *, media_type: str = "application/octet-stream") -> None:
        if key == self.key:
            await asyncio.sleep(0.01)
            raise NotAvailable("the store is away")
        await super().put(key, body, media_type=media_type)


class MeetingStore(MemoryStore):
    """Lets pictures and catalogue in only together: a gallery that writes them one by one would wait for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier = asyncio.Barrier(3)

    async def put(self, key: str, body: bytes, *, media_type: str = "application/octet-stream") -> None:
        if not key.endswith("json"):
            await self.barrier.wait()
        await super().put(key, body, media_type=media_type)


async def test_pictures_come_first_then_sidecars_then_the_row() -> None:
    store = MemoryStore()
    row = await StoreGallery(store).publish(outcome_of())
    assert row.channels == {"monitor": MONITOR, "imexam": IMEXAM}
    assert row.catalogues == {"sources": SOURCES}
    assert set(store.puts[:3]) == {MONITOR, IMEXAM, SOURCES}
    assert store.puts[3:] == [f"{PLACE}/imexam.json", f"{PLACE}/row.json"]
    assert store.objects[SOURCES] == b"PAR1"


async def test_the_row_object_is_all_of_the_row() -> None:
    store = MemoryStore()
    await StoreGallery(store).publish(outcome_of())
    document = json.loads(store.objects[f"{PLACE}/row.json"])
    assert document["cells"] == {"psf_fwhm": 0.95, "object": "δ Cep"}
    assert document["channels"]["monitor"] == MONITOR
    assert document["catalogues"] == {"sources": SOURCES}
    assert document["columns"]["psf_fwhm"]["unit"] == "arcsec"
    assert document["obs_id"] == "AT_O_20260315_000051"
    assert json.loads(store.objects[f"{PLACE}/imexam.json"]) == {"x": 1.5, "fits": [1.0, 2.0]}


async def test_media_types_are_said() -> None:
    store = MemoryStore()
    await StoreGallery(store).publish(outcome_of())
    assert store.media_types[MONITOR] == "image/png"
    assert store.media_types[IMEXAM] == "image/jpeg"
    assert store.media_types[SOURCES] == "application/vnd.apache.parquet"
    assert store.media_types[f"{PLACE}/row.json"] == "application/json"


async def test_pictures_are_written_at_once() -> None:
    async with asyncio.timeout(2):
        row = await StoreGallery(MeetingStore()).publish(outcome_of())
    assert len(row.channels) == 2


@pytest.mark.parametrize("key", [MONITOR, IMEXAM, SOURCES, f"{PLACE}/imexam.json"])
async def test_no_row_is_promised_when_something_it_needs_was_not_written(key: str) -> None:
    store = FailingStore(key)
    with pytest.raises(NotAvailable, match="the store is away"):
        await StoreGallery(store).publish(outcome_of())
    assert f"{PLACE}/row.json" not in store.objects


async def test_a_replay_writes_the_same_bytes() -> None:
    live, replayed = MemoryStore(), MemoryStore()
    first = await StoreGallery(live).publish(outcome_of(seconds=1.0))
    backwards = {"object": "δ Cep", "psf_fwhm": 0.95}
    second = await StoreGallery(replayed).publish(outcome_of(cells=backwards, seconds=2.5))
    assert first == second
    assert live.objects == replayed.objects


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
async def test_a_number_that_is_none_is_refused_before_anything_is_written(value: float) -> None:
    store = MemoryStore()
    with pytest.raises(ValueError, match="not JSON compliant"):
        await StoreGallery(store).publish(outcome_of(cells={"psf_fwhm": value}))
    assert store.objects == {}


async def test_a_value_of_a_foreign_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="complex is no JSON value"):
        await StoreGallery(MemoryStore()).publish(outcome_of(cells={"z": 1j}))


async def test_a_camera_that_may_not_stand_in_a_key_is_refused_before_anything_is_written() -> None:
    store = MemoryStore()
    with pytest.raises(BadName, match="not the name of a camera"):
        await StoreGallery(store).publish(outcome_of(camera="../auxtel"))
    assert store.objects == {}


async def test_two_pictures_of_one_channel_are_refused() -> None:
    outcome = outcome_of()
    twice = Outcome(**{**_fields(outcome), "pictures": outcome.pictures[:1] * 2})
    with pytest.raises(ValueError, match="expected one picture a channel, found monitor, monitor"):
        await StoreGallery(MemoryStore()).publish(twice)


async def test_catalogues_of_one_name_or_a_climbing_one_are_refused_before_anything_is_written() -> None:
    store, outcome = MemoryStore(), outcome_of()
    twice = Outcome(**{**_fields(outcome), "catalogues": outcome.catalogues * 2})
    with pytest.raises(ValueError, match="expected catalogues of different names, found sources, sources"):
        await StoreGallery(store).publish(twice)
    climbing = Outcome(**{**_fields(outcome), "catalogues": (EncodedCatalogue("../sources", b""),)})
    with pytest.raises(BadName, match="not the name of a catalogue"):
        await StoreGallery(store).publish(climbing)
    assert store.objects == {}


async def test_the_night_is_written_where_rubintv_looks() -> None:
    store = MemoryStore()
    await StoreGallery(store).publish_night("auxtel", 20260315, COLUMNS, [entry_of(51), entry_of(7)])
    body = store.objects["auxtel/2026-03-15/metadata.json"]
    assert store.media_types["auxtel/2026-03-15/metadata.json"] == "application/json"
    assert set(json.loads(body)) == {"7", "51"}
    await StoreGallery(store).publish_night("auxtel", 20260315, COLUMNS, [entry_of(7), entry_of(51)])
    assert store.objects["auxtel/2026-03-15/metadata.json"] == body


def _fields(outcome: Outcome) -> dict[str, Any]:
    return {name: getattr(outcome, name) for name in Outcome.__dataclass_fields__}

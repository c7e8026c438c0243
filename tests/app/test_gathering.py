"""The camera's own list of detectors, fetched from the archive by its key."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from rapid.app.gathering import make_gather
from rapid.config import Settings
from rapid.ledger import open_ledger
from tests.support.wholes import DAY_OBS, DETECTORS, finish, name_of, raw

NAME = name_of()


async def expected(archive: Path, state: Path, **gather: object) -> object:
    """How many detectors the line of an exposure says there are, when two of them came."""
    settings = Settings.model_validate({"state": state, "archive": {"url": str(archive)}, "gather": gather})
    async with open_ledger(settings.ledger_url) as ledger:
        await ledger.record([raw(detector, NAME) for detector in DETECTORS[:2]])
        for detector in DETECTORS[:2]:
            await finish(ledger, detector, NAME)
        await make_gather(settings, ledger, asyncio.Event()).catch_up(final=True)
        _, _, entries = await ledger.night("lsstcam", DAY_OBS)
        cells = entries[0]["cells"]
        assert isinstance(cells, dict)
        return cells["detectors_expected"]


def put_list(archive: Path, text: str) -> None:
    place = archive / NAME.instrument / str(DAY_OBS) / NAME.obs_id
    place.mkdir(parents=True)
    (place / f"{NAME.obs_id}_expectedSensors.json").write_text(text)


async def test_the_list_beside_the_files_is_believed(tmp_path: Path) -> None:
    listed = {
        "fileType": "expectedSensors",
        "obsId": NAME.obs_id,
        "expectedSensors": dict.fromkeys(DETECTORS[:3], "SCIENCE"),
    }
    put_list(tmp_path / "raw", json.dumps(listed))
    assert await expected(tmp_path / "raw", tmp_path / "state") == 3


@pytest.mark.parametrize("text", [None, "{", '{"fileType": "expectedSensors", "obsId": "x", "expectedSensors": {}}'])
async def test_without_a_list_all_that_the_camera_has_is_expected(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        put_list(tmp_path / "raw", text)
    assert await expected(tmp_path / "raw", tmp_path / "state") == 205


async def test_what_is_expected_can_be_set(tmp_path: Path) -> None:
    assert await expected(tmp_path / "raw", tmp_path / "state", expected={"LSSTCam": DETECTORS[:4]}) == 4

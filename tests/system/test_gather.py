"""An exposure of five detectors, one of which is broken and one late, through the whole service and a kill."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from rapid.simulation.night import simulate
from rapid.simulation.plan import NightPlan
from tests.support.daemon import Daemon, daemon, rapid

pytestmark = pytest.mark.system

GOOD = ("R22_S00", "R22_S01", "R22_S02", "R22_S11")
BROKEN, LATE = "R22_S10", "R22_S11"
CAMERA, DAY_OBS = "comcam", 20260111
OBS_ID = f"CC_O_{DAY_OBS}_000001"
PLACE = Path("LSSTComCam", str(DAY_OBS), OBS_ID)
SETTINGS = """
[gather]
files = "12s"
"""


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bias of four detectors as the camera writes it, and the fifth as nobody should; none of them is in the archive yet."""
    out = tmp_path_factory.mktemp("comcam")
    plan = NightPlan.model_validate(
        {
            "name": "one bias",
            "instrument": "LSSTComCam",
            "detectors": list(GOOD),
            "begins": "2026-01-12T02:00:00",
            "sequences": [{"kind": "bias", "count": 1}],
        }
    )
    simulate(plan, out, seed=1)
    broken = out / PLACE / f"{OBS_ID}_{BROKEN}.fits"
    fits.PrimaryHDU().writeto(broken)
    os.utime(broken, (0, 0))  # so old that nobody waits for the rest of it
    listed = {
        "fileName": f"{OBS_ID}_expectedSensors.json",
        "fileType": "expectedSensors",
        "obsId": OBS_ID,
        "version": 1.0,
        "expectedSensors": dict.fromkeys((*GOOD, BROKEN), "SCIENCE"),
    }
    (out / PLACE / f"{OBS_ID}_expectedSensors.json").write_text(json.dumps(listed))
    return out / PLACE


def deliver(taken: Path, archive: Path, *names: str) -> None:
    """Let files appear in the archive."""
    (archive / PLACE).mkdir(parents=True, exist_ok=True)
    for name in names:
        os.link(taken / f"{OBS_ID}_{name}", archive / PLACE / f"{OBS_ID}_{name}")


def whole(service: Daemon) -> dict[str, Any]:
    """The line of the exposure; nothing while there is none."""
    rows = service.get(f"api/v1/nights/{CAMERA}/{DAY_OBS}")["rows"]
    return next((row for row in rows if row["detector_name"] == ""), {})


def counts(row: dict[str, Any]) -> list[int]:
    return [row["cells"][f"detectors_{kind}"] for kind in ("done", "failed", "missing", "late", "expected")]


def test_n_of_m_after_a_kill_and_a_revision_for_the_late_one(taken: Path, tmp_path: Path) -> None:
    archive, config = tmp_path / "raw", tmp_path / "rapid.toml"
    archive.mkdir()
    config.write_text(SETTINGS)
    words = ("--config", str(config), "--workers", "2")
    on_time = [f"{detector}.fits" for detector in (*GOOD, BROKEN) if detector != LATE]
    deliver(taken, archive, "expectedSensors.json", *on_time)
    with daemon(archive, tmp_path / "state", *words) as service:
        service.wait(lambda service: service.counts()["received"] == len(on_time))
        service.wait(lambda service: bool(service.get("api/v1/gather")["exposures"]))
        (exposure,) = service.get("api/v1/gather")["exposures"]
        assert (exposure["obs_id"], exposure["expected_by"]) == (OBS_ID, "expectedSensors")
        assert not whole(service)
        service.kill()
    with daemon(archive, tmp_path / "state", *words) as service:
        service.wait(lambda service: bool(whole(service)))
        first = whole(service)
        assert (counts(first), first["revision"]) == ([3, 1, 1, 0, 5], 1)
        assert first["cells"]["missing_detector_names"] == LATE
        assert list(first["failures"]) == [BROKEN]
        assert first["cells"]["image_type"] == "bias"
        deliver(taken, archive, f"{LATE}.fits")
        service.wait(lambda service: whole(service)["revision"] == 2)
        second = whole(service)
        assert counts(second) == [4, 1, 0, 0, 5]
        exposure = service.get(f"api/v1/exposures/{CAMERA}/{DAY_OBS}/1")
        assert [row["detector_name"] for row in exposure["rows"]] == ["", *sorted((*GOOD, BROKEN))]
        measured = [name for name in second["cells"] if f"{name}_n" in second["cells"]]
        assert measured
        for name in measured:
            values = sorted(row["cells"][name] for row in exposure["rows"][1:] if row["cells"].get(name) is not None)
            assert second["cells"][f"{name}_n"] == len(values), name
            assert not values or values[0] <= second["cells"][name] <= values[-1], name
        assert service.get("api/v1/gather")["exposures"] == []
        assert service.terminate() == 0
    told = json.loads(rapid("status", "--state", tmp_path / "state", "--json", check=False).stdout)
    assert (told["gathering"], told["nights"][0]["gaps"]) == ([], [])
    (written,) = (tmp_path / "state" / "gallery").rglob("metadata.json")
    (line,) = json.loads(written.read_text()).values()
    assert line["Detectors done"] == 4
    assert BROKEN in line["Failure"]

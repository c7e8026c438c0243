"""A night of the simulation, taken in as a catalogue, tells where its own exposures pointed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from rapid.processing.measure import study
from rapid.processing.refcat import ReferenceCatalogue
from rapid.refcat import ingest, open_catalogue
from rapid.simulation.night import SimulatedExposure
from tests.support.nights import simulated_night


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[SimulatedExposure, ...]:
    return simulated_night(tmp_path_factory.getbasetemp() / "night")


@pytest.fixture(scope="module")
def catalogue(night: tuple[SimulatedExposure, ...], tmp_path_factory: pytest.TempPathFactory) -> ReferenceCatalogue:
    place = tmp_path_factory.mktemp("truth") / "catalogue"
    made = ingest([exposure.truth for exposure in night], place)
    drawn = sum(len(json.loads(exposure.truth.read_text())["stars"]) for exposure in night)
    assert made.manifest.rows + made.doubles == drawn
    assert made.doubles > 0.4 * drawn, "exposures of one field show the same stars"
    assert {"latiss_r", "latiss_i"} <= set(made.manifest.bands)
    return open_catalogue(place)


def test_pointing_of_every_science_exposure(
    night: tuple[SimulatedExposure, ...], catalogue: ReferenceCatalogue
) -> None:
    tried = 0
    for exposure in night:
        truth = json.loads(exposure.truth.read_text())
        if truth["kind"] != "science" or "truncated_file" in exposure.incidents:
            continue
        seen = study(Path(exposure.path), name=exposure.path.name, catalogue=catalogue)
        assert seen.comparison is not None
        found, expected = seen.comparison.astrometry, truth["sky"]["pointing_error_arcsec"]
        assert not found.reason, (exposure.obs_id, found.reason)
        assert math.dist((found.pointing_ra, found.pointing_dec), expected) < 0.1, exposure.obs_id
        assert found.rotation == pytest.approx(0.0, abs=max(0.01, 5.0 * found.rotation_error))
        tried += 1
    assert tried == 3

"""Headers and sidecars of simulated raws say the same."""

from __future__ import annotations

import pytest

from rapid.processing.fits import read_raw
from rapid.processing.headers import translate, translate_sidecar
from rapid.simulation.night import SimulatedExposure
from tests.support.nights import simulated_night


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[SimulatedExposure, ...]:
    return simulated_night(tmp_path_factory.getbasetemp() / "short_night")


def test_those_of_a_simulated_night_are_its_raws(night: tuple[SimulatedExposure, ...]) -> None:
    whole = [exposure.path for exposure in night if "truncated_file" not in exposure.incidents]
    assert len(whole) > 5
    for path in whole:
        raw = read_raw(path, name=path.name)
        sidecar = path.with_suffix(".json")
        assert translate_sidecar(sidecar.read_bytes(), name=sidecar.name) == translate(raw.header, name=path.name)

from __future__ import annotations

from collections.abc import Callable

import pytest

from rapid.simulation.night import SimulatedExposure
from tests.support.nights import simulated_night


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[SimulatedExposure, ...]:
    """The short night; what is in it may be read only."""
    return simulated_night(tmp_path_factory.getbasetemp() / "short_night")


@pytest.fixture(scope="session")
def find(night: tuple[SimulatedExposure, ...]) -> Callable[..., list[SimulatedExposure]]:
    """List the exposures of a kind in which nothing happens but these incidents."""

    def _find(kind: str, *incidents: str) -> list[SimulatedExposure]:
        return [exposure for exposure in night if exposure.kind == kind and exposure.incidents == incidents]

    return _find

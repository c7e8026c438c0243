"""Which detectors an exposure will have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from rapid.ports import Standing
from rapid.processing.geometry import detectors, instruments

__all__ = ["CAMERA_LIST", "Configured", "configured_detectors", "detector_of", "expected_detectors", "list_key"]

Configured = Mapping[str, Sequence[str]]
"""Instrument to the detectors that are expected of it while nobody says otherwise."""

CAMERA_LIST = "expectedSensors"
"""The origin of the list that the camera writes beside its files: nobody knows better."""

_GUIDER = "_guider"


@cache
def configured_detectors() -> Configured:
    """Return all detectors of the cameras that are known here: 205 of LSSTCam, with its guiders; 9 of ComCam; 1 of LATISS."""
    return {instrument: tuple(sorted(detectors(instrument))) for instrument in instruments()}


def expected_detectors(standing: Standing, configured: Configured) -> frozenset[str]:
    """Return what is expected of an exposure: what the best who spoke said, or else what is configured.

    A detector that has come is one of them, whoever forgot it.
    """
    said = [detector for detector, _ in standing.sensors] or configured.get(standing.name.instrument, ())
    return frozenset(said) | {detector_of(found.name) for found in standing.detectors}


def detector_of(name: str) -> str:
    """Name the detector of an entry: a guider is expected as ``R00_SG0``, and its file is that of ``R00_SG0_guider``."""
    return name.removesuffix(_GUIDER)


def list_key(standing: Standing) -> str:
    """Say where the camera's own list lies: where it was announced, or beside the files; empty when neither is known.

    The camera control system writes ``{obs_id}_expectedSensors.json`` into the directory of the raws.
    """
    if standing.list_key or not standing.detectors:
        return standing.list_key
    directory, slash, _ = standing.detectors[0].key.rpartition("/")
    return f"{directory}{slash}{standing.name.obs_id}_expectedSensors.json"

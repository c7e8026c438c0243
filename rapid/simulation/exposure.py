"""One exposure from its schedule to the bytes of its files."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from rapid.simulation.camera import Camera
from rapid.simulation.catalogue import Catalogue
from rapid.simulation.hdus import Unit, compressed_image, empty_table, primary
from rapid.simulation.header import condition_cards, primary_cards, sidecar
from rapid.simulation.observation import Observation, make_observation
from rapid.simulation.passbands import PASSBANDS
from rapid.simulation.saturation import bloom
from rapid.simulation.scene import make_scene
from rapid.simulation.schedule import ScheduledExposure
from rapid.simulation.segments import segment_cards
from rapid.simulation.sequences import DeadAmplifier, TruncatedFile
from rapid.simulation.spectrum import Disperser, draw_spectra
from rapid.simulation.stars import Psf, draw_stars
from rapid.simulation.truth import truth

__all__ = ["ExposureFiles", "render", "warm_up"]


@dataclass(frozen=True, slots=True)
class ExposureFiles:
    """What is written for one exposure: raw file, sidecar, truth."""

    fits: bytes
    sidecar: bytes
    truth: bytes


def render(schedule: ScheduledExposure, *, camera: Camera, catalogue: Catalogue, seed: int) -> ExposureFiles:
    """Make the files of one exposure; the same arguments give the same bytes."""
    observation = make_observation(schedule, seed=seed)
    scene = make_scene(observation, camera, catalogue, seed=seed)
    dead = {i.amplifier: i.level for i in schedule.plan.incidents if isinstance(i, DeadAmplifier)}
    segments = camera.read_out(scene.charge, seed=seed, number=schedule.plan.number, dead=dead)
    cards = primary_cards(observation, seed=seed)
    head = primary(cards)
    images = [
        compressed_image(pixels, segment_cards(camera.detector, amplifier))
        for amplifier, pixels in zip(camera.detector.amplifiers, segments, strict=True)
    ]
    tables = [empty_table(table) for table in condition_cards(observation, seed=seed).values()]
    return ExposureFiles(
        fits=_file([head, *images, *tables], observation),
        sidecar=_json(sidecar(cards, head.sums)),
        truth=_json(truth(observation, scene, camera, seed=seed)),
    )


def warm_up(camera: Camera) -> None:
    """Compile, or load, all that `render` needs to be fast, on images of no size."""
    tiny = np.zeros((16, 16), dtype=np.float32)
    here, light = np.array([8.0]), np.array([1.0e6])
    for psf in (Psf(3.0, 3.0), Psf(3.0, 3.0, donut=6.0)):
        draw_stars(tiny, here, here, light, psf)
    disperser = Disperser.named("holo4_003")
    if disperser is not None:
        draw_spectra(
            tiny,
            here,
            here - 1000.0,
            light,
            colour=0.0 * here,
            psf=Psf(3.0, 3.0),
            disperser=disperser,
            passband=PASSBANDS["empty_1"],
        )
    bloom(tiny, camera.detector)
    compressed_image(camera.read_out(tiny, seed=0, number=0, dead={})[0], b"")


def _file(units: list[Unit], observation: Observation) -> bytes:
    body = b"".join(part for unit in units for part in (unit.header, unit.data))
    for incident in observation.plan.incidents:
        if isinstance(incident, TruncatedFile):
            body = body[: int(len(body) * incident.keep)]
    return body


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode("utf-8")

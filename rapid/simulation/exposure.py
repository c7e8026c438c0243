"""One exposure from its schedule to the bytes of its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rapid.processing.frame import RawDetector
from rapid.processing.geometry import Detector
from rapid.simulation.camera import Camera
from rapid.simulation.catalogue import Catalogue
from rapid.simulation.effects import Effects
from rapid.simulation.hdus import Value, compressed_image, empty_table, file_bytes, json_bytes, primary
from rapid.simulation.header import condition_cards, primary_cards, sidecar
from rapid.simulation.observation import Observation, make_observation
from rapid.simulation.passbands import PASSBANDS
from rapid.simulation.saturation import bloom
from rapid.simulation.scene import Scene, make_scene
from rapid.simulation.schedule import ScheduledExposure
from rapid.simulation.segments import segment_cards
from rapid.simulation.sequences import DeadAmplifier, DeadDetector, TruncatedFile
from rapid.simulation.spectrum import Disperser, draw_spectra
from rapid.simulation.stars import Psf, draw_stars
from rapid.simulation.truth import truth

__all__ = ["DetectorReadout", "ExposureFiles", "expose", "render", "warm_up"]


@dataclass(frozen=True, slots=True)
class ExposureFiles:
    """What is written for one detector of an exposure: raw file, sidecar, truth."""

    fits: bytes
    sidecar: bytes
    truth: bytes


@dataclass(frozen=True, slots=True)
class DetectorReadout:
    """One detector of an exposure as it was read, before anything is written; ``segments`` [adu] in the order of the file."""

    observation: Observation
    scene: Scene
    camera: Camera
    segments: list[NDArray[np.int32]]
    effects: Effects
    seed: int

    @property
    def cards(self) -> list[tuple[str, Value, str]]:
        """The cards of the primary header."""
        return primary_cards(self.observation, self.camera.detector, seed=self.seed)

    def raw(self) -> RawDetector:
        """Return what the core reads from the file, without writing it; a truncated file is whole here."""
        structure: dict[str, object] = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True}
        header = structure | {keyword: value for keyword, value, _ in self.cards if keyword != "COMMENT"}
        for pixels in self.segments:
            pixels.flags.writeable = False
        return RawDetector(str(header["FILENAME"]), header, tuple(self.segments))

    def truth(self) -> dict[str, Any]:
        """Say all that is known of it, as JSON has it."""
        return truth(self.observation, self.scene, self.camera, effects=self.effects, seed=self.seed)

    def files(self) -> ExposureFiles:
        """Write the files."""
        detector, cards = self.camera.detector, self.cards
        head = primary(cards)
        images = [
            compressed_image(pixels, segment_cards(detector, amplifier))
            for amplifier, pixels in zip(detector.amplifiers, self.segments, strict=True)
        ]
        tables = [empty_table(table) for table in condition_cards(self.observation, detector, seed=self.seed).values()]
        body = file_bytes([head, *images, *tables])
        return ExposureFiles(
            fits=_cut(body, self.observation, detector),
            sidecar=json_bytes(sidecar(cards, head.sums)),
            truth=json_bytes(self.truth(), indent=1 if detector.instrument == "LATISS" else None),
        )


def expose(
    observation: Observation, *, camera: Camera, catalogue: Catalogue, seed: int, effects: Effects
) -> DetectorReadout:
    """Expose one detector and read it out; the same arguments give the same pixels."""
    scene = make_scene(observation, camera, catalogue, seed=seed, effects=effects)
    dead = _dead_amplifiers(observation, camera.detector)
    number = observation.plan.number
    segments = camera.read_out(scene.charge, seed=seed, number=number, dead=dead, effects=effects)
    return DetectorReadout(observation, scene, camera, segments, effects, seed)


def render(
    schedule: ScheduledExposure, *, camera: Camera, catalogue: Catalogue, seed: int, effects: Effects | None = None
) -> ExposureFiles:
    """Make the files of one detector of an exposure; the same arguments give the same bytes."""
    observation = make_observation(schedule, seed=seed)
    return expose(observation, camera=camera, catalogue=catalogue, seed=seed, effects=effects or Effects()).files()


def _dead_amplifiers(observation: Observation, detector: Detector) -> dict[str, float]:
    dead: dict[str, float] = {}
    for incident in observation.plan.incidents:
        if isinstance(incident, DeadDetector) and incident.detector == detector.name:
            dead |= {amplifier.name: incident.level for amplifier in detector.amplifiers}
        elif isinstance(incident, DeadAmplifier) and incident.detector in {None, detector.name}:
            dead[incident.amplifier] = incident.level
    return dead


def _cut(body: bytes, observation: Observation, detector: Detector) -> bytes:
    for incident in observation.plan.incidents:
        if isinstance(incident, TruncatedFile) and incident.detector in {None, detector.name}:
            body = body[: int(len(body) * incident.keep)]
    return body


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

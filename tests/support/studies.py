"""Small studies made by hand, with stars of which everything is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from rapid.processing.exposure import ExposureInfo
from rapid.processing.frame import AmplifierStatistics, Background, Frame, Mask, Psf, Sources, Step, Study
from rapid.processing.geometry import Amplifier, Box, Detector

SATURATION = 140_000.0


@dataclass(frozen=True)
class Star:
    """A star to be drawn: ``beta`` infinite for a Gaussian; ``flux`` in electron, ``fwhm`` in pixels."""

    x: float
    y: float
    flux: float = 1e6
    fwhm: float = 8.0
    beta: float = math.inf

    @property
    def amplitude(self) -> float:
        if math.isinf(self.beta):
            return self.flux * 4 * math.log(2) / (math.pi * self.fwhm**2)
        return self.flux * (self.beta - 1) / (math.pi * self.alpha**2)

    @property
    def alpha(self) -> float:
        return self.fwhm / (2 * math.sqrt(2 ** (1 / self.beta) - 1))

    def light(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        r2 = (x - self.x) ** 2 + (y - self.y) ** 2
        if math.isinf(self.beta):
            return self.amplitude * np.exp(-4 * math.log(2) * r2 / self.fwhm**2)
        return self.amplitude * (1 + r2 / self.alpha**2) ** -self.beta

    def energy_radius(self, fraction: float) -> float:
        """Radius that holds a fraction of all light."""
        if math.isinf(self.beta):
            return self.fwhm / 2 * math.sqrt(math.log(1 / (1 - fraction)) / math.log(2))
        return self.alpha * math.sqrt((1 - fraction) ** (1 / (1 - self.beta)) - 1)


def make_info(observation_type: str = "science", **changes: object) -> ExposureInfo:
    info = ExposureInfo(
        instrument="LATISS", telescope="Rubin Auxiliary Telescope", obs_id="AT_O_20260315_000051", day_obs=20260315,
        day_obs_offset=43200.0, seq_num=51, controller="O", exposure_id=2026031500051, detector=0, detector_name="R00_S00",
        detector_group="RXX", detector_serial="ITL-3800C-068", begin_tai="2026-03-16T02:00:00.000",
        end_tai="2026-03-16T02:00:30.000", exposure_time=30.0, exposure_time_requested=30.0, dark_time=30.2,
        observation_type=observation_type, group_counter_start=51, group_counter_end=51, tracking_frame="icrs",
        azimuth_end=120.1, elevation_end=60.1, rotator_coord="sky", location=(1819093.57, -5208411.68, -3195180.61),
        observation_reason="object", physical_filter="SDSSr_65mm~empty", band="r", disperser="empty", object="HD 1",
        program="test", group="g", ra=10.0, dec=-30.0, azimuth=120.0, elevation=60.0, airmass=1.15, rotator_angle=0.0,
        focus_z=0.0, temperature=10.0, pressure=740.0, humidity=20.0, dimm_seeing=0.8, on_sky=True, can_see_sky=True,
        vignetting=None, simulated=True,
    )  # fmt: skip
    return replace(info, **changes)  # type: ignore[arg-type]


def make_detector(shape: tuple[int, int] = (240, 320)) -> Detector:
    """A detector of two by two amplifiers: C10 C11 above, C00 C01 below."""
    ny, nx = shape
    half_y, half_x = ny // 2, nx // 2
    boxes = {
        "C10": Box(0, half_y, half_x, ny - half_y), "C11": Box(half_x, half_y, nx - half_x, ny - half_y),
        "C00": Box(0, 0, half_x, half_y), "C01": Box(half_x, 0, nx - half_x, half_y),
    }  # fmt: skip
    amplifiers = tuple(
        Amplifier(
            name, f"Segment{name[1:]}", hdu, Box(0, 0, box.width, box.height), Box(0, 0, box.width, box.height),
            Box(0, 0, 0, 0), Box(0, 0, 0, 0), flip_x=False, flip_y=False, bbox=box, gain=1.0, read_noise=8.0,
            saturation=SATURATION,
        )
        for hdu, (name, box) in enumerate(boxes.items(), start=1)
    )  # fmt: skip
    return Detector(
        "LATISS", 0, "R00_S00", "ITL-3800C-068", "ITL", nx, ny, amplifiers, 0.01, (nx / 2, ny / 2), (0.0, 0.0), 0.0,
        9.5695, parity=True,
    )  # fmt: skip


def make_sources(stars: Sequence[Star], *, saturation: float = SATURATION, sky: float = 0.0) -> Sources:
    """What a perfect detection would say of these stars, brightest first."""
    ordered = sorted(stars, key=lambda star: -star.flux)
    column = {
        name: np.array([getattr(star, name) for star in ordered], dtype=np.float64)
        for name in ("x", "y", "flux", "fwhm")
    }
    variance = (column["fwhm"] / 2.3548) ** 2
    peak = np.array([min(star.amplitude, saturation - sky) for star in ordered], dtype=np.float64)
    saturated = np.array([star.amplitude + sky >= saturation for star in ordered], dtype=np.bool_)
    return Sources(
        column["x"], column["y"], column["flux"], np.sqrt(np.abs(column["flux"])), peak, variance, variance.copy(),
        np.zeros_like(variance), saturated, ~saturated,
    )  # fmt: skip


def make_study(
    stars: Sequence[Star] = (),
    *,
    shape: tuple[int, int] = (240, 320),
    observation_type: str = "science",
    sky: float = 300.0,
    read_noise: float = 8.0,
    noise: bool = True,
    dead: Sequence[str] = (),
    seed: int = 1,
    sources: Sources | None = None,
    detector: Detector | None = None,
) -> Study:
    """Draw stars on a sky with photon and read noise [electron]; saturated pixels are cut and masked."""
    detector = detector or make_detector(shape)
    image = np.full(detector.shape, sky, dtype=np.float64)
    for star in stars:
        _add(image, star)
    if noise:
        rng = np.random.default_rng(seed)
        image += rng.standard_normal(image.shape) * np.sqrt(np.maximum(image, 0) + read_noise**2)
    mask = np.where(image >= SATURATION, np.uint16(Mask.SATURATED), np.uint16(0)).astype(np.uint16)
    image = np.minimum(image, SATURATION)
    for amplifier in detector.amplifiers:
        if amplifier.name in dead:
            image[amplifier.bbox.slices] = 0.0
            mask[amplifier.bbox.slices] |= np.uint16(Mask.BAD)
    on_sky = observation_type not in {"bias", "dark", "flat"}
    found = make_sources(stars, sky=sky) if sources is None else sources
    return Study(
        frame=_frame(detector, image.astype(np.float32), mask, observation_type, dead),
        background=_background(sky, read_noise) if on_sky else None,
        sources=found if on_sky else None,
        psf=_psf(found) if on_sky else None,
        why_not="" if on_sky else f"a {observation_type} shows no sky",
        seconds=MappingProxyType({"isr": 0.2}),
    )


def with_image(study: Study, image: NDArray[np.float32], mask: NDArray[np.uint16] | None = None) -> Study:
    """The same study of other pixels."""
    frame = study.frame
    return replace(
        study, frame=replace(frame, image=_read_only(image), mask=_read_only(frame.mask if mask is None else mask))
    )


def _add(image: NDArray[np.float64], star: Star) -> None:
    reach = math.ceil(12 * star.fwhm)
    ny, nx = image.shape
    y0, y1 = max(int(star.y) - reach, 0), min(int(star.y) + reach + 1, ny)
    x0, x1 = max(int(star.x) - reach, 0), min(int(star.x) + reach + 1, nx)
    rows, columns = np.mgrid[y0:y1, x0:x1]
    image[y0:y1, x0:x1] += star.light(columns.astype(np.float64), rows.astype(np.float64))


def _frame(
    detector: Detector, image: NDArray[np.float32], mask: NDArray[np.uint16], observation_type: str, dead: Sequence[str]
) -> Frame:
    amplifiers = tuple(_statistics(image, amplifier, amplifier.name in dead) for amplifier in detector.amplifiers)
    recipe = (Step("overscan", done=True), Step("gain", done=True), Step("flat", done=False, detail="no flat"))
    return Frame(make_info(observation_type), detector, _read_only(image), _read_only(mask), amplifiers, recipe)


def _statistics(image: NDArray[np.float32], amplifier: Amplifier, dead: bool) -> AmplifierStatistics:
    pixels = image[amplifier.bbox.slices]
    return AmplifierStatistics(
        amplifier.name, 25_000.0, 8.0, math.nan if dead else 8.0, float(np.median(pixels)), float(np.std(pixels)),
        int(np.count_nonzero(pixels >= SATURATION)), dead,
    )  # fmt: skip


def _background(sky: float, read_noise: float) -> Background:
    noise = math.sqrt(max(sky, 0) + read_noise**2)
    return Background(sky, 0.1, noise, 0.05, np.full((3, 4), sky, np.float32), 64)


def _psf(sources: Sources) -> Psf:
    if not sources.star.any():
        return Psf(math.nan, math.nan, math.nan, math.nan, 0, "no star is bright enough")
    fwhm = 2.3548 * math.sqrt(float(np.median(sources.xx[sources.star])))
    return Psf(fwhm, 0.02, 0.01, -0.02, int(sources.star.sum()), "", 1.05 * fwhm, 0.03)


def _read_only(array: NDArray[np.generic]) -> NDArray[np.generic]:  # type: ignore[type-arg]
    array = np.array(array)
    array.flags.writeable = False
    return array

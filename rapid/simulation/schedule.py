"""When each planned exposure is taken, what it is called, and where the telescope points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from rapid.errors import ConfigError
from rapid.simulation.instruments import Instrument, instrument
from rapid.simulation.plan import PlannedExposure
from rapid.simulation.projection import aim
from rapid.simulation.site import Pointing, icrs_at_hour_angle, observe, tai

__all__ = ["READOUT", "ScheduledExposure", "make_schedule"]

READOUT = timedelta(seconds=2.0)
"""From the end of an exposure until its file is complete."""

LOWEST_ELEVATION = 15.0
"""Degrees; below, the real telescope does not go."""

_GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))


@dataclass(frozen=True, slots=True)
class ScheduledExposure:
    """An exposure with its name, its times and its place.

    Attributes
    ----------
    begin, end
        UTC; shutter open to end of the integration.
    begin_tai, end_tai
        The same moments in TAI, without a zone.
    centre
        ICRS place [deg] of the target; None for calibrations.
    at_begin, at_end
        Where the telescope was told to point and says it did; None for calibrations.
    sequence_begin_tai
        TAI begin of its sequence, which names its group.
    camera
        Whose exposure it is.
    """

    plan: PlannedExposure
    day_obs: int
    seq_num: int
    begin: datetime
    end: datetime
    begin_tai: datetime
    end_tai: datetime
    sequence_begin_tai: datetime
    centre: tuple[float, float] | None
    at_begin: Pointing | None
    at_end: Pointing | None
    camera: str = "LATISS"

    @property
    def instrument(self) -> Instrument:
        """The camera."""
        return instrument(self.camera)

    @property
    def obs_id(self) -> str:
        """``AT_O_20240624_000106``."""
        return f"{self.instrument.code}_O_{self.day_obs}_{self.seq_num:06d}"

    @property
    def dark_time(self) -> float:
        """Seconds of integration, shutter open or not."""
        return (self.end - self.begin).total_seconds()

    @property
    def complete(self) -> datetime:
        """UTC time at which the file is complete."""
        return self.end + READOUT


def make_schedule(
    planned: Sequence[PlannedExposure], begin: datetime, *, first_seq_num: int = 1, camera: str = "LATISS"
) -> tuple[ScheduledExposure, ...]:
    """Lay the exposures out in time, from a UTC begin of the night.

    The first day_obs begins with `first_seq_num`; at the rollover of day_obs (12 h TAI) numbers start again at 1.

    Raises
    ------
    ConfigError
        If a target is too low when its exposure begins; the message names the sequence.
    """
    used = instrument(camera)
    spans = _spans(planned, begin, used)
    begins, ends = tai([span[0] for span in spans]), tai([span[1] for span in spans])
    scheduled: list[ScheduledExposure] = []
    places: dict[int, tuple[float, float]] = {}
    sequence_begins: dict[int, datetime] = {}
    for plan, (start, end), start_tai, end_tai in zip(planned, spans, begins, ends, strict=True):
        day_obs = int((start_tai - timedelta(hours=12)).strftime("%Y%m%d"))
        follows = bool(scheduled) and scheduled[-1].day_obs == day_obs
        rolled = bool(scheduled) and not follows
        seq_num = scheduled[-1].seq_num + 1 if follows else 1 if rolled else first_seq_num
        scheduled.append(
            ScheduledExposure(
                plan=plan,
                day_obs=day_obs,
                seq_num=seq_num,
                begin=start,
                end=end,
                begin_tai=start_tai,
                end_tai=end_tai,
                sequence_begin_tai=sequence_begins.setdefault(plan.sequence, start_tai),
                centre=_centre(plan, start, places),
                at_begin=_pointing(plan, start, places, used),
                at_end=_pointing(plan, end, places, used),
                camera=camera,
            )
        )
    return tuple(scheduled)


def _spans(planned: Sequence[PlannedExposure], begin: datetime, used: Instrument) -> list[tuple[datetime, datetime]]:
    """Begin and end of each integration (UTC), to the millisecond as the headers have it."""
    free = begin.astimezone(UTC)
    free = free.replace(microsecond=free.microsecond // 1000 * 1000)
    spans = []
    for plan in planned:
        start = free + timedelta(milliseconds=round(plan.wait * 1000))
        shut = used.clear if plan.kind in {"bias", "dark"} else used.shutter
        end = start + timedelta(milliseconds=round(plan.exposure_time * 1000)) + shut
        spans.append((start, end))
        free = end + READOUT
    return spans


def _centre(
    plan: PlannedExposure, when: datetime, places: dict[int, tuple[float, float]]
) -> tuple[float, float] | None:
    """Return the place of the target, which is decided when its sequence begins."""
    target = plan.target
    if target is None:
        return None
    if plan.sequence not in places:
        fixed = target.ra is not None
        places[plan.sequence] = (
            (target.ra or 0.0, target.dec) if fixed else icrs_at_hour_angle(target.hour_angle or 0.0, target.dec, when)
        )
    return places[plan.sequence]


def _pointing(
    plan: PlannedExposure, when: datetime, places: dict[int, tuple[float, float]], used: Instrument
) -> Pointing | None:
    target, centre = plan.target, places.get(plan.sequence)
    if target is None or centre is None:
        return None
    if target.pixel is not None:
        centre = aim(used.middle_detector, *centre, pixel=target.pixel, rotator=target.rotator)
    pointing = observe(*_dithered(*centre, plan), when)
    if pointing.elevation < LOWEST_ELEVATION:
        msg = (
            f"sequences[{plan.sequence}].target: {target.name} is at elevation {pointing.elevation:.1f} deg at "
            f"{when:%Y-%m-%dT%H:%M} UTC; expected at least {LOWEST_ELEVATION:.0f} deg"
        )
        raise ConfigError(msg)
    return pointing


def _dithered(ra: float, dec: float, plan: PlannedExposure) -> tuple[float, float]:
    """Step outwards on a sunflower spiral, so that no two exposures of a sequence fall on the same pixels."""
    if plan.dither == 0.0 or plan.place == 1:
        return ra, dec
    radius = plan.dither / 3600.0 * np.sqrt((plan.place - 1) / max(plan.of - 1, 1))
    angle = _GOLDEN_ANGLE * plan.place
    north = dec + radius * np.sin(angle)
    east = ra + radius * np.cos(angle) / np.cos(np.radians(dec))
    return float(east % 360.0), float(north)

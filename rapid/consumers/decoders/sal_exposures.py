"""The events of a camera: how far an exposure is, and which detectors it will have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rapid.consumers.decoders import sal_models as sal
from rapid.consumers.decoders.message import Receipt
from rapid.consumers.decoders.sal_lists import split_list
from rapid.consumers.decoders.sensors import sensors_of_places
from rapid.errors import BadMessage
from rapid.events import Event, ExpectedSensors, ExposureName, ExposureSeen, Ignored, Stage, Why, exposure_name

__all__ = ["decode_expectation", "decode_image", "decode_stored", "image_named"]

_ORIGIN = "imageReadoutParameters"


def image_named(obs_id: str) -> ExposureName:
    """Read the name of an image.

    Raises
    ------
    BadMessage
        If it is not one of the observatory's.
    """
    name = exposure_name(obs_id)
    if name is None:
        raise BadMessage(
            "not the name of an exposure", subject="imageName", expected="MC_O_20260112_000123", found=repr(obs_id[:60])
        )
    return name


def decode_stored(event: sal.ImageStored, receipt: Receipt) -> Event:
    """Say that the camera wrote the files."""
    name = image_named(event.image_name)
    return ExposureSeen(name, Stage.STORED, event.timestamp_image_stored, event.sent_at, receipt.source)


def decode_image(event: sal.Image, receipt: Receipt) -> Event:
    """Say how far the exposure is, with all that the camera tells of it.

    Raises
    ------
    BadMessage
        If the image has no name of ours.
    """
    keywords = _keywords(event)
    stage, at = _stage(event)
    return ExposureSeen(
        name=image_named(event.image_name),
        stage=stage,
        at=at,
        sent_at=event.sent_at,
        source=receipt.source,
        exposure_time=_exposure_time(event),
        image_type=keywords.get("imageType", ""),
        group=keywords.get("groupId", ""),
        reason=keywords.get("reason", ""),
        program=keywords.get("program", ""),
        index=event.image_index,
        of=event.images_in_sequence,
        dark_time=event.dark_time if isinstance(event, sal.EndOfImageTelemetry) else None,
        began_at=event.timestamp_date_obs if isinstance(event, sal.EndOfImageTelemetry) else None,
        ended_at=event.timestamp_date_end if isinstance(event, sal.EndOfImageTelemetry) else None,
        keywords=tuple(keywords.items()),
    )


def decode_expectation(event: sal.ImageReadoutParameters, receipt: Receipt) -> Event | Ignored:
    """Say which detectors will come; an event that names no CCD is passed over.

    Raises
    ------
    BadMessage
        If the image has no name of ours, or a place is that of no CCD.
    """
    name = image_named(event.image_name)
    places = split_list(event.ccd_location) or _places(event)
    if not places:
        return receipt.ignore(Why.EVENT, f"{_ORIGIN} of {name.obs_id} without CCDs")
    return ExpectedSensors(name, sensors_of_places(places), _ORIGIN, receipt.source)


def _places(event: sal.ImageReadoutParameters) -> tuple[str, ...]:
    rafts, slots = split_list(event.raft_bay), split_list(event.ccd_slot)
    if len(rafts) != len(slots):
        raise BadMessage("as many rafts as slots are needed", expected=f"{len(rafts)} slots", found=str(len(slots)))
    return tuple(f"{raft}{slot}" for raft, slot in zip(rafts, slots, strict=True))


def _keywords(event: sal.Image) -> Mapping[str, str]:
    """Pair keys with values; nothing where their numbers differ, since then nothing tells which belongs to which."""
    keys, values = split_list(event.additional_keys), split_list(event.additional_values)
    return dict(zip(keys, values, strict=True)) if len(keys) == len(values) else {}


def _stage(event: sal.Image) -> tuple[Stage, datetime | None]:
    match event:
        case sal.StartIntegration():
            return Stage.STARTED, event.timestamp_acquisition_start
        case sal.StartReadout():
            return Stage.READING, event.timestamp_start_of_readout
        case sal.EndReadout():
            return Stage.READ_OUT, event.timestamp_end_of_readout
        case sal.EndOfImageTelemetry():
            return Stage.DESCRIBED, event.sent_at
    raise AssertionError(type(event))


def _exposure_time(event: sal.Image) -> float | None:
    """Asked for; measured once the shutter has closed, unless it never opened."""
    match event:
        case sal.EndOfImageTelemetry():
            return event.measured_shutter_open_time or event.exposure_time
        case sal.EndReadout():
            return event.requested_exposure_time
        case sal.StartIntegration() | sal.StartReadout():
            return event.exposure_time
    return None

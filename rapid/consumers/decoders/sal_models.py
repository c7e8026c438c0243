"""The SAL events that are listened to, with the fields that are used of each.

Source: ts_xml, ``data/sal_interfaces`` (2026). A field has a default wherever SAL's schema has one and the event says
something without it. Unknown fields pass, as SAL adds some every few months.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import from_json

from rapid.consumers.decoders.documents import Count, Number, SalDocument, Seconds, Text
from rapid.consumers.decoders.times import TaiStamp

__all__ = [
    "EndOfImageTelemetry",
    "EndReadout",
    "FileTransferPerImageSummary",
    "FitsFilesWritten",
    "Image",
    "ImageInOods",
    "ImageReadoutParameters",
    "ImageStored",
    "JobResult",
    "LargeFileObjectAvailable",
    "NextVisitCanceledEvent",
    "NextVisitEvent",
    "SalEvent",
    "StartIntegration",
    "StartReadout",
]


class SalEvent(SalDocument):
    """What every event has."""

    sent_at: TaiStamp = Field(None, alias="private_sndStamp")


class ImageStored(SalEvent):
    """The camera wrote the files of an image (ATCamera, CCCamera)."""

    image_name: Text
    timestamp_image_stored: TaiStamp = None


class Image(SalEvent):
    """What the events of an image have in common."""

    image_name: Text
    additional_keys: Text = ""
    additional_values: Text = ""
    images_in_sequence: Count = 0
    image_index: Count = 0


class StartIntegration(Image):
    """The exposure begins."""

    timestamp_acquisition_start: TaiStamp = None
    exposure_time: Seconds = 0.0


class StartReadout(Image):
    """The readout begins."""

    timestamp_start_of_readout: TaiStamp = None
    exposure_time: Seconds = 0.0


class EndReadout(Image):
    """The readout has ended."""

    timestamp_end_of_readout: TaiStamp = None
    requested_exposure_time: Seconds = 0.0


class EndOfImageTelemetry(Image):
    """The measured times of the exposure are known."""

    exposure_time: Seconds = 0.0
    timestamp_date_obs: TaiStamp = None
    timestamp_date_end: TaiStamp = None
    measured_shutter_open_time: Seconds = 0.0
    dark_time: Number = 0.0


class ImageReadoutParameters(SalEvent):
    """Which CCDs are read out."""

    image_name: Text
    ccd_location: Text = ""
    raft_bay: Text = ""
    ccd_slot: Text = ""


class ImageInOods(SalEvent):
    """The observatory's ingest took a file, or failed to."""

    camera: Text = ""
    obsid: Text
    raft: Text = ""
    sensor: Text = ""
    status_code: int
    description: Text = ""


class FitsFilesWritten(SalEvent):
    """The camera wrote these files on its own disk."""

    image_name: Text
    timestamp_files_written: TaiStamp = None
    relative_file_names: Text = ""


class LargeFileObjectAvailable(SalEvent):
    """Something large was put into the observatory's large file annex."""

    url: Text
    generator: Text = ""
    byte_size: Count = 0
    check_sum: Text = ""
    mime_type: Text = ""
    id: Text = ""


class FileTransferPerImageSummary(SalEvent):
    """How many files of an image reached a site."""

    site: Text = ""
    obs_id: Text
    expected: Count = 0
    written: Count = 0
    transferred_after_resend: Count = 0
    missing_after_resend: Count = 0


class JobResult(SalEvent):
    """A job of the OCS-controlled pipeline system ended."""

    job_id: Text = Field(alias="job_id")
    exit_code: int = Field(0, alias="exit_code", ge=-(1 << 31), lt=1 << 31)
    result: Text = ""


def _from_text(position: object) -> object:
    """Read a position that was written as text, as it is in the copy that goes over Redis."""
    if not isinstance(position, str):
        return position
    return from_json(position, allow_inf_nan=False)


class NextVisitEvent(SalEvent):
    """A visit is about to begin; the copies that are made for each detector have ``detector`` and fewer stamps."""

    script_sal_index: int = Field(ge=-(1 << 31), lt=1 << 31)
    group_id: Text
    coordinate_system: Literal[0, 1, 2, 3, 4] = 0
    position: Annotated[tuple[Number, ...], BeforeValidator(_from_text), Field(max_length=2, strict=False)] = ()
    start_time: TaiStamp = None
    camera_angle: Number = 0.0
    filters: Text = ""
    duration: Number = 0.0
    nimages: Count = 0
    instrument: Text = ""
    survey: Text = ""
    detector: Count | None = None


class NextVisitCanceledEvent(SalEvent):
    """A visit that was announced will not be."""

    script_sal_index: int = Field(ge=-(1 << 31), lt=1 << 31)
    group_id: Text

"""What is said of an exposure, a visit or a product, apart from its files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rapid.events.keys import ExposureName

__all__ = [
    "ExpectedSensors",
    "ExpectedSensorsWritten",
    "ExposureSeen",
    "FileIngested",
    "FilesWritten",
    "JobEnded",
    "LargeFileWritten",
    "NextVisit",
    "NextVisitCanceled",
    "ServiceStatus",
    "Stage",
    "TransferSummary",
]


class Stage(StrEnum):
    """How far an exposure is; the camera says so in this order, the bus may not."""

    STARTED = "started"
    """The shutter opens, or would (SAL ``startIntegration``)."""
    READING = "reading"
    """The readout begins (``startReadout``)."""
    READ_OUT = "read out"
    """All of it is in the camera's store (``endReadout``); no file can be read yet."""
    DESCRIBED = "described"
    """The measured times are known (``endOfImageTelemetry``)."""
    STORED = "stored"
    """The camera wrote its files (``imageStored``)."""
    AVAILABLE = "available"
    """The files can be read (our own contract)."""


@dataclass(frozen=True, slots=True)
class ExposureSeen:
    """An exposure exists, and is so far.

    Attributes
    ----------
    name
        Which exposure.
    stage
        How far it is.
    at
        When it came so far, UTC; None when the sender did not say.
    sent_at
        When this was sent, UTC; None when the sender did not say.
    source
        Who said so.
    exposure_time
        Asked for, or measured when the shutter has closed [s].
    image_type, group, reason, program
        As the observer gave them; empty when not said.
    index, of
        Which image of a sequence this is, from 1 on, and how many there are; 0 when not said.
    dark_time
        From the clear to the readout [s].
    began_at, ended_at
        The exposure as measured, UTC.
    expected
        How many files there will be.
    keywords
        Everything else the sender attached, as pairs. Empty where it gave another number of keys than of values, since
        then nothing tells which belongs to which.
    """

    name: ExposureName
    stage: Stage
    at: datetime | None
    sent_at: datetime | None
    source: str
    exposure_time: float | None = None
    image_type: str = ""
    group: str = ""
    reason: str = ""
    program: str = ""
    index: int = 0
    of: int = 0
    dark_time: float | None = None
    began_at: datetime | None = None
    ended_at: datetime | None = None
    expected: int | None = None
    keywords: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectedSensors:
    """Which detectors of an exposure will have a file: pairs of ``R22_S11`` and ``science``, ``guider`` ..., sorted.

    ``origin`` is the document or event that says so.
    """

    name: ExposureName
    sensors: tuple[tuple[str, str], ...]
    origin: str
    source: str

    @property
    def detector_names(self) -> tuple[str, ...]:
        """The detectors, sorted."""
        return tuple(detector for detector, _ in self.sensors)


@dataclass(frozen=True, slots=True)
class ExpectedSensorsWritten:
    """The list of the detectors of an exposure can be read at this key of the archive."""

    name: ExposureName
    key: str
    content: str
    seen_at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class FileIngested:
    """The observatory's own ingest took a file, or failed to.

    ``status`` is 0 when it was taken, 1 when the ingest failed, 2 when its metadata could not be read; then ``name`` may be
    None and ``detector_name`` empty, since nothing is known of the file.
    """

    name: ExposureName | None
    detector_name: str
    status: int
    description: str
    sent_at: datetime | None
    source: str


@dataclass(frozen=True, slots=True)
class FilesWritten:
    """The camera wrote these files on a disk of its own."""

    name: ExposureName
    files: tuple[str, ...]
    at: datetime | None
    source: str


@dataclass(frozen=True, slots=True)
class LargeFileWritten:
    """Something other than a raw was stored: a header, a report; ``size`` [bytes]."""

    generator: str
    url: str
    size: int
    checksum: str
    media_type: str
    of: str
    sent_at: datetime | None
    source: str


@dataclass(frozen=True, slots=True)
class TransferSummary:
    """How many files of an exposure reached another site; sent again when more did."""

    name: ExposureName
    site: str
    expected: int
    written: int
    transferred: int
    missing: int
    sent_at: datetime | None
    source: str


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A pipeline job of the observatory ended: ``exit_code`` 0 is well; ``result`` is its JSON, as text."""

    job_id: str
    exit_code: int
    result: str
    sent_at: datetime | None
    source: str


@dataclass(frozen=True, slots=True)
class NextVisit:
    """A visit is about to begin: an early warning, nothing more.

    Attributes
    ----------
    group
        What the exposures of the visit will have in common.
    position
        Azimuth and elevation, or right ascension and declination [deg], as ``coordinate_system`` says (1 none, 2 ICRS,
        3 observed, 4 mount; ts_xml, ScriptQueue).
    starts_at
        When, UTC.
    duration
        How long [s].
    images
        How many exposures; 0 is not known.
    detector
        The one detector this copy was made for, by number; None for the visit itself.
    """

    instrument: str
    group: str
    filters: str
    survey: str
    coordinate_system: int
    position: tuple[float, ...]
    camera_angle: float
    starts_at: datetime | None
    duration: float
    images: int
    script: int
    detector: int | None
    sent_at: datetime | None
    source: str


@dataclass(frozen=True, slots=True)
class NextVisitCanceled:
    """A visit that was announced will not be."""

    group: str
    script: int
    sent_at: datetime | None
    source: str


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A service on the bus says how it is, or its broker says that it was lost."""

    service: str
    state: str
    since: datetime | None
    source: str

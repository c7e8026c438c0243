"""SAL events: what the components of the observatory say, whether they came as Avro or as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from rapid.consumers.decoders import sal_models as sal
from rapid.consumers.decoders.documents import validated
from rapid.consumers.decoders.message import Receipt
from rapid.consumers.decoders.sal_exposures import decode_expectation, decode_image, decode_stored, image_named
from rapid.consumers.decoders.sal_lists import split_list
from rapid.errors import BadMessage
from rapid.events import (
    Event,
    FileIngested,
    FilesWritten,
    Ignored,
    JobEnded,
    LargeFileWritten,
    NextVisit,
    NextVisitCanceled,
    TransferSummary,
    Why,
    exposure_name,
)

__all__ = ["SalTopic", "decode_sal", "decode_visit", "is_heard", "is_visit_copy", "sal_topic"]

_EventT = TypeVar("_EventT", bound=sal.SalEvent)
_Maker = Callable[[_EventT, Receipt], Event | Ignored]

_TOPIC = re.compile(
    r"(?:^|[./])lsst(?:"
    r"\.[^./]+\.(?P<component>[A-Z]\w*)\.(?P<name>\w+)"
    r"|/[^/]+/(?P<level>[A-Z]\w*)/(?P<leaf>(?:logevent|command)_\w+)"
    r")\Z",
    re.ASCII,
)
_PREFIX = "logevent_"
_CAMERAS = frozenset({"ATCamera", "CCCamera", "MTCamera"})
_OODS = frozenset({"ATOODS", "CCOODS", "MTOODS", "WFOODS"})


class SalTopic(NamedTuple):
    """Component and name of what is published on a topic: ``MTCamera``, ``logevent_endReadout``."""

    component: str
    name: str

    def __str__(self) -> str:
        return f"{self.component}.{self.name}"


def sal_topic(topic: str) -> SalTopic | None:
    """Read ``lsst.sal.MTCamera.logevent_endReadout``, also at the end of an MQTT topic and with slashes; None for others.

    The second part is ``sal`` in production and something else at a test stand. Topics of object stores (``lsst.s3...``) are
    no SAL topics.
    """
    match = _TOPIC.search(topic)
    if match is None:
        return None
    return SalTopic(match["component"] or match["level"], match["name"] or match["leaf"])


def decode_sal(topic: SalTopic, fields: Mapping[str, object], receipt: Receipt) -> Event | Ignored:
    """Decode the fields of an event.

    Raises
    ------
    BadMessage
        If a field that is needed is missing or has an impossible value.
    """
    known = _find(topic)
    return known.decode(fields, receipt, str(topic)) if known else receipt.ignore(Why.EVENT, str(topic))


def is_heard(topic: SalTopic) -> bool:
    """Tell whether anybody here listens to what is published on a topic."""
    return _find(topic) is not None


def is_visit_copy(fields: Mapping[str, object]) -> bool:
    """Tell whether a document is the copy of a visit that was made for one detector."""
    return fields.keys() >= {"scriptSalIndex", "groupId", "instrument", "detector"}


def decode_visit(fields: Mapping[str, object], receipt: Receipt) -> Event | Ignored:
    """Decode the copy of a visit that was made for one detector (next_visit_fan_out).

    Raises
    ------
    BadMessage
        As `decode_sal`.
    """
    return _KNOWN["nextVisit"].decode(fields, receipt, "nextVisit")


class _Known(NamedTuple):
    """How an event is read, and which components send it; no components is any."""

    components: frozenset[str]
    decode: Callable[[Mapping[str, object], Receipt, str], Event | Ignored]


def _find(topic: SalTopic) -> _Known | None:
    known = _KNOWN.get(topic.name.removeprefix(_PREFIX))
    if known is None or not topic.name.startswith(_PREFIX):
        return None
    return known if not known.components or topic.component in known.components else None


def _known(components: frozenset[str], model: type[_EventT], make: _Maker[_EventT]) -> _Known:
    def decode(fields: Mapping[str, object], receipt: Receipt, what: str) -> Event | Ignored:
        return make(validated(model, fields, what=what), receipt)

    return _Known(components, decode)


def _ingested(event: sal.ImageInOods, receipt: Receipt) -> Event | Ignored:
    name = exposure_name(event.obsid)
    if name is None and event.status_code == 0:
        return receipt.ignore(Why.INSTRUMENT, event.obsid)
    detector = f"{event.raft}_{event.sensor}" if name else ""
    return FileIngested(name, detector, event.status_code, event.description, event.sent_at, receipt.source)


def _written(event: sal.FitsFilesWritten, receipt: Receipt) -> Event:
    files = split_list(event.relative_file_names)
    return FilesWritten(image_named(event.image_name), files, event.timestamp_files_written, receipt.source)


def _annexed(event: sal.LargeFileObjectAvailable, receipt: Receipt) -> Event:
    return LargeFileWritten(
        generator=event.generator,
        url=event.url,
        size=event.byte_size,
        checksum=event.check_sum,
        media_type=event.mime_type,
        of=event.id,
        sent_at=event.sent_at,
        source=receipt.source,
    )


def _transferred(event: sal.FileTransferPerImageSummary, receipt: Receipt) -> Event:
    return TransferSummary(
        name=image_named(event.obs_id),
        site=event.site,
        expected=event.expected,
        written=event.written,
        transferred=event.transferred_after_resend,
        missing=event.missing_after_resend,
        sent_at=event.sent_at,
        source=receipt.source,
    )


def _ended(event: sal.JobResult, receipt: Receipt) -> Event:
    return JobEnded(event.job_id, event.exit_code, event.result, event.sent_at, receipt.source)


def _visit(event: sal.NextVisitEvent, receipt: Receipt) -> Event | Ignored:
    if not event.instrument:  # the script queue announces more than observations
        return receipt.ignore(Why.INSTRUMENT, event.group_id)
    return NextVisit(
        instrument=event.instrument,
        group=event.group_id,
        filters=event.filters,
        survey=event.survey,
        coordinate_system=event.coordinate_system,
        position=event.position,
        camera_angle=event.camera_angle,
        starts_at=event.start_time,
        duration=event.duration,
        images=event.nimages,
        script=event.script_sal_index,
        detector=event.detector,
        sent_at=event.sent_at,
        source=receipt.source,
    )


def _canceled(event: sal.NextVisitCanceledEvent, receipt: Receipt) -> Event:
    if not event.group_id:
        raise BadMessage("a canceled visit without its group", subject="groupId")
    return NextVisitCanceled(event.group_id, event.script_sal_index, event.sent_at, receipt.source)


_SCRIPTS = frozenset({"ScriptQueue"})
_KNOWN: Mapping[str, _Known] = {
    "startIntegration": _known(_CAMERAS, sal.StartIntegration, decode_image),
    "startReadout": _known(_CAMERAS, sal.StartReadout, decode_image),
    "endReadout": _known(_CAMERAS, sal.EndReadout, decode_image),
    "endOfImageTelemetry": _known(_CAMERAS, sal.EndOfImageTelemetry, decode_image),
    "imageStored": _known(_CAMERAS, sal.ImageStored, decode_stored),
    "imageReadoutParameters": _known(_CAMERAS, sal.ImageReadoutParameters, decode_expectation),
    "fitsFilesWritten": _known(_CAMERAS, sal.FitsFilesWritten, _written),
    "fileTransferPerImageSummary": _known(_CAMERAS, sal.FileTransferPerImageSummary, _transferred),
    "imageInOODS": _known(_OODS, sal.ImageInOods, _ingested),
    "largeFileObjectAvailable": _known(frozenset(), sal.LargeFileObjectAvailable, _annexed),
    "nextVisit": _known(_SCRIPTS, sal.NextVisitEvent, _visit),
    "nextVisitCanceled": _known(_SCRIPTS, sal.NextVisitCanceledEvent, _canceled),
    "job_result": _known(frozenset({"OCPS"}), sal.JobResult, _ended),
}

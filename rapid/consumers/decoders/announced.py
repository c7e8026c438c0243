"""Messages of our own contract, as values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rapid.consumers.decoders.archive import split_uri
from rapid.consumers.decoders.contract import (
    CONTRACT,
    ExposureAvailable,
    ExposureFile,
    ExposureMessage,
    ExposureReadout,
    ExposureStarted,
    ServiceStatusMessage,
)
from rapid.consumers.decoders.documents import validated
from rapid.consumers.decoders.message import Receipt
from rapid.consumers.decoders.s3 import arrival_of
from rapid.consumers.decoders.times import utc_of_tai
from rapid.errors import BadMessage
from rapid.events import (
    Event,
    ExposureName,
    ExposureSeen,
    Ignored,
    ServiceStatus,
    Stage,
    Why,
    check_key,
    exposure_name,
    name_facts,
)

__all__ = ["decode_announced", "is_latest"]


def is_latest(topic: str) -> bool:
    """Tell whether a topic is the retained one for newcomers."""
    return topic.endswith("/exposure/latest")


def decode_announced(fields: Mapping[str, object], receipt: Receipt) -> Event | Ignored:
    """Decode a document that names its schema.

    Raises
    ------
    BadMessage
        If a field is missing or impossible, or contradicts another.
    BadName
        If its file has a key that may not be used.
    """
    schema = fields.get("schema")
    model = CONTRACT.get(schema) if isinstance(schema, str) else None
    if model is None:
        return receipt.ignore(Why.EVENT, f"schema {schema!r}"[:80])
    match validated(model, fields, what=f"{schema} message"):
        case ExposureFile() as file:
            return _file(file, receipt)
        case ServiceStatusMessage() as status:
            return ServiceStatus(_service(receipt.message.topic), status.state, status.since_utc, receipt.source)
        case ExposureStarted() | ExposureReadout() | ExposureAvailable() as exposure:
            return _exposure(exposure, receipt)
    raise AssertionError(model)


def _file(file: ExposureFile, receipt: Receipt) -> Event | Ignored:
    bucket, name = split_uri(file.uri)
    key = receipt.archive.key_of(bucket, name)
    if key is None:
        return receipt.ignore(Why.ARCHIVE, file.uri)
    facts = name_facts(check_key(key))
    if facts is not None and (facts.obs_id, facts.detector_name) != (file.obs_id, file.detector):
        raise BadMessage(
            "the file is that of another exposure or detector",
            subject=file.id,
            expected=f"{file.obs_id} {file.detector}",
            found=f"{facts.obs_id} {facts.detector_name}",
        )
    sent = file.sent_utc.isoformat() if file.sent_utc else ""
    return arrival_of(key, receipt, etag=file.etag, size=file.size, written_at=file.sent_utc, otherwise=sent)


def _exposure(said: ExposureStarted | ExposureReadout | ExposureAvailable, receipt: Receipt) -> Event | Ignored:
    name = exposure_name(said.obs_id)
    if name is None:
        return receipt.ignore(Why.INSTRUMENT, said.obs_id)
    _agree(said, name)
    stage, stamp = _stage(said)
    return ExposureSeen(
        name=name,
        stage=stage,
        at=None if stamp is None else _utc(stamp),
        sent_at=said.sent_utc,
        source=receipt.source,
        exposure_time=said.exposure_time,
        image_type=said.image_type,
        group=said.group,
        reason=said.reason,
        program=said.program,
        expected=said.expected if isinstance(said, ExposureAvailable) else None,
    )


def _stage(said: ExposureStarted | ExposureReadout | ExposureAvailable) -> tuple[Stage, float | None]:
    """Tell how far the exposure is, and since when [TAI s]; nobody says since when its files can be read."""
    match said:
        case ExposureStarted():
            return Stage.STARTED, said.t_start_tai
        case ExposureReadout():
            return Stage.READ_OUT, said.t_end_readout_tai
    return Stage.AVAILABLE, None


def _utc(stamp: float) -> datetime | None:
    try:
        return utc_of_tai(stamp)
    except ValueError as error:
        raise BadMessage("not a time", found=str(error)) from error


def _agree(said: ExposureMessage, name: ExposureName) -> None:
    """Hold what the message says against what the name of its exposure says.

    Raises
    ------
    BadMessage
        If they contradict each other.
    """
    claims = (
        ("instrument", said.instrument, name.instrument),
        ("day_obs", said.day_obs, name.day_obs),
        ("seq_num", said.seq_num, name.seq_num),
        ("controller", said.controller or None, name.controller),
    )
    for field, found, expected in claims:
        if found is not None and found != expected:
            raise BadMessage(
                f"{field} contradicts the name of the exposure",
                subject=name.obs_id,
                expected=str(expected),
                found=str(found),
            )


def _service(topic: str) -> str:
    """Name the service by its topic: the level before ``status``."""
    levels = topic.split("/")
    return levels[-2] if len(levels) > 1 and levels[-1] == "status" else topic

"""Our own JSON contract: what may be announced to rapid, over MQTT or any other bus, without being the observatory.

``docs/schemas`` holds it as JSON Schema, made from these models. A message names its schema and version; unknown fields
pass, another version is another schema. It carries a link and never pixels. Topics below a root that the site chooses::

    {root}/{instrument}/exposure/started|readout|available/{obs_id}     not retained
    {root}/{instrument}/file/{obs_id}/{detector}                        not retained
    {root}/{instrument}/exposure/latest                                 retained: for newcomers, never work
    {root}/service/{name}/status                                        retained, with a last will
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from rapid.consumers.decoders.documents import Count, Document, Seconds
from rapid.consumers.decoders.times import IsoTime

__all__ = [
    "CONTRACT",
    "ExposureAvailable",
    "ExposureFile",
    "ExposureMessage",
    "ExposureReadout",
    "ExposureStarted",
    "ServiceStatusMessage",
    "json_schemas",
]

_Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
_Short = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f]*$")]
_Tai = Annotated[float, Field(allow_inf_nan=False, ge=0)]


class ExposureMessage(Document):
    """What every message about an exposure has."""

    id: _Short = Field(description="The same for the same announcement, however often it is sent.")
    instrument: _Name = Field(description="LATISS, LSSTComCam, LSSTCam ...")
    obs_id: _Name = Field(description="The exposure, as MC_O_20260112_000123.")
    day_obs: int | None = Field(None, description="Observing day YYYYMMDD, which rolls over at UTC-12 h.")
    seq_num: Count | None = Field(None, description="Number of the exposure in its day.")
    controller: _Short = Field("", description="Who ordered it: O for the observatory's sequencer.")
    image_type: _Short = Field("", description="OBJECT, BIAS, DARK, FLAT ...")
    group: _Short = Field("", description="What the exposures of a visit have in common.")
    reason: _Short = Field("", description="Why it is taken.")
    program: _Short = Field("", description="For whom it is taken.")
    exposure_time: Seconds | None = Field(None, description="Seconds.")
    sent_utc: IsoTime | None = Field(None, description="When this was sent, ISO 8601, UTC unless it says otherwise.")


class ExposureStarted(ExposureMessage):
    """An exposure begins. Topic ``{root}/{instrument}/exposure/started/{obs_id}``."""

    schema_name: Literal["exposure.started/1"] = Field(alias="schema")
    t_start_tai: _Tai | None = Field(None, description="When the exposure began, TAI seconds since 1970.")


class ExposureReadout(ExposureMessage):
    """An exposure is read out; no file can be read yet. Topic ``{root}/{instrument}/exposure/readout/{obs_id}``."""

    schema_name: Literal["exposure.readout/1"] = Field(alias="schema")
    t_end_readout_tai: _Tai | None = Field(None, description="When the readout ended, TAI seconds since 1970.")


class ExposureAvailable(ExposureMessage):
    """The files of an exposure can be read. Topic ``{root}/{instrument}/exposure/available/{obs_id}``."""

    schema_name: Literal["exposure.available/1"] = Field(alias="schema")
    t_end_readout_tai: _Tai | None = Field(None, description="When the readout ended, TAI seconds since 1970.")
    uri_prefix: _Short = Field("", description="Where its files lie, as s3://bucket/prefix/.")
    expected: Count | None = Field(None, description="How many files there will be.")


class ExposureFile(Document):
    """One file of an exposure can be read. Topic ``{root}/{instrument}/file/{obs_id}/{detector}``."""

    schema_name: Literal["exposure.file/1"] = Field(alias="schema")
    id: _Short = Field(description="The same for the same content of the same file, however often it is sent.")
    instrument: _Name = Field(description="LATISS, LSSTComCam, LSSTCam ...")
    obs_id: _Name = Field(description="The exposure, as MC_O_20260112_000123.")
    detector: _Name = Field(description="The detector, as R22_S11.")
    kind: Literal["science", "wavefront", "guider"] = Field("science", description="What the file is.")
    uri: Annotated[str, StringConstraints(min_length=1, max_length=2048)] = Field(
        description="s3://bucket/key, file:///path, or a key of the archive."
    )
    size: Count = Field(description="Bytes.")
    etag: _Short = Field("", description="The store's tag of this content, without quotes.")
    sent_utc: IsoTime | None = Field(None, description="When this was sent, ISO 8601, UTC unless it says otherwise.")


class ServiceStatusMessage(Document):
    """How a service is; retained. Topic ``{root}/service/{name}/status``."""

    schema_name: Literal["service.status/1"] = Field(alias="schema")
    state: Literal["online", "offline", "lost"] = Field(description="lost is what the last will says.")
    host: _Short = Field("", description="Where it runs.")
    pid: Count | None = Field(None, description="Its process.")
    since_utc: IsoTime | None = Field(None, description="Since when, ISO 8601, UTC unless it says otherwise.")
    version: _Short = Field("", description="Of the service.")


CONTRACT: Mapping[
    str, type[ExposureStarted | ExposureReadout | ExposureAvailable | ExposureFile | ServiceStatusMessage]
] = {
    "exposure.started/1": ExposureStarted,
    "exposure.readout/1": ExposureReadout,
    "exposure.available/1": ExposureAvailable,
    "exposure.file/1": ExposureFile,
    "service.status/1": ServiceStatusMessage,
}
"""The models by the name of their schema."""


def json_schemas() -> dict[str, dict[str, object]]:
    """Write the contract as JSON Schema (draft 2020-12), by file name: ``exposure.file-1.json``."""
    found = {}
    for name, model in CONTRACT.items():
        head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:rapid:schema:{name}"}
        found[f"{name.replace('/', '-')}.json"] = head | model.model_json_schema(by_alias=True)
    return found

"""The contract of what rapid tells: results, alerts and verdicts. ``docs/schemas`` holds it as JSON Schema.

A message names its schema and version; a reader lets unknown fields pass, and what would break one is another version. It
may come more than once: its ``id`` is then the same, and so is every other byte of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "CONTRACT",
    "Alert",
    "ExposureResult",
    "Judgement",
    "Metric",
    "PictureLink",
    "Standing",
    "Verdict",
    "json_schemas",
]

_Finite = Annotated[float, Field(allow_inf_nan=False)]
Value = bool | int | _Finite | str | None
Standing = Literal["PASS", "WARN", "FAIL", "INCONCLUSIVE", "WAIVED"]
"""What is said of a calibration; missing data is never a pass."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Metric(_Message):
    """One measured or derived value."""

    value: Value = Field(description="Null when it could not be had; then `reason` says why.")
    unit: str = Field("", description="As astropy.units reads it; empty for a number without one, and for a word.")
    uncertainty: _Finite | None = Field(None, description="One standard deviation, in `unit`.")
    quality: Literal["good", "suspect", "missing"] = Field(description="How far it may be trusted.")
    reason: str = Field("", description="Why it is missing or suspect.")


class PictureLink(_Message):
    """Where a picture is."""

    url: str = Field(description="In the gallery, for whoever may read that: s3://bucket/prefix/key, file:///path.")
    page: str = Field("", description="Over HTTP, from the display.")


class ExposureResult(_Message):
    """What was found in one detector of an exposure, or that nothing could be.

    Topic ``{root}/{instrument}/result/{obs_id}/{detector}``, and retained ``{root}/{instrument}/result/latest``; on Kafka
    the key is the exposure.
    """

    schema_name: Literal["exposure.result/1"] = Field("exposure.result/1", alias="schema")
    id: str = Field(description="The same for the same result, however often it is sent.")
    sequence: int = Field(description="Grows with every change of any result: of two, the greater is the newer.")
    at_utc: datetime = Field(description="Since when it stands, UTC.")
    service: str = Field(description="Who says so.")
    instrument: str = Field(description="LATISS, LSSTComCam, LSSTCam ...")
    camera: str = Field(description="The page it is shown on: auxtel, comcam, lsstcam ...")
    obs_id: str = Field(description="The exposure, as MC_O_20260112_000123.")
    day_obs: int = Field(description="Observing day YYYYMMDD, which rolls over at UTC-12 h.")
    seq_num: int = Field(description="Number of the exposure in its day.")
    detector: str = Field(description="The detector, as R22_S11.")
    state: Literal["done", "failed"] = Field(description="failed: given up; what is there is of an earlier revision.")
    revision: int = Field(description="Counts the results of this detector; 0 while there is none.")
    error: str = Field("", description="Why it was given up.")
    metrics: dict[str, Metric] = Field(default_factory=dict, description="By name.")
    pictures: dict[str, PictureLink] = Field(default_factory=dict, description="By channel.")
    failures: dict[str, str] = Field(default_factory=dict, description="Analyses that failed, and what they said.")
    page: str = Field("", description="Where people look at it.")


class Alert(_Message):
    """Something that a person may have to look at. Topic ``{root}/service/{service}/alert/{kind}``."""

    schema_name: Literal["service.alert/1"] = Field("service.alert/1", alias="schema")
    id: str = Field(description="The same for the same alert, however often it is sent.")
    at_utc: datetime = Field(description="Since when, UTC.")
    service: str = Field(description="Who says so.")
    kind: Literal["exposure.failed", "message.rejected", "camera.silent", "component.failing"] = Field(
        description="exposure.failed: a file was given up. message.rejected: an announcement cannot be used. "
        "camera.silent: nothing more comes. component.failing: the service misses something it needs."
    )
    state: Literal["raised", "cleared"] = Field("raised", description="cleared: it is over; `about` tells which alert.")
    severity: Literal["warning", "error"] = Field("error", description="error: something is lost or does not work.")
    subject: str = Field(description="What it is about: a key, a place on the bus, a camera, a component.")
    reason: str = Field(description="One sentence.")
    about: str = Field("", description="What a raised alert and the one that clears it have in common.")
    page: str = Field("", description="Where people look at it.")


class Judgement(_Message):
    """One rule, and how it came out."""

    name: str = Field(description="Of the rule.")
    verdict: Standing = Field(description="How it came out.")
    value: Value = Field(None, description="What was measured.")
    uncertainty: _Finite | None = Field(None, description="One standard deviation, in `unit`.")
    unit: str = Field("", description="As astropy.units reads it.")
    lower: _Finite | None = Field(None, description="Least value that passes.")
    upper: _Finite | None = Field(None, description="Greatest value that passes.")
    reason: str = Field("", description="Why it is no pass.")


class Verdict(_Message):
    """Whether a calibration is good. Topic ``{root}/{instrument}/verdict/{calib}/{detector}``."""

    schema_name: Literal["calib.verdict/1"] = Field("calib.verdict/1", alias="schema")
    id: str = Field(description="The same for the same verdict, however often it is sent.")
    at_utc: datetime = Field(description="When it was reached, UTC.")
    service: str = Field(description="Who says so.")
    instrument: str = Field(description="LATISS, LSSTComCam, LSSTCam ...")
    detector: str = Field("", description="The detector, as R22_S11; empty for all of the camera.")
    calib: str = Field(description="What is judged: bias, dark, flat, ptc ...", pattern=r"^[a-z][a-z0-9_]*$")
    subject: str = Field(description="Which one: the run, or the name of the calibration.")
    day_obs: int = Field(description="Observing day YYYYMMDD.")
    exposures: list[str] = Field(default_factory=list, description="What it rests on, as obs_ids.")
    verdict: Standing = Field(description="The worst of its rules.")
    rules: list[Judgement] = Field(default_factory=list, description="Each rule, and how it came out.")
    rules_version: str = Field(description="Which edition of the rules.")
    reason: str = Field("", description="One sentence, where it is no pass.")
    page: str = Field("", description="Where people look at it.")


CONTRACT: Mapping[str, type[ExposureResult | Alert | Verdict]] = {
    "exposure.result/1": ExposureResult,
    "service.alert/1": Alert,
    "calib.verdict/1": Verdict,
}
"""The models by the name of their schema."""


def json_schemas() -> dict[str, dict[str, object]]:
    """Write the contract as JSON Schema (draft 2020-12), by file name: ``exposure.result-1.json``.

    It is what readers hold messages against, so it lets unknown fields pass; the models here do not.
    """
    found = {}
    for name, model in CONTRACT.items():
        head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:rapid:schema:{name}"}
        schema = model.model_json_schema(by_alias=True, mode="serialization")
        for part in (schema, *schema.get("$defs", {}).values()):
            part.pop("additionalProperties", None)
        schema["required"] = ["schema", *schema["required"]]
        found[f"{name.replace('/', '-')}.json"] = head | schema
    return found

"""Waivers: faults that are known and answered for, by somebody, for a reason, until a day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Self

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError, model_validator

from calib_verify.measurements import Subject
from calib_verify.verdicts import Outcome, Verdict
from rapid.errors import ConfigError

__all__ = ["Waiver", "day_of", "parse_waivers", "waived"]

LONGEST: Final = timedelta(days=366)
"""A waiver that nobody has looked at for a year is not known any more."""

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Waiver(BaseModel):
    """What is waived, by whom, why, and from when until when (days of observation, both included).

    ``detector``, ``amplifier`` and ``criterion`` may be ``*``, but not all of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    instrument: Text
    detector: Text = "*"
    amplifier: Text = "*"
    criterion: Text = "*"
    owner: Text
    reason: Text
    issued: date
    expires: date

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.issued <= self.expires <= self.issued + LONGEST:
            msg = f"a waiver expires after it was issued and within {LONGEST.days} days"
            raise ValueError(msg)
        if self.detector == self.amplifier == self.criterion == "*":
            msg = "a waiver names a detector, an amplifier or a criterion"
            raise ValueError(msg)
        return self

    def covers(self, subject: Subject, verdict: Verdict) -> bool:
        """Tell whether it is about such a verdict on such a frame."""
        named = (
            (self.detector, verdict.detector),
            (self.amplifier, verdict.amplifier),
            (self.criterion, verdict.criterion),
        )
        day = day_of(subject)
        return (
            self.instrument == subject.instrument
            and all(name in {"*", of} for name, of in named)
            and day is not None
            and self.issued <= day <= self.expires
        )


def waived(verdict: Verdict, subject: Subject, waivers: Iterable[Waiver]) -> Verdict:
    """Apply the first waiver that covers a verdict that is not good; it keeps what it was without."""
    if verdict.outcome in {Outcome.PASS, Outcome.WAIVED}:
        return verdict
    for waiver in waivers:
        if waiver.covers(subject, verdict):
            reason = f"{verdict.reason}; waived by {waiver.owner} until {waiver.expires}: {waiver.reason}"
            return replace(verdict, outcome=Outcome.WAIVED, bare=verdict.outcome, waiver=waiver.owner, reason=reason)
    return verdict


def parse_waivers(text: str, *, name: str) -> tuple[Waiver, ...]:
    """Read waivers from a YAML list.

    Raises
    ------
    ConfigError
        If it is something else; the message names the field.
    """
    try:
        content: Any = yaml.safe_load(text)
        return TypeAdapter(tuple[Waiver, ...]).validate_python([] if content is None else content)
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "waivers"
        raise ConfigError(f"{name}: {where}: {first['msg']}") from error


def day_of(subject: Subject) -> date | None:
    """Return the day of observation; None where it is not known."""
    try:
        return datetime.strptime(str(subject.day_obs), "%Y%m%d").date()  # noqa: DTZ007 - a day of observation has no zone
    except ValueError:
        return None

"""From what the ledger holds to what is published. Pure: the same entry gives the same bytes, whoever asks and when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from rapid.announce.bus import Announcement
from rapid.announce.messages import Alert, ExposureResult, Metric, PictureLink, Verdict
from rapid.ports import Bulletin, DeadLetter, FeedEvent, State

__all__ = ["Composer", "level"]

Columns = Mapping[str, Mapping[str, str]]

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes announcements.

    Attributes
    ----------
    service
        Who says so.
    gallery
        URL of the store that holds the pictures.
    page
        Public address of the display, without a slash at the end; empty for none.
    """

    service: str
    gallery: str
    page: str = ""

    def result(self, event: FeedEvent, columns: Columns) -> Announcement | None:
        """Tell what the table says of an exposure; None for an entry that is no result.

        Parameters
        ----------
        event
            An entry of the feed.
        columns
            What the cells of this camera mean.
        """
        entry: Mapping[str, Any] = event.body
        if event.kind != "exposure" or entry["state"] not in {State.DONE, State.FAILED}:
            return None
        names = ("instrument", "camera", "obs_id", "day_obs", "seq_num", "state", "revision", "error", "failures")
        message = ExposureResult(
            id=f"{entry['obs_id']}/{entry['detector_name']}/{event.id}/{_stamp(event.at)}",
            sequence=event.id,
            at_utc=event.at,
            service=self.service,
            detector=entry["detector_name"],
            metrics={name: _metric(name, entry, columns) for name in _named(entry)},
            pictures={channel: self._picture(key) for channel, key in entry["channels"].items()},
            page=self._page(f"{entry['camera']}/{entry['day_obs']}/{entry['seq_num']}"),
            **{name: entry[name] for name in names},
        )
        route = (level(message.instrument), "result", level(message.obs_id), level(message.detector) or "all")
        return _announcement(message, key=message.obs_id, route=route, latest=(*route[:2], "latest"))

    def letter(self, letter: DeadLetter) -> Announcement:
        """Tell of what could not be used."""
        kind: Literal["exposure.failed", "message.rejected"]
        kind = "exposure.failed" if letter.kind == "file" else "message.rejected"
        alert = Alert(
            id=f"dead-letter/{letter.id}/{_stamp(letter.at)}",
            at_utc=letter.at,
            service=self.service,
            kind=kind,
            severity="error" if letter.kind == "file" else "warning",
            subject=letter.subject,
            reason=letter.reason,
            about=f"dead-letter/{letter.id}",
        )
        return self._alert(alert)

    def bulletin(self, bulletin: Bulletin) -> Announcement:
        """Tell what was posted.

        Raises
        ------
        pydantic.ValidationError
            If its body is not one of its kind.
        """
        said = {
            "id": f"{bulletin.subject}/{_stamp(bulletin.at)}",
            "at_utc": bulletin.at,
            "service": self.service,
            **bulletin.body,
        }
        if bulletin.kind == "alert":
            return self._alert(Alert.model_validate(said))
        verdict = Verdict.model_validate({"subject": bulletin.subject, **said})
        route = (level(verdict.instrument), "verdict", verdict.calib, level(verdict.detector) or "all")
        return _announcement(verdict, key=f"{verdict.instrument}/{verdict.subject}", route=route)

    def _alert(self, alert: Alert) -> Announcement:
        return _announcement(alert, key=alert.subject, route=("service", level(self.service), "alert", alert.kind))

    def _picture(self, key: str) -> PictureLink:
        written = quote(key)
        return PictureLink(url=f"{self.gallery.rstrip('/')}/{written}", page=self._page(f"pictures/{written}"))

    def _page(self, path: str) -> str:
        return f"{self.page}/{path}" if self.page else ""


def level(text: str) -> str:
    """Write a name as one level of a topic: without what MQTT gives a meaning to."""
    return _UNSAFE.sub("_", text)


def _named(entry: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([*entry["cells"], *entry["notes"]]))


def _metric(name: str, entry: Mapping[str, Any], columns: Columns) -> Metric:
    value, reason = entry["cells"].get(name), entry["notes"].get(name, "")
    return Metric(
        value=value,
        unit=columns.get(name, {}).get("unit", ""),
        uncertainty=entry["uncertainties"].get(name),
        quality="missing" if value is None else "suspect" if reason else "good",
        reason=reason,
    )


def _announcement(
    message: ExposureResult | Alert | Verdict, *, key: str, route: tuple[str, ...], latest: tuple[str, ...] = ()
) -> Announcement:
    body = message.model_dump_json(by_alias=True).encode()
    return Announcement(message.schema_name, message.id, key, route, body, latest)


def _stamp(at: datetime) -> str:
    """Write a moment so that ids of a ledger that was begun anew are others."""
    return at.strftime("%Y%m%dT%H%M%S.%fZ")

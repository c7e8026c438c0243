"""A ledger's reading side and a store, both in memory: what the display needs and nothing more."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rapid.errors import NotAvailable
from rapid.events import check_key
from rapid.gather.gaps import gaps_between
from rapid.ports import Counts, DeadLetter, FeedEvent, State, StoredObject

Entry = Mapping[str, Any]

COLUMNS: dict[str, dict[str, str]] = {
    name: {"label": label, "unit": unit, "description": text, "type": kind, "group": group}
    for name, label, unit, kind, group, text in (
        ("exposure_time", "Exposure time", "s", "number", "exposure", "Time the shutter was open"),
        ("image_type", "Image type", "", "word", "exposure", "What the exposure is for"),
        ("reason", "Reason", "", "word", "exposure", "Why it was taken"),
        ("date_begin", "Date begin", "", "word", "exposure", "Begin of the exposure, TAI"),
        ("target", "Target", "", "word", "exposure", "What the telescope points at"),
        ("airmass", "Airmass", "", "number", "exposure", "Airmass at the begin"),
        ("filter", "Filter", "", "word", "exposure", "Physical filter in the beam"),
        ("psf_fwhm", "PSF FWHM", "arcsec", "number", "quicklook", "Full width at half maximum of the stars"),
        ("psf_star_count", "PSF star count", "", "integer", "quicklook", "Stars that the PSF rests on"),
        ("sky_mean", "Sky mean", "electron", "number", "quicklook", "Median sky level"),
        ("sky_rms", "Sky RMS", "electron", "number", "quicklook", "Pixel-to-pixel standard deviation"),
        ("n_saturated", "Saturated pixels", "pixel", "integer", "quicklook", "Saturated pixels"),
    )
}
"""Columns of a small but whole night table, by the names and labels that the core gives them."""


def entry_of(seq_num: int, *, state: str = "done", day_obs: int = 20260315, **changes: Any) -> dict[str, Any]:
    """Make a table entry, whole and plausible; `cells` in the changes are merged, everything else replaces."""
    cells = {
        "exposure_time": 30.0,
        "image_type": "science",
        "reason": "object",
        "date_begin": f"2026-03-16T{seq_num // 60 % 24:02}:{seq_num % 60:02}:07.250",
        "target": f"HD {20000 + seq_num}",
        "airmass": 1.2,
        "filter": "SDSSr_65mm",
        "psf_fwhm": 0.95 + seq_num % 7 / 40,
        "psf_star_count": 40 + seq_num % 11,
        "sky_mean": 812.5 + seq_num,
        "sky_rms": 31.25,
        "n_saturated": seq_num % 3,
    }
    entry: dict[str, Any] = {
        "camera": "auxtel",
        "instrument": "LATISS",
        "obs_id": f"AT_O_{day_obs}_{seq_num:06}",
        "day_obs": day_obs,
        "seq_num": seq_num,
        "detector_name": "R00_S00",
        "state": state,
        "error": "",
        "revision": 1,
        "arrival_id": seq_num,
        "cells": cells | changes.pop("cells", {}) if state == "done" else {},
        "notes": {},
        "uncertainties": {"psf_fwhm": 0.012} if state == "done" else {},
        "channels": {},
        "catalogues": {},
        "failures": {},
        "timings": {"file_to_seen": 0.05, "file_to_published": 1.4} if state == "done" else {},
    }
    return entry | changes


class MemoryFeed:
    """What `rapid.ports.Ledger` promises to readers; `append` is how things get in."""

    def __init__(self) -> None:
        self.events: list[FeedEvent] = []
        self.letters: list[DeadLetter] = []
        self.columns: dict[str, dict[str, str]] = dict(COLUMNS)
        self._rows: dict[tuple[str, int], dict[tuple[int, str], Entry]] = {}
        self._grown = asyncio.Condition()

    async def append(self, entry: Entry) -> FeedEvent:
        """Put an entry in the table, in place of an older one, and say so in the feed."""
        night = self._rows.setdefault((entry["camera"], entry["day_obs"]), {})
        night[entry["seq_num"], entry["detector_name"]] = entry
        event = FeedEvent(
            id=len(self.events) + 1,
            at=datetime.now(UTC),
            kind="exposure",
            camera=entry["camera"],
            day_obs=entry["day_obs"],
            seq_num=entry["seq_num"],
            body=entry,
        )
        self.events.append(event)
        async with self._grown:
            self._grown.notify_all()
        return event

    async def nights(self, camera: str | None = None) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "camera": name,
                "day_obs": day_obs,
                "exposures": len({seq_num for seq_num, _ in rows}),
                "done": sum(entry["state"] == State.DONE for entry in rows.values()),
                "failed": sum(entry["state"] == State.FAILED for entry in rows.values()),
                "last_seq_num": max(seq_num for seq_num, _ in rows),
                "as_of": max(e.id for e in self.events if (e.camera, e.day_obs) == (name, day_obs)),
            }
            for (name, day_obs), rows in sorted(self._rows.items(), key=lambda night: -night[0][1])
            if camera in {None, name}
        ]

    async def night(self, camera: str, day_obs: int) -> tuple[int, Mapping[str, Mapping[str, str]], Sequence[Entry]]:
        rows = self._rows.get((camera, day_obs), {})
        used = {name for entry in rows.values() for name in entry["cells"]}
        columns = {name: column for name, column in self.columns.items() if name in used}
        return len(self.events), columns, [rows[place] for place in sorted(rows)]

    async def gaps(self, camera: str, day_obs: int) -> Sequence[tuple[int, int]]:
        return gaps_between(seq_num for seq_num, _ in self._rows.get((camera, day_obs), {}))

    async def feed(self, after: int, *, limit: int = 500) -> Sequence[FeedEvent]:
        return self.events[max(after, 0) : max(after, 0) + limit]

    async def last_feed_id(self) -> int:
        return len(self.events)

    async def wait_feed(self, after: int, *, timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout), self._grown:
                await self._grown.wait_for(lambda: len(self.events) > after)
        except TimeoutError:
            return False
        return True

    async def counts(self) -> Counts:
        states = [entry["state"] for rows in self._rows.values() for entry in rows.values()]
        return Counts(**{str(s): states.count(s) for s in State}, dead_letters=len(self.letters))

    async def dead_letters(self, *, limit: int = 1000) -> Sequence[DeadLetter]:
        return sorted((letter for letter in self.letters if letter.retried_at is None), key=lambda x: -x.id)[:limit]


class MemoryStore:
    """A `rapid.ports.Store`; `puts` remembers what was written, in the order in which it became visible."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.media_types: dict[str, str] = {}
        self.puts: list[str] = []

    async def get(self, key: str) -> bytes:
        if check_key(key) not in self.objects:
            raise NotAvailable(f"{key}: not in the store")
        return self.objects[key]

    async def put(self, key: str, body: bytes, *, media_type: str = "application/octet-stream") -> None:
        await asyncio.sleep(0)
        self.objects[check_key(key)] = body
        self.media_types[key] = media_type
        self.puts.append(key)

    async def head(self, key: str) -> StoredObject:
        body = await self.get(key)
        return StoredObject(key, len(body), hashlib.sha256(body).hexdigest(), datetime.now(UTC))

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        for key in list(self.objects):
            if key.startswith(prefix):
                yield await self.head(key)

    async def delete(self, key: str) -> None:
        self.objects.pop(check_key(key), None)

"""The versioned REST interface, and the pictures."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request
from starlette.responses import PlainTextResponse, Response

from rapid.errors import BadName, NotAvailable
from rapid.events import check_key
from rapid.ports import Counts, DeadLetter, FeedEvent, JsonValue, Ledger, Standing, Store
from rapid.tv.answers import json_answer, matches, quoted
from rapid.tv.keys import MEDIA_TYPES, check_camera, check_day_obs, is_on_show, parse_catalogue_key
from rapid.tv.nights import with_current
from rapid.tv.stream import EventStream, FeedWatch, feed_blocks

__all__ = ["Camera", "DayObs", "SeqNum", "api_router", "pictures_router"]

STORE_TIMEOUT = 15.0
"""Seconds a store may take over one object."""

KEPT = 7 * 24 * 3600
"""Seconds a browser keeps a picture that it asked for by version: a night is looked at for a week."""

_VERSION = re.compile(r"[\w.-]{1,64}")


def _camera(camera: Annotated[str, Path(description="Page of the camera, as `auxtel`")]) -> str:
    return check_camera(camera)


def _day_obs(day_obs: Annotated[int, Path(description="Observing day, YYYYMMDD")]) -> int:
    return check_day_obs(day_obs)


Camera = Annotated[str, Depends(_camera)]
DayObs = Annotated[int, Depends(_day_obs)]
SeqNum = Annotated[int, Path(ge=0, le=999999, description="Sequence number within the observing day")]


def api_router(ledger: Ledger, watch: FeedWatch) -> APIRouter:
    """Make the routes below ``/api/v1``."""
    router = APIRouter(prefix="/api/v1")
    _add_tables(router, ledger)
    _add_operations(router, ledger)

    @router.get("/stream", responses={200: {"content": {"text/event-stream": {}}}})
    async def stream(
        after: Annotated[int | None, Query(ge=0, description="Id of the last event known")] = None,
        camera: Annotated[str | None, Query(description="Only this camera's events")] = None,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Server-sent events of the feed; `Last-Event-ID` goes before `after`."""
        if camera is not None:
            check_camera(camera)
        start = last_event_id or (None if after is None else str(after))
        return EventStream(feed_blocks(ledger, watch, after=start, camera=camera))

    return router


def pictures_router(store: Store) -> APIRouter:
    """Make the route of the pictures, their sidecars and the catalogues: ``/pictures/{key}``."""
    router = APIRouter()

    @router.head("/pictures/{key:path}", include_in_schema=False)
    @router.get("/pictures/{key:path}")
    async def picture(request: Request, key: str, v: Annotated[str | None, Query()] = None) -> Response:
        """One object of the gallery; with `v`, the version of its row, it may be kept without asking again.

        A catalogue is sent as a file to be saved, under a name that says its exposure and detector.
        """
        if not _usable(key):
            raise HTTPException(404, "there is no such picture")
        async with asyncio.timeout(STORE_TIMEOUT):
            return await _object(request, store, key, version=v)

    return router


def _add_tables(router: APIRouter, ledger: Ledger) -> None:
    @router.get("/nights")
    async def nights(request: Request, camera: Annotated[str | None, Query()] = None) -> Response:
        """Nights with rows, newest first."""
        if camera is not None:
            check_camera(camera)
        return await json_answer(request, {"nights": with_current(await ledger.nights(camera))})

    @router.get("/nights/{camera}/{day_obs}")
    async def night(request: Request, camera: Camera, day_obs: DayObs) -> Response:
        """The table of a night, empty for one that has not begun, and the sequence numbers that are missing in it."""
        as_of, columns, rows = await ledger.night(camera, day_obs)
        gaps = await ledger.gaps(camera, day_obs)
        return await json_answer(request, {"as_of": as_of, "columns": columns, "rows": rows, "gaps": gaps})

    @router.get("/exposures/{camera}/{day_obs}/{seq_num}")
    async def exposure(request: Request, camera: Camera, day_obs: DayObs, seq_num: SeqNum) -> Response:
        """The rows of one exposure, one a detector, and its neighbours."""
        as_of, columns, entries = await ledger.night(camera, day_obs)
        rows = [entry for entry in entries if entry["seq_num"] == seq_num]
        if not rows:
            raise HTTPException(404, f"{camera} {day_obs} has no exposure {seq_num}")
        return await json_answer(
            request, {"as_of": as_of, "columns": columns, "rows": rows, **_neighbours(entries, seq_num)}
        )


def _add_operations(router: APIRouter, ledger: Ledger) -> None:
    @router.get("/status")
    async def status(request: Request) -> Response:
        """How many arrivals stand where, and the newest event."""
        last_id = await ledger.last_feed_id()
        newest = await ledger.feed(last_id - 1, limit=1) if last_id else ()
        return await json_answer(request, _status(await ledger.counts(), last_id, newest))

    @router.get("/gather")
    async def gather(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
        """Exposures of which files or results are waited for, newest first."""
        found = await ledger.exposures.in_progress(limit=limit)
        return await json_answer(request, {"exposures": [_in_progress(standing) for standing in found]})

    @router.get("/dead-letters")
    async def dead_letters(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> Response:
        """What could not be used and why, newest first, without its content."""
        letters = await ledger.dead_letters(limit=limit)
        return await json_answer(request, {"dead_letters": [_letter(letter) for letter in letters]})

    @router.get("/arrivals/{arrival_id}/traceback")
    async def traceback(arrival_id: Annotated[int, Path(ge=0)]) -> Response:
        """The traceback kept with an arrival that was given up."""
        for letter in await ledger.dead_letters(limit=1000):
            if letter.arrival_id == arrival_id and letter.detail:
                return PlainTextResponse(letter.detail, headers={"Cache-Control": "no-cache"})
        raise HTTPException(404, f"no traceback is kept for arrival {arrival_id}")


async def _object(request: Request, store: Store, key: str, *, version: str | None) -> Response:
    try:
        tag = quoted((await store.head(key)).etag)
        kept = version is not None and _VERSION.fullmatch(version) is not None
        caching = f"public, max-age={KEPT}, immutable" if kept else "no-cache"
        headers = {"ETag": tag, "Cache-Control": caching} | _saved_as(key)
        if matches(request, tag):
            return Response(status_code=304, headers=headers)
        return Response(await store.get(key), media_type=MEDIA_TYPES[key.rpartition(".")[2]], headers=headers)
    except NotAvailable:
        raise HTTPException(404, "there is no such picture") from None


def _saved_as(key: str) -> dict[str, str]:
    """Say under which name a browser saves an object that it cannot show; the name has letters, digits and _ only."""
    try:
        return {"Content-Disposition": f'attachment; filename="{parse_catalogue_key(key).file_name}"'}
    except BadName:
        return {}


def _usable(key: str) -> bool:
    try:
        return is_on_show(check_key(key))
    except BadName:
        return False


def _neighbours(entries: Sequence[Mapping[str, JsonValue]], seq_num: int) -> dict[str, int | None]:
    numbers = [cast("int", entry["seq_num"]) for entry in entries]
    return {
        "previous": max((number for number in numbers if number < seq_num), default=None),
        "next": min((number for number in numbers if number > seq_num), default=None),
    }


def _status(counts: Counts, last_id: int, newest: Sequence[FeedEvent]) -> dict[str, object]:
    last = newest[0] if newest else None
    return {
        "received": counts.received,
        "waiting": counts.waiting,
        "running": counts.running,
        "done": counts.done,
        "failed": counts.failed,
        "superseded": counts.superseded,
        "dead_letters": counts.dead_letters,
        "last_feed_id": last_id,
        "last_event": last
        and {"at": last.at.isoformat(), "camera": last.camera, "day_obs": last.day_obs, "seq_num": last.seq_num},
        "now": datetime.now(UTC).isoformat(),
    }


def _in_progress(standing: Standing) -> dict[str, object]:
    by_state: dict[str, list[str]] = {}
    for detector in standing.detectors:
        by_state.setdefault(detector.state.value, []).append(detector.name)
    return {
        "instrument": standing.name.instrument,
        "obs_id": standing.name.obs_id,
        "day_obs": standing.name.day_obs,
        "seq_num": standing.name.seq_num,
        "expected": [detector for detector, _ in standing.sensors],
        "expected_by": standing.origin,
        "read_out_at": standing.read_out_at and standing.read_out_at.isoformat(),
        "detectors": by_state,
        "revision": standing.revision,
        "due_at": standing.due_at and standing.due_at.isoformat(),
    }


def _letter(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "kind": letter.kind,
        "source": letter.source,
        "subject": letter.subject,
        "reason": letter.reason,
        "at": letter.at.isoformat(),
        "arrival_id": letter.arrival_id,
        "bytes": len(letter.body),
    }

"""The pages: plain HTML files that a script on the page fills from the REST interface."""

from __future__ import annotations

import html
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from string import Template

from fastapi import APIRouter
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from rapid.ports import Ledger
from rapid.tv.api import Camera, DayObs, SeqNum
from rapid.tv.keys import day_text
from rapid.tv.nights import with_current

__all__ = ["WebFiles", "error_page", "pages_router"]

WEB = files("rapid.tv").joinpath("web")


class WebFiles(StaticFiles):
    """Styles and scripts of the pages; a browser asks each time whether they changed, since a deployment changes them."""

    def __init__(self) -> None:
        with as_file(WEB) as place:
            super().__init__(directory=Path(place))

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """Answer with a file."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


def pages_router(ledger: Ledger, *, title: str) -> APIRouter:
    """Make the routes of the pages. Addresses in them are relative, so that a proxy may put a prefix before all."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def newest() -> Response:
        """Go to the newest night; wait for it where there is none."""
        current = [night for night in with_current(await ledger.nights()) if night["current"]]
        if not current:
            return _page("waiting.html", "", title=title, heading=title)
        night = max(current, key=lambda night: (bool(night["done"]), int(str(night["day_obs"]))))
        return RedirectResponse(
            f"{night['camera']}/{night['day_obs']}", status_code=307, headers={"Cache-Control": "no-store"}
        )

    @router.get("/{camera}/{day_obs}")
    async def night(camera: Camera, day_obs: DayObs) -> Response:
        """The table of a night."""
        heading = f"{camera} {day_text(day_obs)}"
        return _page("night.html", "../", title=title, heading=heading, camera=camera, day_obs=day_obs)

    @router.get("/{camera}/{day_obs}/{seq_num}")
    async def exposure(camera: Camera, day_obs: DayObs, seq_num: SeqNum) -> Response:
        """One exposure."""
        heading = f"{camera} {day_text(day_obs)} {seq_num}"
        return _page(
            "exposure.html", "../../", title=title, heading=heading, camera=camera, day_obs=day_obs, seq_num=seq_num
        )

    return router


def error_page(path: str, status: int, detail: str, *, title: str) -> Response:
    """Answer a mistyped address with a page that says what is wrong and leads back to the newest night."""
    root = "../" * (path.count("/") - 1) or "./"
    return _page("lost.html", root, status=status, title=title, heading=title, detail=detail)


def _page(name: str, root: str, *, status: int = 200, **values: object) -> Response:
    safe = {key: html.escape(str(value)) for key, value in values.items()}
    return HTMLResponse(
        _template(name).substitute(safe, root=root), status_code=status, headers={"Cache-Control": "no-cache"}
    )


@cache
def _template(name: str) -> Template:
    return Template(WEB.joinpath(name).read_text(encoding="utf-8"))

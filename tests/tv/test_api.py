"""The REST interface and the pictures, asked as a client asks."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter

from rapid.errors import LedgerError
from rapid.ports import DeadLetter
from rapid.tv.server import create_app
from tests.support.live_server import served
from tests.support.memory_feed import MemoryFeed, MemoryStore, entry_of

PICTURE = "auxtel/2026-03-15/monitor/000003/auxtel_monitor_2026-03-15_000003.png"
NIGHT = "/api/v1/nights/auxtel/20260315"


@pytest.fixture
def feed() -> MemoryFeed:
    return MemoryFeed()


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.objects[PICTURE] = b"\x89PNG picture"
    store.objects["ledger.sqlite"] = b"secret"
    return store


@pytest_asyncio.fixture
async def client(feed: MemoryFeed, store: MemoryStore) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(feed, store, title="Tests"), raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://tv") as opened:
        yield opened


async def fill(feed: MemoryFeed) -> None:
    for seq_num in (1, 2, 3, 7):
        await feed.append(entry_of(seq_num))
    await feed.append(entry_of(4, state="failed", error="it is no FITS"))


# --- tables --------------------------------------------------------------------------------------------------------


async def test_nights_are_listed_newest_first(client: httpx.AsyncClient, feed: MemoryFeed) -> None:
    await fill(feed)
    await feed.append(entry_of(1, day_obs=20260316))
    await feed.append(entry_of(1, camera="lsstcam"))
    nights = (await client.get("/api/v1/nights?camera=auxtel")).json()["nights"]
    assert [night["day_obs"] for night in nights] == [20260316, 20260315]
    assert nights[1] == {
        "camera": "auxtel",
        "day_obs": 20260315,
        "exposures": 5,
        "done": 4,
        "failed": 1,
        "last_seq_num": 7,
        "as_of": 5,
        "current": False,
    }
    assert nights[0]["current"] is True
    assert len((await client.get("/api/v1/nights")).json()["nights"]) == 3


async def test_a_night_is_its_columns_and_rows_as_of_an_event(client: httpx.AsyncClient, feed: MemoryFeed) -> None:
    await fill(feed)
    night = (await client.get(NIGHT)).json()
    assert night["as_of"] == 5
    assert night["columns"]["psf_fwhm"]["unit"] == "arcsec"
    assert [row["seq_num"] for row in night["rows"]] == [1, 2, 3, 4, 7]
    assert night["rows"][0] == entry_of(1)


async def test_columns_keep_the_order_the_ledger_gave_them(client: httpx.AsyncClient, feed: MemoryFeed) -> None:
    await fill(feed)
    assert list((await client.get(NIGHT)).json()["columns"]) == list(feed.columns)


async def test_a_night_that_has_not_begun_is_empty(client: httpx.AsyncClient) -> None:
    answer = await client.get(NIGHT)
    assert (answer.status_code, answer.json()) == (200, {"as_of": 0, "columns": {}, "rows": [], "gaps": []})


async def test_a_night_is_sent_again_only_when_it_changed(client: httpx.AsyncClient, feed: MemoryFeed) -> None:
    await fill(feed)
    first = await client.get(NIGHT)
    tag = first.headers["etag"]
    same = await client.get(NIGHT, headers={"If-None-Match": f'"other", {tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    await feed.append(entry_of(3, revision=2))
    changed = await client.get(NIGHT, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert changed.headers["cache-control"] == "no-cache"


async def test_a_long_answer_is_compressed_for_who_can_read_it(client: httpx.AsyncClient, feed: MemoryFeed) -> None:
    await fill(feed)
    async with client.stream("GET", NIGHT, headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    plain = await client.get(NIGHT, headers={"Accept-Encoding": "identity"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content
    assert answer.headers["etag"] == plain.headers["etag"]
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_an_exposure_comes_with_its_neighbours(client: httpx.AsyncClient, feed: MemoryFeed) -> None:
    await fill(feed)
    found = (await client.get("/api/v1/exposures/auxtel/20260315/4")).json()
    assert [row["error"] for row in found["rows"]] == ["it is no FITS"]
    assert (found["previous"], found["next"]) == (3, 7)
    edges = [(await client.get(f"/api/v1/exposures/auxtel/20260315/{n}")).json() for n in (1, 7)]
    assert (edges[0]["previous"], edges[1]["next"]) == (None, None)


async def test_all_detectors_of_an_exposure_are_in_it(client: httpx.AsyncClient, feed: MemoryFeed) -> None:
    for name in ("R22_S11", "R22_S12"):
        await feed.append(entry_of(9, detector_name=name))
    found = (await client.get("/api/v1/exposures/auxtel/20260315/9")).json()
    assert [row["detector_name"] for row in found["rows"]] == ["R22_S11", "R22_S12"]
    assert (found["previous"], found["next"]) == (None, None)


async def test_an_exposure_that_is_not_there_is_404(client: httpx.AsyncClient, feed: MemoryFeed) -> None:
    await fill(feed)
    answer = await client.get("/api/v1/exposures/auxtel/20260315/5")
    assert (answer.status_code, answer.json()) == (404, {"detail": "auxtel 20260315 has no exposure 5"})


# --- operations ----------------------------------------------------------------------------------------------------


async def test_status_counts_and_names_the_newest_event(client: httpx.AsyncClient, feed: MemoryFeed) -> None:
    assert (await client.get("/api/v1/status")).json()["last_event"] is None
    await fill(feed)
    status = (await client.get("/api/v1/status")).json()
    assert (status["done"], status["failed"], status["received"], status["last_feed_id"]) == (4, 1, 5, 5)
    assert status["last_event"]["seq_num"] == 4
    age = datetime.fromisoformat(status["now"]) - datetime.fromisoformat(status["last_event"]["at"])
    assert 0 <= age.total_seconds() < 60


def letter(number: int, *, arrival_id: int | None, detail: str = "") -> DeadLetter:
    at = datetime(2026, 3, 16, tzinfo=UTC)
    return DeadLetter(number, "file", "directory", "x.fits", "no FITS", detail, b"secret body", at, arrival_id, None)


async def test_dead_letters_are_listed_without_their_bodies(client: httpx.AsyncClient, feed: MemoryFeed) -> None:
    feed.letters = [letter(1, arrival_id=4, detail="Traceback: private"), letter(2, arrival_id=None)]
    answer = await client.get("/api/v1/dead-letters")
    assert [item["id"] for item in answer.json()["dead_letters"]] == [2, 1]
    assert answer.json()["dead_letters"][1] == {
        "id": 1,
        "kind": "file",
        "source": "directory",
        "subject": "x.fits",
        "reason": "no FITS",
        "at": "2026-03-16T00:00:00+00:00",
        "arrival_id": 4,
        "bytes": 11,
    }
    assert b"secret" not in answer.content


async def test_a_traceback_is_plain_text(client: httpx.AsyncClient, feed: MemoryFeed) -> None:
    feed.letters = [letter(1, arrival_id=4, detail="Traceback: <script>")]
    answer = await client.get("/api/v1/arrivals/4/traceback")
    assert answer.text == "Traceback: <script>"
    assert answer.headers["content-type"].startswith("text/plain")
    assert (await client.get("/api/v1/arrivals/5/traceback")).json() == {"detail": "no traceback is kept for arrival 5"}


# --- pictures ------------------------------------------------------------------------------------------------------


async def test_a_picture_is_kept_only_when_asked_for_by_version(client: httpx.AsyncClient) -> None:
    plain = await client.get(f"/pictures/{PICTURE}")
    assert (plain.content, plain.headers["content-type"]) == (b"\x89PNG picture", "image/png")
    assert plain.headers["cache-control"] == "no-cache"
    versioned = await client.get(f"/pictures/{PICTURE}?v=2-ab12")
    assert versioned.headers["cache-control"] == "public, max-age=604800, immutable"
    odd = await client.get(f"/pictures/{PICTURE}?v=a/b")
    assert odd.headers["cache-control"] == "no-cache"


async def test_a_picture_is_sent_again_only_when_it_changed(client: httpx.AsyncClient, store: MemoryStore) -> None:
    tag = (await client.get(f"/pictures/{PICTURE}")).headers["etag"]
    assert tag.startswith('"')
    same = await client.get(f"/pictures/{PICTURE}", headers={"If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")
    store.objects[PICTURE] = b"another"
    changed = await client.get(f"/pictures/{PICTURE}", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.content) == (200, b"another")


async def test_the_head_of_a_picture_says_its_size(client: httpx.AsyncClient) -> None:
    head = await client.head(f"/pictures/{PICTURE}")
    assert (head.status_code, head.headers["content-length"]) == (200, "12")


async def test_a_picture_that_is_not_there_is_404_and_says_no_more(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/pictures/{PICTURE.replace('000003', '000004')}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "there is no such picture"})


async def test_a_catalogue_is_a_file_to_be_saved(client: httpx.AsyncClient, store: MemoryStore) -> None:
    key = "rapid/auxtel/20260315/000003/R00_S00/sources.parquet"
    assert (await client.get(f"/pictures/{key}")).status_code == 404
    store.objects[key] = b"PAR1"
    answer = await client.get(f"/pictures/{key}")
    assert (answer.content, answer.headers["content-type"]) == (b"PAR1", "application/vnd.apache.parquet")
    expected = 'attachment; filename="auxtel_20260315_000003_R00_S00_sources.parquet"'
    assert answer.headers["content-disposition"] == expected
    assert "content-disposition" not in (await client.get(f"/pictures/{PICTURE}")).headers


@pytest.mark.parametrize(
    "key",
    [
        "..%2F..%2Fetc%2Fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "auxtel/../ledger.sqlite",
        "auxtel%2F..%2Fledger.sqlite",
        "ledger.sqlite",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        PICTURE + "%00",
        PICTURE.replace("/", "/%0a", 1),
        PICTURE.replace("/", "%5C"),
        PICTURE.replace("auxtel/", "auxtel//", 1),
        "a" * 2000,
        "",
    ],
)
async def test_a_hostile_key_is_404(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.get(f"/pictures/{key}")
    assert answer.status_code == 404
    assert set(answer.json()) == {"detail"}
    assert b"secret" not in answer.content


@pytest.mark.parametrize(
    "path", ["/pictures/../../etc/passwd", "/static/../server.py", "/pictures/auxtel/../ledger.sqlite"]
)
async def test_a_path_that_climbs_is_not_followed(feed: MemoryFeed, store: MemoryStore, path: str) -> None:
    async with served(create_app(feed, store)) as url:  # type: ignore[arg-type]
        host = httpx.URL(url)
        reader, writer = await asyncio.open_connection(host.host, host.port)
        # a client library would tidy the path up; somebody who means harm does not
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host.host}\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"secret" not in answer


# --- pages, errors, headers ----------------------------------------------------------------------------------------


async def test_the_root_goes_to_the_newest_night_or_waits(client: httpx.AsyncClient, feed: MemoryFeed) -> None:
    waiting = await client.get("/")
    assert "No exposure yet" in waiting.text
    await fill(feed)
    await feed.append(entry_of(1, day_obs=20260317))
    newest = await client.get("/")
    assert (newest.status_code, newest.headers["location"]) == (307, "auxtel/20260317")
    await feed.append(entry_of(1, day_obs=20260318, state="failed"))
    assert (await client.get("/")).headers["location"] == "auxtel/20260317", "a broken file may bear any day"
    await feed.append(entry_of(1, day_obs=20990101))
    assert (await client.get("/")).headers["location"] == "auxtel/20260317", "what has not begun is not tonight"


async def test_a_page_finds_its_files_wherever_it_is_served(client: httpx.AsyncClient) -> None:
    page = await client.get("/auxtel/20260315/3")
    assert page.headers["content-type"].startswith("text/html")
    assert 'src="../../static/js/exposure.js"' in page.text
    assert "<title>auxtel 2026-03-15 3 · Tests</title>" in page.text
    script = await client.get("/static/js/exposure.js")
    assert "javascript" in script.headers["content-type"]
    assert script.headers["cache-control"] == "no-cache"


async def test_a_title_is_text_in_a_page(feed: MemoryFeed, store: MemoryStore) -> None:
    transport = httpx.ASGITransport(create_app(feed, store, title="<script>x</script> & $root"))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://tv") as client:
        page = (await client.get("/auxtel/20260315")).text
    assert "&lt;script&gt;x&lt;/script&gt; &amp; $root" in page
    assert "<script>" not in page


async def test_no_page_has_a_script_or_style_of_its_own(client: httpx.AsyncClient) -> None:
    for path in ("/", "/auxtel/20260315", "/auxtel/20260315/3"):
        page = (await client.get(path)).text
        assert "<style" not in page
        assert " style=" not in page
        assert " onclick=" not in page
        assert "http" not in page
        assert page.count("<script") == page.count('<script type="module" src="')


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/api/v1/nights/auxtel/20260231", 422, "not a day_obs"),
        ("/api/v1/nights/auxtel/today", 422, "path day_obs: Input should be a valid integer"),
        ("/api/v1/nights/AUXTEL/20260315", 422, "not the name of a camera"),
        ("/api/v1/nights?camera=..", 422, "not the name of a camera"),
        ("/api/v1/exposures/auxtel/20260315/-1", 422, "path seq_num: Input should be greater than or equal to 0"),
        ("/api/v1/stream?after=-3", 422, "query after: Input should be greater"),
        ("/api/v1/stream?camera=%2e%2e%2f", 422, "not the name of a camera"),
        ("/auxtel/20261301", 422, "not a day_obs"),
        ("/auxtel/20260315/1/2", 404, "Not Found"),
        ("/static/../server.py", 404, "Not Found"),
        ("/static/%2e%2e/server.py", 404, "Not Found"),
        ("/docs", 404, "Not Found"),
    ],
)
async def test_an_error_is_one_sentence_of_json(client: httpx.AsyncClient, path: str, status: int, detail: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == status
    assert detail in answer.json()["detail"]


async def test_a_ledger_that_is_away_is_503_and_says_nothing_private(
    client: httpx.AsyncClient, feed: MemoryFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(camera: str, day_obs: int) -> None:
        raise LedgerError("postgresql://user:password@host")

    monkeypatch.setattr(feed, "night", away)
    answer = await client.get(NIGHT)
    assert (answer.status_code, answer.json()) == (503, {"detail": "the ledger cannot be read just now"})
    assert answer.headers["retry-after"] == "5"


async def test_a_store_that_hangs_is_504(
    client: httpx.AsyncClient, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(key: str) -> None:
        raise TimeoutError

    monkeypatch.setattr(store, "head", late)
    answer = await client.get(f"/pictures/{PICTURE}")
    assert (answer.status_code, answer.json()) == (504, {"detail": "the store did not answer in time"})


async def test_a_fault_of_ours_is_500_without_its_text(
    client: httpx.AsyncClient, feed: MemoryFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise ZeroDivisionError("private")

    monkeypatch.setattr(feed, "counts", broken)
    answer = await client.get("/api/v1/status")
    assert (answer.status_code, answer.json()) == (500, {"detail": "the server made a mistake; its log says which"})


@pytest.mark.parametrize("path", ["/", NIGHT, f"/pictures/{PICTURE}", "/static/css/base.css", "/nothing", "/api/v1/x"])
async def test_every_answer_leaves_a_browser_no_freedom(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["content-security-policy"].startswith("default-src 'self'; base-uri 'none'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


async def test_the_interface_describes_itself(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/api/v1/openapi.json")).json()["paths"]
    assert {"/api/v1/nights/{camera}/{day_obs}", "/api/v1/stream", "/pictures/{key}"} <= set(paths)
    parameters = paths["/api/v1/nights/{camera}/{day_obs}"]["get"]["parameters"]
    assert [(each["name"], each["in"]) for each in parameters] == [("camera", "path"), ("day_obs", "path")]


async def test_routes_of_others_go_before_the_pages(feed: MemoryFeed, store: MemoryStore) -> None:
    router = APIRouter()

    @router.get("/health/{part}")
    async def health(part: str) -> dict[str, str]:
        return {"part": part}

    transport = httpx.ASGITransport(create_app(feed, store, extra=[router]))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://tv") as client:
        assert (await client.get("/health/20260315")).json() == {"part": "20260315"}


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "status", "why", "root"),
    [
        ("/foo/bar", 422, "path day_obs: Input should be a valid integer", "../"),
        ("/auxtel/20261399", 422, "not a day_obs", "../"),
        ("/auxtel/20260315/1/2", 404, "Not Found", "../../../"),
        ("/docs", 404, "Not Found", "./"),
        ("/<b>x/20260315", 422, "&lt;b&gt;x", "../"),
    ],
)
async def test_a_mistyped_page_is_answered_with_a_page(
    client: httpx.AsyncClient, path: str, status: int, why: str, root: str
) -> None:
    answer = await client.get(path, headers=BROWSER)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "There is no page at this address" in answer.text
    assert why in answer.text
    assert f'href="{root}static/css/base.css"' in answer.text
    assert "<b>x" not in answer.text


@pytest.mark.parametrize(
    "path", ["/api/v1/nights/auxtel/20261399", "/pictures/none.png", "/static/none.css", "/api/v1/no"]
)
async def test_programs_are_answered_in_json_whatever_they_accept(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers=BROWSER)
    assert answer.status_code in {404, 422}
    assert list(answer.json()) == ["detail"]

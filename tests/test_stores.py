"""Opening stores: URLs, options, links, and a store that is away."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.errors import BadName, ConfigError, NotAvailable
from rapid.stores import canonical_url, local_path, open_store, read
from tests.support.s3 import S3Server

SECRETS = {"access_key_id": "AKIASECRETSECRET", "secret_access_key": "very+secret/word", "session_token": "TOKENTOKEN"}


@pytest.fixture
def nobody() -> dict[str, str]:
    """Options of an S3 server that does not listen."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {"endpoint": f"http://127.0.0.1:{port}", "region": "us-east-1", "allow_http": "true", **SECRETS}


# --- URLs --------------------------------------------------------------------------------------------------------


def test_a_plain_path_and_its_url_are_one_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert canonical_url("a dir/ä#%") == (tmp_path / "a dir" / "ä#%").as_uri()
    assert open_store("a dir") is open_store((tmp_path / "a dir").as_uri()) is open_store(str(tmp_path / "a dir"))
    assert (tmp_path / "a dir").is_dir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert canonical_url("~/a dir") == (tmp_path / "a dir").as_uri()


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket/pre/fix/", "s3://bucket/pre/fix"),
        ("S3://bucket/x", "s3://bucket/x"),
        ("memory:///name/", "memory:///name"),
        ("memory://", "memory:///"),
        ("file:///", "file:///"),
        ("file://localhost/data", "file:///data"),
    ],
)
def test_a_url_has_one_spelling(url: str, canonical: str) -> None:
    assert canonical_url(url) == canonical
    assert canonical_url(canonical) == canonical


@given(path=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=30))
def test_every_path_survives_its_url(path: str) -> None:
    url = Path("/archive", path).as_uri()
    assert canonical_url(url) == url


@pytest.mark.parametrize(
    "url",
    ["", "s3://", "s3:///key", "ftp://host/x", "http://host/x", "memory://host/x", "file://host/x", "file://", "a\0b"],
)
def test_what_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="expected file:///directory"):
        open_store(url)


@pytest.mark.parametrize("url", ["s3://bucket?region=x", "s3://bucket/a#b", "memory:///a?b", "file:///data#1"])
def test_a_url_with_a_query_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="no \\? and no #"):
        open_store(url)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="give them as options") as caught:
        open_store("s3://key:password@bucket/x")
    assert "password" not in str(caught.value)
    with pytest.raises(ConfigError, match="give them as options") as caught:
        open_store("s3://bucket/x", {"endpoint": "https://user:password@host"})
    assert "password" not in str(caught.value)


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"unknown store options regoin; known are .*region"):
        open_store("s3://bucket", {"regoin": "x"})
    with pytest.raises(ConfigError, match="allow_http is 'perhaps'; expected true or false"):
        open_store("s3://bucket", {"allow_http": "perhaps"})


def test_a_file_in_the_place_of_a_directory_is_not_available(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotAvailable, match=r"the directory .*file cannot be used"):
        open_store(str(tmp_path / "file"))


async def test_memory_is_shared_by_name() -> None:
    await open_store("memory:///shared").put("k", b"v")
    assert await open_store("memory:///shared/").get("k") == b"v"
    assert read("memory:///shared", "k") == b"v"
    with pytest.raises(NotAvailable, match="memory:///other/k is not there"):
        await open_store("memory:///other").get("k")


# --- a store that is away ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["read", "write", "describe", "delete", "list"])
async def test_a_store_that_is_away_is_not_available(nobody: dict[str, str], verb: str) -> None:
    """The message says where, what was tried and how often, and none of the secrets."""
    store = open_store("s3://bucket/some", nobody)
    attempts = {
        "read": lambda: store.get("key"),
        "write": lambda: store.put("key", b""),
        "describe": lambda: store.head("key"),
        "delete": lambda: store.delete("key"),
        "list": lambda: anext(store.list()),
    }
    with pytest.raises(NotAvailable, match=rf"could not {verb} s3://bucket/some.*after 3 retries") as caught:
        await attempts[verb]()
    _no_secrets_in(caught.value)


def _no_secrets_in(error: BaseException) -> None:
    assert error.__cause__ is None
    assert not any(secret in str(error) for secret in SECRETS.values())


async def test_a_server_that_repeats_secrets_is_not_quoted() -> None:
    """S3 answers a bad signature with all it was sent, the token included."""
    body = f"<?xml version='1.0'?><Error><Code>SignatureDoesNotMatch</Code><Token>{SECRETS['session_token']}</Token></Error>"
    with _answering(403, body) as endpoint:
        store = open_store("s3://bucket", {"endpoint": endpoint, "region": "x", "allow_http": "true", **SECRETS})
        with pytest.raises(NotAvailable, match=r"could not read s3://bucket/key.*SignatureDoesNotMatch") as caught:
            await store.get("key")
    _no_secrets_in(caught.value)


@contextmanager
def _answering(status: int, body: str) -> Iterator[str]:
    """Run a server that gives one answer to everything."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_command_that_meets_an_absent_store_ends_with_its_own_code(nobody: dict[str, str]) -> None:
    """A foreign thread that still holds the error must not abort the interpreter."""
    program = (
        "import asyncio, json, sys\n"
        "from rapid.errors import NotAvailable\n"
        "from rapid.stores import open_store\n"
        "async def main():\n"
        "    try:\n"
        "        await open_store('s3://bucket', json.loads(sys.argv[1])).get('key')\n"
        "    except NotAvailable:\n"
        "        sys.exit(7)\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, json.dumps(nobody)], check=False, capture_output=True, timeout=60
    )
    assert ended.returncode == 7, ended.stderr.decode()


async def test_a_root_that_vanished_is_not_an_empty_store(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "mount"))
    (tmp_path / "mount").rmdir()
    with pytest.raises(NotAvailable, match="mount is not there"):
        [found async for found in store.list()]


async def test_a_bucket_that_is_not_there_is_named(s3: S3Server) -> None:
    store = open_store("s3://no-such-bucket/x", s3.options)
    with pytest.raises(NotAvailable, match=r"could not list s3://no-such-bucket/x.*NoSuchBucket"):
        [found async for found in store.list()]


async def test_s3_keeps_the_media_type_and_a_foreign_key_is_named(s3: S3Server) -> None:
    bucket, client = s3.bucket(), s3.client()
    store = open_store(f"s3://{bucket}/pre", s3.options)
    await store.put("a.json", b"{}", media_type="application/json")
    assert client.head_object(Bucket=bucket, Key="pre/a.json")["ContentType"] == "application/json"
    client.put_object(Bucket=bucket, Key="pre/a//b", Body=b"")
    with pytest.raises(BadName, match=r"pre/a//b.*empty path segment"):
        [found async for found in store.list()]


# --- directories -------------------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with a file, and all the links that a hostile or tired hand leaves behind."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.fits").write_bytes(b"secret")
    root = tmp_path / "root"
    (root / "night").mkdir(parents=True)
    (root / "night" / "raw.fits").write_bytes(b"raw")
    (root / "file.fits").symlink_to(tmp_path / "outside" / "secret.fits")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "dangling.fits").symlink_to(tmp_path / "nowhere.fits")
    (root / "loop.fits").symlink_to(root / "loop.fits")
    (root / "within.fits").symlink_to(root / "night" / "raw.fits")
    os.mkfifo(root / "pipe.fits")
    return root


@pytest.mark.parametrize("key", ["file.fits", "folder/secret.fits", "folder/new.fits", "dangling.fits"])
async def test_a_link_that_leads_out_is_refused(root: Path, key: str) -> None:
    store = open_store(str(root))
    for refuse in (store.get(key), store.put(key, b"x"), store.head(key), store.delete(key)):
        with pytest.raises(BadName, match="a link leads out of the directory"):
            await refuse
    with pytest.raises(BadName, match="a link leads out of the directory"):
        local_path(str(root), key)
    with pytest.raises(BadName, match="a link leads out of the directory"):
        read(str(root), key)
    assert (root.parent / "outside" / "secret.fits").read_bytes() == b"secret"
    assert sorted(path.name for path in (root.parent / "outside").iterdir()) == ["secret.fits"]


async def test_a_link_inside_the_directory_is_followed(root: Path) -> None:
    assert await open_store(str(root)).get("within.fits") == b"raw"
    assert local_path(str(root), "within.fits") == root / "within.fits"


@pytest.mark.parametrize("key", ["pipe.fits", "night", "loop.fits"])
async def test_what_is_no_file_is_not_available(root: Path, key: str) -> None:
    with pytest.raises(NotAvailable, match=key):
        await open_store(str(root)).get(key)
    with pytest.raises(NotAvailable, match=key):
        local_path(str(root), key)


async def test_odd_names_do_not_end_a_listing(root: Path) -> None:
    for name in (b"not-utf8-\xff.fits", b"new\nline.fits", b"back\\slash.fits", b"unfinished.fits#1"):
        Path(os.fsdecode(bytes(root) + b"/" + name)).write_bytes(b"odd")
    assert {found.key async for found in open_store(str(root)).list()} == {"night/raw.fits", "within.fits"}


@pytest.mark.parametrize("key", ["a" * 251, "ä" * 130, "unfinished#1", "a#12/b"])
async def test_a_name_no_file_can_have_is_refused(root: Path, key: str) -> None:
    with pytest.raises(BadName, match="at most 250 bytes that do not end in # and digits"):
        await open_store(str(root)).put(key, b"")


async def test_the_tag_of_a_file_is_its_size_and_time(root: Path) -> None:
    os.utime(root / "night" / "raw.fits", ns=(1, 1_700_000_000_123_456_789))
    described = await open_store(str(root)).head("night/raw.fits")
    assert described.etag == "3-1700000000123456789"
    assert described.modified.isoformat() == "2023-11-14T22:13:20.123456+00:00"


def test_a_local_path_is_where_the_file_is(root: Path) -> None:
    assert local_path(root.as_uri(), "night/raw.fits") == root / "night" / "raw.fits"
    assert local_path(str(root), "night/raw.fits") == root / "night" / "raw.fits"
    assert local_path("memory:///x", "night/raw.fits") is None
    assert local_path("s3://bucket", "night/raw.fits") is None
    with pytest.raises(NotAvailable, match=r"no\.fits is not there"):
        local_path(str(root), "no.fits")
    with pytest.raises(BadName, match="climbs out"):
        local_path(str(root), "../outside/secret.fits")

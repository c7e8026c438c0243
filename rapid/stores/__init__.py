"""Places with keys and bytes: a directory, an S3 bucket, memory, all through obstore and one port.

A store is named by a URL: ``file:///dir`` or a plain path, ``s3://bucket/prefix``, ``memory:///name``. What comes
back is a `rapid.ports.Store`; code of a worker process, which has no event loop, uses `read` and `local_path`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import MemoryStore, S3Store

from rapid.errors import ConfigError
from rapid.ports import Store
from rapid.stores.directory import Directory
from rapid.stores.objects import Objects
from rapid.stores.threaded import ThreadedStore

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

__all__ = ["canonical_url", "local_path", "open_store", "read"]

CONNECT_TIMEOUT = timedelta(seconds=5)
"""A summit network answers in milliseconds; longer means that nobody is there."""
REQUEST_TIMEOUT = timedelta(seconds=30)
"""One request with its body: a 26 MB raw of LSSTCam over a 10 Mbit/s line."""
RETRIES = 3
"""The pipeline tries the whole task again, so a request need not be stubborn."""
RETRY_FOR = timedelta(seconds=30)
"""No retry starts later, so a call ends within a minute and a process that is told to end can."""

_EXPECTED = "expected file:///directory, a plain path, s3://bucket/prefix or memory:///name"
_CLIENT_SWITCHES = ("allow_http", "allow_invalid_certificates")
_S3_WORDS = ("endpoint", "region", "access_key_id", "secret_access_key", "session_token", "checksum_algorithm")
_S3_SWITCHES = ("virtual_hosted_style_request", "skip_signature", "unsigned_payload", "disable_tagging")
_SECRET = ("access_key_id", "secret_access_key", "session_token")


def open_store(url: str, options: Mapping[str, str] | None = None) -> Store:
    """Open a store.

    Parameters
    ----------
    url
        ``file:///dir`` or a plain path (made if it is not there), ``s3://bucket/prefix``, or ``memory:///name``, which is
        the same store for everybody in this process who says the same name.
    options
        For S3 only: ``endpoint``, ``region``, ``access_key_id``, ``secret_access_key``, ``session_token``,
        ``allow_http`` and the like. What is not given is taken from where AWS clients look for it (``AWS_*``).

    Raises
    ------
    ConfigError
        If the URL or an option is not one that is known.
    NotAvailable
        If a directory cannot be made.
    """
    return _opened(url, options)


def read(url: str, key: str, options: Mapping[str, str] | None = None) -> bytes:
    """Read an object, blocking; for worker processes.

    A process made by ``fork`` after its parent used S3 must not call this: obstore's threads are not forked with it.

    Raises
    ------
    NotAvailable, BadName, ConfigError
        As `open_store` and ``Store.get``.
    """
    return _opened(url, options).objects.get(key)


def local_path(url: str, key: str) -> Path | None:
    """Find the file behind a key, or None when the store is not a directory.

    Raises
    ------
    BadName
        If the key, or a link on its way, leads out of the directory.
    NotAvailable
        If there is no such file.
    """
    if _scheme(url) != "file":
        return None
    objects = _opened(url, None).objects
    return objects.file(key) if isinstance(objects, Directory) else None


def canonical_url(url: str) -> str:
    """Write the URL of a store so that it means the same in another process: a plain path becomes an absolute URL.

    Raises
    ------
    ConfigError
        If it is not the URL of a store. What looks like a password in it is not repeated.
    """
    scheme, parts = _scheme(url), urlsplit(url)
    if "://" in url and "@" in parts.netloc:
        raise ConfigError("credentials do not belong into the URL of a store: give them as options")
    if "://" in url and (parts.query or parts.fragment):
        odd = f"the URL of a store has no ? and no #, {url!r} does; in a directory's they are written %3F and %23"
        raise ConfigError(odd)
    if scheme == "file":
        return _directory_of(url).as_uri()
    if scheme == "s3" and parts.netloc:
        return f"s3://{parts.netloc}/{parts.path.strip('/')}".rstrip("/")
    if scheme == "memory" and not parts.netloc:
        return f"memory:///{parts.path.strip('/')}"
    wrong = f"{url!r} is not a store; {_EXPECTED}"
    raise ConfigError(wrong)


def _opened(url: str, options: Mapping[str, str] | None) -> ThreadedStore:
    return _open(canonical_url(url), tuple(sorted((options or {}).items())))


@lru_cache(maxsize=16)
def _open(url: str, options: tuple[tuple[str, str], ...]) -> ThreadedStore:
    """Open a store once: an S3 client keeps its connections."""
    scheme = _scheme(url)
    if scheme == "s3":
        return ThreadedStore(_bucket(url, dict(options)))
    if scheme == "memory":
        return ThreadedStore(Objects(_memory(urlsplit(url).path), url))
    return ThreadedStore(Directory(_directory_of(url)))


@cache
def _memory(name: str) -> MemoryStore:  # noqa: ARG001 -- the name is what it is remembered by
    return MemoryStore()


def _bucket(url: str, options: Mapping[str, str]) -> Objects:
    _refuse_unknown(options)
    parts = urlsplit(url)
    times = {"connect_timeout": CONNECT_TIMEOUT, "timeout": REQUEST_TIMEOUT}
    client = cast("ClientConfig", {**times, **_switches(options, _CLIENT_SWITCHES)})
    retry: RetryConfig = {"max_retries": RETRIES, "retry_timeout": RETRY_FOR}
    words = {name: options[name] for name in _S3_WORDS if name in options}
    try:
        backend = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options=client,
            retry_config=retry,
            config=cast("S3Config", {**words, **_switches(options, _S3_SWITCHES)}),
        )
    except (BaseError, ValueError) as error:
        unusable = f"{url} cannot be opened: {str(error).partition(chr(10))[0]}"
        raise ConfigError(unusable) from None
    return Objects(backend, url, secrets=tuple(options[name] for name in _SECRET if options.get(name)))


def _refuse_unknown(options: Mapping[str, str]) -> None:
    known = {*_CLIENT_SWITCHES, *_S3_WORDS, *_S3_SWITCHES}
    if unknown := sorted(set(options) - known):
        wrong = f"unknown store options {', '.join(unknown)}; known are {', '.join(sorted(known))}"
        raise ConfigError(wrong)
    if "@" in options.get("endpoint", ""):
        raise ConfigError("credentials do not belong into the endpoint of a store: give them as options")


def _switches(options: Mapping[str, str], names: Iterable[str]) -> dict[str, bool]:
    given = {name: options[name] for name in names if name in options}
    for name, word in given.items():
        if word.lower() not in {"true", "false"}:
            wrong = f"store option {name} is {word!r}; expected true or false"
            raise ConfigError(wrong)
    return {name: word.lower() == "true" for name, word in given.items()}


def _scheme(url: str) -> str:
    """``file`` for a plain path."""
    scheme, mark, _ = url.partition("://")
    return scheme.lower() if mark else "file"


def _directory_of(url: str) -> Path:
    if "://" not in url:
        path = os.path.expanduser(url)  # noqa: PTH111 -- the empty one must stay empty
    else:
        parts = urlsplit(url)
        path = unquote(parts.path, errors="surrogateescape") if parts.netloc in {"", "localhost"} else ""
    if not path or "\0" in path:
        wrong = f"{url!r} is not a store; {_EXPECTED}"
        raise ConfigError(wrong)
    return Path(path).absolute()

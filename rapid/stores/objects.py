"""A store on any backend of obstore, blocking: keys are checked, waits are limited, errors are translated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, InvalidPathError

from rapid.errors import BadName, NotAvailable
from rapid.events import check_key
from rapid.ports import StoredObject

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

__all__ = ["CHUNK", "Objects"]

CHUNK = 500
"""Objects of a listing that are fetched at once."""


class Objects:
    """A store on a backend that needs no more than obstore does.

    Parameters
    ----------
    backend
        The store of obstore.
    url
        How it is called in messages.
    secrets
        Words that are blotted out of messages.
    attributes
        Whether the backend keeps a media type.
    """

    def __init__(
        self, backend: ObjectStore, url: str, *, secrets: tuple[str, ...] = (), attributes: bool = True
    ) -> None:
        self._backend, self.url, self._secrets, self._attributes = backend, url, secrets, attributes

    def get(self, key: str) -> bytes:
        """Read an object."""
        with self._door("read", key):
            return obstore.get(self._backend, check_key(key)).bytes().to_bytes()

    def put(self, key: str, body: bytes, media_type: str) -> None:
        """Write an object so that a reader sees all of it or none."""
        with self._door("write", key):
            attributes = {"Content-Type": media_type} if self._attributes else None
            obstore.put(self._backend, check_key(key), body, attributes=attributes)

    def head(self, key: str) -> StoredObject:
        """Describe an object."""
        with self._door("describe", key):
            return _described(obstore.head(self._backend, check_key(key)))

    def list(self, place: str) -> Iterator[StoredObject]:
        """Go through the objects below a place: ``a`` holds ``a/b`` and not ``ab``. The empty place is everything."""
        if place:
            check_key(place)
        with self._door("list", place):
            for chunk in obstore.list(self._backend, place or None, chunk_size=CHUNK):
                yield from map(_described, chunk)

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        with self._door("delete", key):
            try:
                obstore.delete(self._backend, check_key(key))
            except FileNotFoundError:
                return

    @contextmanager
    def _door(self, verb: str, key: str) -> Iterator[None]:
        """Translate what a backend raises.

        The original is not chained: the answer of an S3 server can repeat the session token it was sent.
        """
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            missing = f"{self._place(key)} is not there"
            raise NotAvailable(missing) from None
        except InvalidPathError as error:
            raise BadName(self._said(error), subject=self._place(key), expected="keys without empty parts") from None
        except (BaseError, OSError) as error:
            broken = f"could not {verb} {self._place(key)}: {self._said(error)}"
            raise NotAvailable(broken) from None

    def _place(self, key: str) -> str:
        return f"{self.url.rstrip('/')}/{key}"

    def _said(self, error: Exception) -> str:
        """Take the sentence out of a foreign error: without its dump, the server's XML, and anything secret."""
        line = str(error).partition("\n\nDebug source")[0]
        code = re.search(r"<Code>(\w+)</Code>", line)
        line = " ".join(re.split(r"<\?xml|<Error", line)[0].split())
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return f"{line} {code[1]}" if code else line


def _described(found: ObjectMeta) -> StoredObject:
    return StoredObject(
        key=found["path"],
        size=found["size"],
        etag=(found["e_tag"] or "").strip('"'),
        modified=found["last_modified"].astimezone(UTC),
    )

"""Which objects that are announced lie in the archive, and under which key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from rapid.errors import BadMessage, ConfigError

__all__ = ["ANY_ARCHIVE", "ArchivePlace", "split_uri"]


@dataclass(frozen=True, slots=True)
class ArchivePlace:
    """Where the archive begins.

    Attributes
    ----------
    bucket
        Its bucket, without a tenant; empty for a directory; None takes the objects of any bucket.
    prefix
        What its keys are relative to: the part of the bucket, or the directory.
    """

    bucket: str | None = None
    prefix: str = ""

    @classmethod
    def of(cls, url: str) -> Self:
        """Read the place from the URL of an archive: ``s3://bucket/prefix``, ``file:///directory``, or an absolute path.

        Raises
        ------
        ConfigError
            If it is another.
        """
        try:
            bucket, name = split_uri(url)
        except BadMessage as error:
            raise ConfigError(str(error)) from error
        if bucket is None:
            raise ConfigError(
                f"{url!r} is no place of an archive; expected s3://bucket/prefix, file:/// or an absolute path"
            )
        return cls(bucket, name.rstrip("/"))

    def key_of(self, bucket: str | None, name: str) -> str | None:
        """Give the key of an object, not checked yet; None when it does not lie in the archive.

        Parameters
        ----------
        bucket
            The object's bucket. Ceph writes ``tenant:bucket``; the tenant is not looked at. Empty for a file; None for a name
            that is relative to the archive already.
        name
            The object's name in the bucket, or its path.
        """
        if bucket is None:
            return name
        if self.bucket is not None and bucket.rpartition(":")[2] != self.bucket:
            return None
        if not self.prefix:
            return name
        return name.removeprefix(f"{self.prefix}/") if name.startswith(f"{self.prefix}/") else None


ANY_ARCHIVE = ArchivePlace()
"""Takes every object of every bucket, under its own name."""


def split_uri(uri: str) -> tuple[str | None, str]:
    """Split a URI into bucket and name: a file has the bucket ``""``, a relative name None.

    Raises
    ------
    BadMessage
        If it is of another kind than ``s3:``, ``file:`` and plain paths, or has a query.
    """
    try:
        parts = urlsplit(uri)
        path = unquote(parts.path, errors="strict")
    except ValueError as error:
        raise BadMessage("not a URI", subject=repr(uri[:120]), found=str(error)) from error
    if parts.scheme and (parts.query or parts.fragment):
        raise BadMessage("not a URI of an object", subject=repr(uri[:120]), expected="%3F for ? and %23 for #")
    if parts.scheme == "s3" and parts.netloc:
        return parts.netloc, path.lstrip("/")
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        return "", path
    if parts.scheme or parts.netloc:
        raise BadMessage(
            "not a place of an archive", subject=repr(uri[:120]), expected="s3://bucket/key, file:/// or a key"
        )
    return ("", uri) if uri.startswith("/") else (None, uri)

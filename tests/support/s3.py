"""An S3 server in this process, for what must work on a bucket as it does on a directory."""

from __future__ import annotations

import itertools
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from moto.server import ThreadedMotoServer

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and how to reach it."""

    endpoint: str
    name: str
    access_key_id: str = "testing"
    secret_access_key: str = "testing"
    region: str = "us-east-1"

    @property
    def url(self) -> str:
        """Address of the bucket, for a store."""
        return f"s3://{self.name}"

    @property
    def options(self) -> dict[str, str]:
        """The options of `rapid.stores.open_store` that go with the address."""
        return {
            "endpoint": self.endpoint,
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
            "region": self.region,
            "allow_http": "true",
        }


@contextmanager
def server() -> Iterator[str]:
    """Serve S3 on a free port of this machine; yield the URL."""
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        running.stop()


def new_bucket(endpoint: str) -> Bucket:
    """Create a bucket that nobody else uses."""
    bucket = Bucket(endpoint, f"rapid-test-{next(_numbers)}")
    request = urllib.request.Request(f"{endpoint}/{bucket.name}", method="PUT")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200
    return bucket

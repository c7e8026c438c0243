"""A real S3 server in this process, on a free port of the loopback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import boto3
from moto.server import ThreadedMotoServer

_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class S3Server:
    """Where the server listens, and how a bucket of its own is had."""

    endpoint: str

    @property
    def options(self) -> dict[str, str]:
        """What `open_store` needs to reach it."""
        return {
            "endpoint": self.endpoint,
            "region": "us-east-1",
            "access_key_id": "AKIATESTTESTTESTTEST",
            "secret_access_key": "a-secret-that-nobody-may-see",
            "allow_http": "true",
        }

    def client(self) -> object:
        """Open a client that is not ours, to look behind the store's back."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.options["access_key_id"],
            aws_secret_access_key=self.options["secret_access_key"],
        )

    def bucket(self) -> str:
        """Make an empty bucket and return its name."""
        name = f"rapid-{next(_NUMBERS)}"
        self.client().create_bucket(Bucket=name)
        return name


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run a server; it is gone when the block ends."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # not a line for every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3Server(f"http://{host}:{port}")
    finally:
        server.stop()

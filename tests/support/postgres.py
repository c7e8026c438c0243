"""A real PostgreSQL on a free port of the loopback, in a directory of its own, as often as a test wants it ended."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import psycopg

from rapid.ledger.databases import open_engines
from rapid.ledger.migrate import upgrade

__all__ = ["PostgresServer", "find_postgres", "postgres_server"]

START = 60.0
"""Longest a start may take [s]; it takes a third of one on an idle machine."""

_NUMBERS = count(1)
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
shared_buffers = 16MB
fsync = off  # nobody pulls the plug in a test, and a killed server loses nothing that the kernel has
log_destination = stderr
"""


def find_postgres() -> Path | None:
    """Find the directory of the server's programs; Debian keeps them off the path, one directory a version."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda place: int(place.parts[-3]))
    on_path = shutil.which("initdb")
    found = installed[-1] if installed else Path(on_path).resolve() if on_path else None
    return found.parent if found else None


@contextmanager
def postgres_server(programs: Path) -> Iterator[PostgresServer]:
    """Run a server; it and its directory are gone when the block ends."""
    place = Path(tempfile.mkdtemp(prefix="rapid-postgres-"))
    server = PostgresServer(programs, place)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(place)


class PostgresServer:
    """One cluster of databases, and the process that serves it."""

    def __init__(self, programs: Path, place: Path) -> None:
        self._programs, self._place, self._port = programs, place, _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._migrated = False
        self._user = "nobody" if os.geteuid() == 0 else None  # the server refuses to run as root

    def create(self) -> None:
        """Make the cluster; its superuser is ``rapid``, who needs no password from this machine."""
        if self._user:
            known = pwd.getpwnam(self._user)
            os.chown(self._place, known.pw_uid, known.pw_gid)
        words = ("--auth=trust", "--username=rapid", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        made = subprocess.run(
            [self._programs / "initdb", "--pgdata", self._place / "data", *words],
            capture_output=True, text=True, check=False, user=self._user, extra_groups=self._groups, cwd=self._place,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        with (self._place / "data" / "postgresql.conf").open("a") as file:
            file.write(_CONFIGURATION)

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._place / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._place / "data", "-p", str(self._port)],
                stdout=log, stderr=log, user=self._user, extra_groups=self._groups, cwd=self._place,
            )  # fmt: skip
        end = time.monotonic() + START
        while not self._answers():
            if time.monotonic() > end or self._process.poll() is not None:
                raise AssertionError("PostgreSQL did not start:\n" + (self._place / "log").read_text()[-2000:])
            time.sleep(0.02)

    def stop(self) -> None:
        """End it in order, throwing out whoever is connected."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        assert self._process.wait(60) == 0

    def kill(self) -> None:
        """End it without a word, and those that it had started."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)  # a kill would leave its children at the shared memory
            self._process.wait(60)

    def url(self, database: str) -> str:
        """Address of a database."""
        return f"postgresql://rapid@127.0.0.1:{self._port}/{database}"

    def ledger(self) -> str:
        """Make a database with an empty ledger in it and return its address: a copy of one that was migrated once."""
        if not self._migrated:
            self.run("CREATE DATABASE migrated TEMPLATE template0")
            self._migrate(self.url("migrated"))
            self._migrated = True
        return self.database(like="migrated")

    def database(self, *, like: str = "template0") -> str:
        """Make a database of its own for a test and return its address."""
        name = f"test{next(_NUMBERS)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {like}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.run(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement as superuser, outside a transaction."""
        with closing(psycopg.connect(self.url(database), autocommit=True)) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @staticmethod
    def _migrate(url: str) -> None:
        engines = open_engines(url, read_only=False, busy_timeout=timedelta(seconds=5), readers=1)
        assert engines.write is not None
        with engines.write.begin() as connection:
            upgrade(connection)
        engines.dispose()

    @property
    def _groups(self) -> list[int] | None:
        return [] if self._user else None

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

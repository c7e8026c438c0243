"""``rapid demo``: a night arrives, on this machine, now."""

from __future__ import annotations

import asyncio
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from rapid.cli.demo_bus import DemoBus, demo_bus
from rapid.cli.options import Host, Port, WorkerCount, prepare, settings_from
from rapid.cli.service import until_stopped
from rapid.errors import ConfigError, RapidError

if TYPE_CHECKING:
    from rapid.config import Settings

__all__ = ["add_to"]

_console = Console()

HEAD_START = timedelta(seconds=4)
"""From the page to the first exposure: the stars of the fields are listed meanwhile, which depend on when the night begins."""

MARK = ".rapid-demo"
"""Tells a directory that a demo made, and may be emptied, from one that somebody cares for."""


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command()(demo)


def demo(
    place: Annotated[
        Path, typer.Option("--dir", help="Where raws and results go; what an earlier demo left there is removed.")
    ] = Path("demo"),
    *,
    seed: Annotated[int, typer.Option(help="Another seed is another night.")] = 1,
    night: Annotated[str, typer.Option("--night", "-n", help="A plan: demo, night, short, or a YAML file.")] = "demo",
    bus: Annotated[
        str | None,
        typer.Option(help="kafka or mqtt: the files are announced there, heard from there, and results told there."),
    ] = None,
    broker: Annotated[
        str | None,
        typer.Option(help="host:port of the broker; unless given, that of deploy/compose.yaml on this machine."),
    ] = None,
    workers: WorkerCount = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Simulate a LATISS night in real time, watch it, and show it on a page.

    The raws are real in format and written as the camera would; from there on nothing is simulated: the same
    daemon, core and page as on the summit. Ctrl-C ends it.

    With `--bus kafka` or `--bus mqtt` the daemon does not look into the directory: another task announces each file on a
    real broker, as a store or our own contract does. `docker compose -f deploy/compose.yaml up kafka mosquitto` starts
    one; `rapid bus tap --kafka localhost:9092 '^rapid.demo.*'` shows what goes over it.
    """
    raw, state, stars = _fresh(place)
    line = None if bus is None else demo_bus(bus, broker)
    settings = settings_from(archive=str(raw), state=state, catalogue=str(stars), workers=workers, host=host, port=port)
    settings = settings if line is None else line.settings(settings)
    prepare(settings, level="warning")
    if line is not None:
        asyncio.run(line.prepare())  # a broker that is away is told at once
    from rapid.study import warm

    with _telling("compiling the numeric core (only the first time takes a while)"):
        warm()
    _list_stars(stars, night, datetime.now(UTC))  # so that there is a catalogue to start with
    until_stopped(_Night(settings, raw, stars, night, seed, line).show)


@dataclass(frozen=True, slots=True)
class _Night:
    """What is shown, once all is prepared."""

    settings: Settings
    raw: Path
    stars: Path
    plan: str
    seed: int
    line: DemoBus | None

    async def show(self, stop: asyncio.Event) -> None:
        """Run the service and the camera, and say where the page is."""
        from rapid import app

        up = asyncio.Event()

        def announce(url: str) -> None:
            _console.print(f"\nOpen [bold]{url}[/bold] in a browser and watch the night arrive. Ctrl-C ends it.\n")
            up.set()

        async with asyncio.TaskGroup() as group, _camera(self.raw, night=self.plan, seed=self.seed) as camera:
            service = group.create_task(app.run_daemon(self.settings, stop=stop, announce=announce))
            await _either(up, service)
            begins = datetime.now(UTC).replace(microsecond=0) + HEAD_START
            await asyncio.to_thread(_list_stars, self.stars, self.plan, begins)
            announcing = [] if self.line is None else [group.create_task(self.line.announce(self.raw, stop))]
            _begin(camera, begins)
            watching = group.create_task(_watch(self.settings.ledger_url, camera))
            await stop.wait()
            watching.cancel()
            await asyncio.gather(*announcing)


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Say what is waited for: with a sign of life on a terminal, with a line elsewhere."""
    if not _console.is_terminal:
        _console.print(what)
        yield
        return
    with _console.status(what):
        yield


def _fresh(place: Path) -> tuple[Path, Path, Path]:
    """Make an empty place for raws, state and stars of the demo; only one that a demo made is emptied."""
    if place.exists() and any(place.iterdir()) and not (place / MARK).exists():
        msg = f"{place} holds something that is not a demo's; say --dir with another place"
        raise ConfigError(msg)
    shutil.rmtree(place, ignore_errors=True)
    raw = place / "raw"
    raw.mkdir(parents=True)
    (place / MARK).touch()
    return raw, place / "state", place / "stars"


def _list_stars(place: Path, night: str, begins: datetime) -> None:
    """Make the reference catalogue of the fields of the night, which depend on when it begins; it replaces an earlier one."""
    from rapid.cli.simulate import plan_of
    from rapid.refcat.ingest import ingest
    from rapid.simulation.catalogue import SyntheticCatalogue
    from rapid.simulation.instruments import instrument
    from rapid.simulation.reference_table import write_reference
    from rapid.simulation.schedule import make_schedule

    plan, table = plan_of(night), place.with_suffix(".fits")
    shutil.rmtree(place, ignore_errors=True)
    camera = plan.instrument
    exposures = make_schedule(plan.exposures(), begins, first_seq_num=1, camera=camera)
    detectors = instrument(camera).chosen(plan.detectors)
    write_reference(table, exposures, detectors, SyntheticCatalogue(deep=camera != "LATISS"))
    ingest([table], place, name="stars of the demo")


async def _either(up: asyncio.Event, service: asyncio.Task[None]) -> None:
    """Wait until the page is up, or the service has ended without it."""
    waiting = asyncio.ensure_future(up.wait())
    await asyncio.wait({waiting, service}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


@asynccontextmanager
async def _camera(raw: Path, *, night: str, seed: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the simulated camera in a process of its own; it makes ready, and ends when this process does, however it ends."""
    words = ["-m", "rapid", "simulate", str(raw), "--night", night, "--seed", str(seed), "--pace", "real", "--attended"]
    camera = await asyncio.create_subprocess_exec(sys.executable, *words, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL)
    try:
        yield camera
    finally:
        with suppress(ProcessLookupError):
            camera.terminate()
        await camera.wait()


def _begin(camera: asyncio.subprocess.Process, begins: datetime) -> None:
    """Tell the camera when its night begins."""
    if camera.stdin is not None:  # it was started with a pipe
        camera.stdin.write(f"{begins.isoformat()}\n".encode())


async def _watch(ledger_url: str, camera: asyncio.subprocess.Process) -> None:
    """Keep one line of the state of affairs on the terminal."""
    from rapid.ledger import open_ledger

    async with open_ledger(ledger_url, read_only=True) as ledger:
        with Live(console=_console, refresh_per_second=4, transient=False) as live:
            while True:
                with suppress(RapidError):
                    counts = await ledger.counts()
                    night = "the camera is observing" if camera.returncode is None else "the night is over"
                    live.update(
                        Text(
                            f"{night}: {counts.received} received, {counts.done} on the page, "
                            f"{counts.waiting + counts.running} in work, {counts.failed} failed (some should)"
                        )
                    )
                await asyncio.sleep(0.5)

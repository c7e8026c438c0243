"""``rapid bus``: look at what is said on Kafka or MQTT, and announce files there."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rapid.cli.options import AsJson, ConfigFile
from rapid.cli.service import until_stopped
from rapid.cli.text import shown
from rapid.config import load_settings
from rapid.errors import ConfigError

if TYPE_CHECKING:
    from rapid.announce import Bus
    from rapid.announce.files import FileAnnouncer
    from rapid.app.tapping import Said
    from rapid.config import Settings
    from rapid.events import FileArrived

__all__ = ["add_to"]

_bus = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Look at what is said on Kafka or MQTT, and announce files there.",
)

KafkaServers = Annotated[
    str | None,
    typer.Option("--kafka", help="host:port of some brokers, with commas between; those of the settings unless given."),
]
MqttServer = Annotated[
    str | None, typer.Option("--mqtt", help="host:port of the broker; that of the settings unless given.")
]

WIDTHS = (12, 36, 18, 21)
"""Of the columns time, topic, kind and obs_id; the last one has what is left."""


def add_to(cli: typer.Typer) -> None:
    """Register the commands."""
    _bus.command()(tap)
    _bus.command()(publish)
    cli.add_typer(_bus, name="bus")


def tap(
    topics: Annotated[
        list[str] | None,
        typer.Argument(
            help="Topics of Kafka (one that begins with ^ is a pattern), or filters of MQTT.", show_default=False
        ),
    ] = None,
    *,
    kafka: KafkaServers = None,
    mqtt: MqttServer = None,
    registry: Annotated[
        str | None,
        typer.Option(help="URL of the schema registry, for events in Avro; that of the settings unless given."),
    ] = None,
    beginning: Annotated[
        bool, typer.Option("--from-beginning", "-b", help="Begin with the oldest message that Kafka has.")
    ] = False,
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="End after so many lines.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    r"""Show what is said on a bus, decoded, as it comes: time, topic, kind, exposure, and key or reason. Ctrl-C ends it.

    It leaves no trace: no offset is committed and no session is kept, so a service that reads the same loses nothing by
    it. What cannot be decoded is shown as **malformed** with the reason, and what the service would pass over as
    **ignored**. With neither `--kafka` nor `--mqtt` the buses of the settings are shown; `--json` prints one object
    a line, with all of the message.

    Passwords and certificates are those of the settings: `[kafka]` and `[mqtt]`, or `RAPID_KAFKA__PASSWORD`.

    Like this:

    `rapid bus tap -c /etc/rapid/rapid.toml`

    `rapid bus tap --kafka localhost:9092 lsst.s3.raw.latiss '^lsst\.sal\.ATCamera\..*' --from-beginning`

    `rapid bus tap --mqtt localhost:1883 'summit/+/file/#' --json`
    """
    settings = _settings(config, kafka=kafka, mqtt=mqtt, topics=topics or [], registry=registry)
    from rapid.app.tapping import open_tap, topics_of

    async def show(stop: asyncio.Event) -> None:
        on_kafka = settings.kafka if settings.kafka.servers else None
        on_mqtt = settings.mqtt if settings.mqtt.server else None
        filters = tuple(topics) if topics else topics_of(settings.mqtt)
        async with open_tap(on_kafka, on_mqtt, filters=filters, beginning=beginning) as opened:
            if not as_json:
                _print_line("time", "topic", "kind", "obs_id", "key")

            async def print_all() -> None:
                left = count
                async for said in opened:
                    _print_said(said, as_json=as_json)
                    left = None if left is None else left - 1
                    if left == 0:
                        return

            await _until_done_or_stopped(print_all(), stop)

    until_stopped(show)


def publish(
    directory: Annotated[Path, typer.Argument(help="Where the raw files are, or will be.")],
    *,
    kafka: KafkaServers = None,
    topic: Annotated[
        str | None, typer.Option("--topic", "-t", help="Topic of Kafka; the first one of the settings unless given.")
    ] = None,
    mqtt: MqttServer = None,
    root: Annotated[
        str | None, typer.Option(help="Root of the topics of MQTT; that of the settings unless given.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--as",
            help="`s3`: as an object store notifies; `contract`: as docs/schemas says. "
            "Unless given: s3 on Kafka, contract on MQTT.",
        ),
    ] = None,
    place: Annotated[str, typer.Option(help="Where the files are said to lie: s3://bucket/prefix.")] = "s3://raw",
    rate: Annotated[
        float | None, typer.Option("--rate", "-r", min=0.001, help="So many files a second; at once unless given.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written there later.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Announce the raw files of a directory on Kafka or MQTT, in the order in which they were taken.

    For tests at the summit: a service on the same bus, whose archive is that directory (or a copy of it), takes them for
    what the camera wrote just now. In its settings `announced = "s3://raw"` says that such objects lie in its archive,
    and `archive.watch = false` that it shall not find them by itself.

    With `--follow` it goes on with files as they are completed, and waits for a bus that goes away; Ctrl-C ends it.

    Like this:

    `rapid simulate OUT --pace real & rapid bus publish OUT --follow --kafka localhost:9092 -t lsst.s3.raw.latiss`

    `rapid bus publish /data/raw/LATISS/20260315 --mqtt localhost:1883 --root summit --rate 2`
    """
    settings = _settings(config, kafka=kafka, mqtt=mqtt, topics=[topic] if topic else [], root=root)
    bus, announcer = _target(settings, form, place)
    from rapid.app.publishing import publish_files

    done = {"published": 0, "passed over": 0}

    def note(what: str, file: FileArrived) -> None:
        done[what] += 1
        if as_json:
            typer.echo(json.dumps({"key": file.key, "published": what == "published"}))

    async def run(stop: asyncio.Event) -> None:
        await publish_files(
            directory, bus, announcer, rate=rate, follow=follow, stop=stop,
            published=lambda file: note("published", file), passed_over=lambda file: note("passed over", file),
        )  # fmt: skip

    try:
        until_stopped(run)
    finally:
        if not as_json:
            left_out = f"; {done['passed over']} have no name that the contract knows" if done["passed over"] else ""
            typer.echo(f"{done['published']} files announced{left_out}")


def _settings(
    config: Path | None,
    *,
    kafka: str | None,
    mqtt: str | None,
    topics: list[str],
    registry: str | None = None,
    root: str | None = None,
) -> Settings:
    """Read the settings; a bus that is named on the command line is the only one.

    Raises
    ------
    ConfigError
        If there is no bus, or nothing to read or write there.
    """
    named = {name for name in topics if not name.startswith("^")}
    patterns = [name for name in topics if name.startswith("^")]
    said: dict[str, Any] = {"kafka": {}, "mqtt": {}}
    if kafka is not None or (topics and mqtt is None):
        said["kafka"] |= {"topics": [name for name in topics if name in named], "patterns": patterns} if topics else {}
    if kafka is not None:
        said["kafka"]["servers"] = [server.strip() for server in kafka.split(",")]
    if mqtt is not None:
        said["mqtt"] |= {"server": mqtt, "topics": topics or ["#"]}
    if registry is not None:
        said["kafka"]["registry"] = registry
    if root is not None:
        said["mqtt"]["root"] = root
    settings = load_settings(config, said)
    if kafka is not None and mqtt is None:
        return settings.model_copy(update={"mqtt": settings.mqtt.model_copy(update={"server": None})})
    if mqtt is not None and kafka is None:
        return settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"servers": ()})})
    if topics and settings.kafka.servers and settings.mqtt.server is not None and kafka is None:
        raise ConfigError("the settings name Kafka and MQTT: say --kafka or --mqtt, since topics are given")
    if not settings.kafka.servers and settings.mqtt.server is None:
        raise ConfigError("no bus: say --kafka host:port or --mqtt host:port, or name a file of settings with --config")
    return settings


def _target(settings: Settings, form: str | None, place: str) -> tuple[Bus, FileAnnouncer]:
    """Choose where files are announced, and how."""
    from rapid.announce.files import contract_announcer, store_announcer
    from rapid.app.results import kafka_bus, mqtt_bus

    on_kafka = bool(settings.kafka.servers)
    if on_kafka and settings.mqtt.server is not None:
        raise ConfigError("the settings name Kafka and MQTT: say --kafka or --mqtt")
    if form not in {None, "s3", "contract"}:
        raise typer.BadParameter(f"expected s3 or contract, found {form!r}", param_hint="--as")
    if (form or ("s3" if on_kafka else "contract")) == "s3":
        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        announcer: FileAnnouncer = store_announcer(bucket, prefix.strip("/"))
    else:
        announcer = contract_announcer(place)
    if not on_kafka:
        if settings.mqtt.root is None:
            raise ConfigError("say where on MQTT: --root, or mqtt.root in the settings")
        return mqtt_bus(settings.mqtt, settings.mqtt.root, service=None), announcer
    if not settings.kafka.topics:
        raise ConfigError("say where on Kafka: --topic, or kafka.topics in the settings")
    return kafka_bus(settings.kafka, settings.kafka.topics[0]), announcer


async def _until_done_or_stopped(work: Any, stop: asyncio.Event) -> None:
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.wait({working, stopping})


def _print_said(said: Said, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_as_json(said)))
        return
    topic = f"{said.topic} {said.place}".rstrip()
    about = "  ".join(part for part in (said.key, said.detail) if part)
    _print_line(said.at.strftime("%H:%M:%S.%f")[:-3], topic, said.kind, said.obs_id, about)


def _print_line(*cells: str) -> None:
    """Print cells in columns of fixed width: what is still to come is not known."""
    *first, last = (shown(cell) for cell in cells)
    typer.echo("  ".join([*(cell.ljust(width) for cell, width in zip(first, WIDTHS, strict=True)), last]).rstrip())


def _as_json(said: Said) -> dict[str, Any]:
    message, value = said.message, said.message.value or b""
    found: dict[str, Any] = {
        "at": said.at.isoformat(),
        "bus": said.bus,
        "topic": said.topic,
        "partition": message.partition,
        "offset": message.offset,
        "retained": said.place == "retained",
        "kind": said.kind,
        "obs_id": said.obs_id,
        "key": said.key,
        "detail": said.detail,
    }
    try:
        found["value"] = json.loads(value)
    except ValueError:
        found["value_base64"] = base64.b64encode(value).decode()
    return found

"""What the daemon counts and times, for Prometheus.

The collectors live in a registry of our own, so that the page at ``/metrics`` shows what this module declares and
nothing that a library slipped into the global one. Names follow the Prometheus conventions: seconds and bytes,
``_total`` for what only grows. Labels have few values: never a file, an exposure or a message.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from rapid import __version__

__all__ = [
    "ANNOUNCED",
    "ANNOUNCED_FEED_ID",
    "ANNOUNCEMENTS_REFUSED",
    "BUS_CONNECTED",
    "BUS_IGNORED",
    "BUS_LAG",
    "BUS_LAST_MESSAGE",
    "BUS_LOST",
    "BUS_MESSAGE_AGE",
    "BUS_REBALANCES",
    "CONTENT_TYPE",
    "CPU_SECONDS",
    "DEAD_LETTERS",
    "DONE",
    "DUPLICATES",
    "FAILED",
    "FEED_ID",
    "FEED_READERS",
    "IN_FLIGHT",
    "LAST_ARRIVAL",
    "LAST_PUBLISHED",
    "QUEUE_AGE",
    "RECEIVED",
    "REGISTRY",
    "REJECTED",
    "RETRIES",
    "STAGE_SECONDS",
    "WAITING",
    "WORKERS",
    "WORKER_RESTARTS",
    "WORK_SECONDS",
    "exposition",
    "observe_stage",
]

REGISTRY: Final = CollectorRegistry(auto_describe=True)
"""Everything on the page; a test that wants a fresh one passes its own to `exposition`."""

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The text format that every Prometheus since 0.4 reads."""

_LATENCY_BUCKETS: Final = (0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10, 15, 30, 60, 120, 300, 900, 3600)
"""Seconds: fine around the 3 s a LATISS exposure may take and the 2 s read-out before it, coarse where a backlog lies."""

_WORK_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60)
"""Seconds: one stage of the work takes milliseconds to a second or two; past a minute its worker is killed."""

# --- what comes in -----------------------------------------------------------------------------------------------

RECEIVED: Final = Counter(
    "rapid_received", "Announcements that were recorded as new arrivals.", ["source"], registry=REGISTRY
)
REJECTED: Final = Counter(
    "rapid_rejected",
    "Announcements that could not be used and were kept as dead letters.",
    ["source"],
    registry=REGISTRY,
)
DUPLICATES: Final = Counter("rapid_duplicates", "Announcements of what was recorded already.", registry=REGISTRY)
LAST_ARRIVAL: Final = Gauge(
    "rapid_last_arrival_timestamp_seconds", "When the newest arrival was recorded, Unix time (UTC).", registry=REGISTRY
)

# --- the bus -----------------------------------------------------------------------------------------------------

BUS_CONNECTED: Final = Gauge(
    "rapid_bus_connected", "Whether the brokers answer (1) or not (0).", ["source"], registry=REGISTRY
)
BUS_LAG: Final = Gauge(
    "rapid_bus_lag",
    "Messages of a topic that are on the bus and were not read yet.",
    ["source", "topic"],
    registry=REGISTRY,
)
BUS_LAST_MESSAGE: Final = Gauge(
    "rapid_bus_last_message_timestamp_seconds",
    "When the last message was taken from the bus, Unix time (UTC), by our own clock.",
    ["source"],
    registry=REGISTRY,
)
BUS_MESSAGE_AGE: Final = Gauge(
    "rapid_bus_message_age_seconds",
    "How long ago the newest message had been sent when it was taken, by its own stamp; zero where that lies ahead of us.",
    ["source"],
    registry=REGISTRY,
)
BUS_REBALANCES: Final = Counter(
    "rapid_bus_rebalances", "How often partitions were given to us anew.", ["source"], registry=REGISTRY
)
BUS_LOST: Final = Counter(
    "rapid_bus_lost",
    "Messages thrown away before they were read: by the broker, or by us where there is no guarantee (MQTT, QoS 0).",
    ["source"],
    registry=REGISTRY,
)
BUS_IGNORED: Final = Counter(
    "rapid_bus_ignored", "Messages that are in order and ask for nothing, by why.", ["source", "why"], registry=REGISTRY
)

# --- what other systems are told ---------------------------------------------------------------------------------

ANNOUNCED: Final = Counter(
    "rapid_announced", "Messages that a bus took from us, repeats included.", ["bus", "schema"], registry=REGISTRY
)
ANNOUNCED_FEED_ID: Final = Gauge(
    "rapid_announced_feed_id",
    "How far the feed is published; how much is still to be is the distance from rapid_feed_id.",
    ["bus"],
    registry=REGISTRY,
)
ANNOUNCEMENTS_REFUSED: Final = Counter(
    "rapid_announcements_refused",
    "Messages that can never be published, as one too large.",
    ["bus"],
    registry=REGISTRY,
)

# --- what is being done ------------------------------------------------------------------------------------------

WAITING: Final = Gauge("rapid_waiting", "Arrivals that wait for a worker.", ["lane"], registry=REGISTRY)
QUEUE_AGE: Final = Gauge(
    "rapid_queue_age_seconds", "How long the oldest waiting arrival has been waiting.", ["lane"], registry=REGISTRY
)
IN_FLIGHT: Final = Gauge("rapid_in_flight", "Attempts that are running.", registry=REGISTRY)
WORKERS: Final = Gauge("rapid_workers", "Worker processes that are up.", registry=REGISTRY)
WORKER_RESTARTS: Final = Counter(
    "rapid_worker_restarts", "Workers that were replaced, by why.", ["why"], registry=REGISTRY
)

# --- what became of it -------------------------------------------------------------------------------------------

DONE: Final = Counter("rapid_done", "Arrivals whose row was published.", ["instrument"], registry=REGISTRY)
RETRIES: Final = Counter(
    "rapid_retries", "Attempts that failed and are made again.", ["instrument", "kind"], registry=REGISTRY
)
FAILED: Final = Counter(
    "rapid_failed", "Arrivals that were given up, by class of error.", ["instrument", "kind"], registry=REGISTRY
)
DEAD_LETTERS: Final = Gauge("rapid_dead_letters", "Dead letters that nobody has retried.", registry=REGISTRY)
FEED_ID: Final = Gauge("rapid_feed_id", "Newest id of the feed.", registry=REGISTRY)
FEED_READERS: Final = Gauge("rapid_feed_readers", "Pages that follow the feed live.", registry=REGISTRY)
LAST_PUBLISHED: Final = Gauge(
    "rapid_last_published_timestamp_seconds", "When the newest row was published, Unix time (UTC).", registry=REGISTRY
)

# --- how long it took --------------------------------------------------------------------------------------------

STAGE_SECONDS: Final = Histogram(
    "rapid_stage_seconds",
    "Seconds until a stage was reached, since the shutter closed (since=shutter) or the file was complete (since=file).",
    ["since", "stage"],
    buckets=_LATENCY_BUCKETS,
    registry=REGISTRY,
)
WORK_SECONDS: Final = Histogram(
    "rapid_work_seconds",
    "Wall time of one stage of the work on one exposure.",
    ["stage"],
    buckets=_WORK_BUCKETS,
    registry=REGISTRY,
)
CPU_SECONDS: Final = Histogram(
    "rapid_cpu_seconds",
    "CPU time of the whole work on one exposure.",
    ["instrument"],
    buckets=_WORK_BUCKETS,
    registry=REGISTRY,
)

Info("rapid_build", "What is running.", registry=REGISTRY).info({"version": __version__})
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)


def observe_stage(stage: str, *, at: datetime, shutter_closed_at: datetime | None, written_at: datetime | None) -> None:
    """Note that an exposure reached a stage.

    Parameters
    ----------
    stage
        ``recorded``, ``started``, ``studied``, ``published`` ...
    at, shutter_closed_at, written_at
        Aware times. One that is unknown is not counted; a clock that runs behind counts as zero, never as negative,
        since a histogram's sum must only grow.
    """
    for since, origin in (("shutter", shutter_closed_at), ("file", written_at)):
        if origin is not None:
            STAGE_SECONDS.labels(since=since, stage=stage).observe(max(0.0, (at - origin).total_seconds()))


def exposition(registry: CollectorRegistry = REGISTRY) -> bytes:
    """Render every collector in the text format of `CONTENT_TYPE`."""
    return generate_latest(registry)

"""Where the time went: from shutter close and from the complete file to the published row."""

from __future__ import annotations

from datetime import datetime, timedelta

from rapid import metrics
from rapid.ports import Attempt, Outcome

__all__ = ["observe", "timings"]

LIVE_WITHIN = timedelta(hours=1)
"""A shutter that closed longer ago was not waited for by anybody: latency since then says nothing."""


def timings(attempt: Attempt, outcome: Outcome, *, studied_at: datetime, published_at: datetime) -> dict[str, float]:
    """List wall times [s]: from the complete file to each station, from shutter close to the row, and the worker's own stages.

    ``shutter_to_published`` is there only for an exposure that was just taken.
    """
    arrival = attempt.arrival
    stations = {
        "file_to_seen": arrival.seen_at,
        "file_to_recorded": arrival.recorded_at,
        "file_to_started": attempt.started_at,
        "file_to_studied": studied_at,
        "file_to_published": published_at,
    }
    times = {name: (at - arrival.written_at).total_seconds() for name, at in stations.items()}
    shutter = live_shutter(outcome, published_at)
    if shutter is not None:
        times["shutter_to_published"] = (published_at - shutter).total_seconds()
    times |= {f"work_{stage}": seconds for stage, seconds in outcome.seconds.items()}
    times["cpu"] = outcome.cpu_seconds
    return {name: round(seconds, 4) for name, seconds in times.items()}


def observe(attempt: Attempt, outcome: Outcome, *, studied_at: datetime, published_at: datetime, feed_id: int) -> None:
    """Count a published exposure and its latencies in the metrics."""
    arrival = attempt.arrival
    shutter = live_shutter(outcome, published_at)
    stages = {
        "seen": arrival.seen_at,
        "recorded": arrival.recorded_at,
        "started": attempt.started_at,
        "studied": studied_at,
        "published": published_at,
    }
    written_at = arrival.written_at if arrival.live else None
    for stage, at in stages.items():
        metrics.observe_stage(stage, at=at, shutter_closed_at=shutter, written_at=written_at)
    for stage, seconds in outcome.seconds.items():
        metrics.WORK_SECONDS.labels(stage=stage).observe(seconds)
    instrument = outcome.row.instrument
    metrics.CPU_SECONDS.labels(instrument=instrument).observe(outcome.cpu_seconds)
    metrics.DONE.labels(instrument=instrument).inc()
    metrics.LAST_PUBLISHED.set(published_at.timestamp())
    metrics.FEED_ID.set(feed_id)


def live_shutter(outcome: Outcome, now: datetime) -> datetime | None:
    """Return when the shutter closed, if that was just now."""
    age = now - outcome.shutter_closed_at
    return outcome.shutter_closed_at if timedelta(0) <= age <= LIVE_WITHIN else None

"""What `/metrics` shows, read back by Prometheus's own parser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY as GLOBAL
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.parser import text_string_to_metric_families

import rapid
from rapid import metrics

CLOSED = datetime(2024, 6, 7, 3, 12, 0, tzinfo=UTC)


def sample(name: str, **labels: str) -> float:
    value = metrics.REGISTRY.get_sample_value(name, labels)
    assert value is not None, f"no {name} {labels} on the page"
    return value


def families() -> dict[str, object]:
    text = metrics.exposition().decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_everything_the_operator_asks_for_is_on_the_page() -> None:
    assert families().keys() >= {
        "rapid_received",
        "rapid_rejected",
        "rapid_duplicates",
        "rapid_done",
        "rapid_failed",
        "rapid_retries",
        "rapid_in_flight",
        "rapid_waiting",
        "rapid_queue_age_seconds",
        "rapid_worker_restarts",
        "rapid_workers",
        "rapid_dead_letters",
        "rapid_feed_id",
        "rapid_feed_readers",
        "rapid_last_arrival_timestamp_seconds",
        "rapid_last_published_timestamp_seconds",
        "rapid_stage_seconds",
        "rapid_work_seconds",
        "rapid_cpu_seconds",
        "process_resident_memory_bytes",
    }


def test_every_collector_of_ours_is_explained_and_named_by_the_rules() -> None:
    for name, family in families().items():
        if name.startswith("rapid_"):
            assert family.documentation.endswith("."), name
            assert not name.endswith(("_ms", "_minutes", "_kb")), name


def test_the_build_is_on_the_page() -> None:
    assert sample("rapid_build_info", version=rapid.__version__) == 1


def test_counters_count_by_label() -> None:
    before = metrics.REGISTRY.get_sample_value("rapid_received_total", {"source": "directory"}) or 0
    metrics.RECEIVED.labels(source="directory").inc(3)
    metrics.RECEIVED.labels(source="replay").inc()
    assert sample("rapid_received_total", source="directory") == before + 3


def test_a_stage_is_timed_from_the_shutter_and_from_the_file() -> None:
    metrics.observe_stage(
        "timed-twice",
        at=CLOSED + timedelta(seconds=4.5),
        shutter_closed_at=CLOSED,
        written_at=CLOSED + timedelta(seconds=2),
    )
    assert sample("rapid_stage_seconds_sum", since="shutter", stage="timed-twice") == 4.5
    assert sample("rapid_stage_seconds_sum", since="file", stage="timed-twice") == 2.5
    assert sample("rapid_stage_seconds_bucket", since="file", stage="timed-twice", le="2.5") == 1
    assert sample("rapid_stage_seconds_bucket", since="file", stage="timed-twice", le="2.0") == 0


def test_an_unknown_time_is_not_counted() -> None:
    metrics.observe_stage("no-shutter", at=CLOSED, shutter_closed_at=None, written_at=CLOSED)
    labels = {"since": "shutter", "stage": "no-shutter"}
    assert metrics.REGISTRY.get_sample_value("rapid_stage_seconds_count", labels) is None
    assert sample("rapid_stage_seconds_count", since="file", stage="no-shutter") == 1


def test_a_clock_that_runs_behind_counts_as_zero() -> None:
    metrics.observe_stage("early", at=CLOSED, shutter_closed_at=CLOSED + timedelta(seconds=9), written_at=None)
    assert sample("rapid_stage_seconds_sum", since="shutter", stage="early") == 0
    assert sample("rapid_stage_seconds_count", since="shutter", stage="early") == 1


def test_naive_and_aware_times_do_not_mix() -> None:
    naive = CLOSED.replace(tzinfo=None)
    with pytest.raises(TypeError, match="offset-naive and offset-aware"):
        metrics.observe_stage("naive", at=CLOSED, shutter_closed_at=naive, written_at=None)


def test_the_aim_of_three_seconds_is_a_bucket_of_its_own() -> None:
    metrics.observe_stage("aim", at=CLOSED + timedelta(seconds=3), shutter_closed_at=CLOSED, written_at=None)
    assert sample("rapid_stage_seconds_bucket", since="shutter", stage="aim", le="3.0") == 1


def test_nothing_of_ours_is_in_the_global_registry() -> None:
    assert not [family.name for family in GLOBAL.collect() if family.name.startswith("rapid_")]


def test_any_registry_can_be_shown() -> None:
    own = CollectorRegistry()
    Gauge("seeing", "Seeing.", registry=own).set(0.75)
    assert metrics.exposition(own).decode().splitlines()[-1] == "seeing 0.75"

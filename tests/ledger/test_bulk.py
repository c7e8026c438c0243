"""Lines that are written many at once are what SQLAlchemy would have written one by one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from rapid.ledger.bulk import insert_lines, reserve_ids
from rapid.ledger.schema import feed
from rapid.ledger.stored import stored_json, stored_time
from tests.support.ledgers import NOON


def line(number: int, **changes: object) -> dict[str, object]:
    known = {"id": number, "at": NOON, "kind": "night", "camera": "auxtel", "day_obs": 20260315, "seq_num": None}
    return known | {"body": {"camera": "auxtel", "n": number}} | changes


def test_lines_are_read_as_they_were_given(connection: sa.Connection) -> None:
    lines = [line(1), line(2, at=NOON + timedelta(microseconds=1), seq_num=7), line(3, body={})]
    insert_lines(connection, feed, lines)
    assert [dict(found) for found in connection.execute(sa.select(feed)).mappings()] == lines


def test_they_are_stored_as_sqlalchemy_stores_them(connection: sa.Connection) -> None:
    insert_lines(connection, feed, [line(1)])
    connection.execute(sa.insert(feed), [line(2, body=line(1)["body"])])
    one, other = connection.exec_driver_sql("SELECT at, kind, camera, day_obs, seq_num, body FROM feed").all()
    assert one == other


def test_numbers_go_on_from_the_last_one_ever_given(connection: sa.Connection) -> None:
    assert list(reserve_ids(connection, feed, 3)) == [1, 2, 3]
    insert_lines(connection, feed, [line(1), line(2), line(3)])
    assert list(reserve_ids(connection, feed, 2)) == [4, 5]
    connection.exec_driver_sql("DELETE FROM feed")
    connection.execute(sa.insert(feed), [{**line(0), "id": None}])
    assert list(reserve_ids(connection, feed, 1)) == [5]
    assert connection.exec_driver_sql("SELECT id FROM feed").scalars().all() == [4]


def test_nothing_needs_no_number_and_no_statement(connection: sa.Connection) -> None:
    assert list(reserve_ids(connection, feed, 0)) == []
    insert_lines(connection, feed, [])
    assert connection.exec_driver_sql("SELECT count(*) FROM feed").scalar_one() == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"at": NOON.replace(tzinfo=None)}, "without a zone"), ({"body": {"seeing": float("nan")}}, "not JSON compliant")],
)
def test_what_cannot_be_stored_is_refused(connection: sa.Connection, changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        insert_lines(connection, feed, [line(1), line(2, **changes)])


_ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))) | st.just(UTC)
_FIRST = NOON.replace(year=1970, tzinfo=None)
_MOMENTS = st.datetimes(min_value=_FIRST, max_value=_FIRST.replace(year=2200), timezones=_ZONES)


@given(_MOMENTS, _MOMENTS)
def test_a_moment_reads_back_and_sorts_as_time_does(one: datetime, other: datetime) -> None:
    assert datetime.fromisoformat(stored_time(one)) == one
    assert (stored_time(one) < stored_time(other)) == (one < other)
    assert stored_time(one).endswith("Z")


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())))
def test_json_reads_back(value: dict[str, object]) -> None:
    assert json.loads(stored_json(value)) == value

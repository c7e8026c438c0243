"""How values are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from rapid.ledger.schema import Json, UtcTime

DIALECT = sqlite.dialect()

moments = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-4)), timezone(timedelta(hours=5, minutes=45))]),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(moments, moments)
def test_a_moment_comes_back_and_sorts_as_time_does(first: datetime, second: datetime) -> None:
    kept = [UtcTime().process_bind_param(moment, DIALECT) for moment in (first, second)]
    assert [UtcTime().process_result_value(text, DIALECT) for text in kept] == [first, second]
    assert (kept[0] < kept[1]) == (first < second)  # type: ignore[operator]
    assert UtcTime().process_result_value(kept[0], DIALECT).tzinfo is UTC  # type: ignore[union-attr]


def test_a_moment_can_be_read_by_a_person() -> None:
    moment = datetime(2026, 3, 15, 3, 12, tzinfo=timezone(timedelta(hours=-3)))
    assert UtcTime().process_bind_param(moment, DIALECT) == "2026-03-15T06:12:00.000000Z"


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone cannot be recorded: 2026-03-15"):
        UtcTime().process_bind_param(datetime(2026, 3, 15), DIALECT)  # noqa: DTZ001


@given(json_values)
def test_json_comes_back(value: object) -> None:
    assert Json().process_result_value(Json().process_bind_param(value, DIALECT), DIALECT) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_has_no_number_that_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Json().process_bind_param({"deep": [value]}, DIALECT)

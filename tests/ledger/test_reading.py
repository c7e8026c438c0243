"""What is asked often is answered from an index, however long the history is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from rapid.ledger import reading
from rapid.ledger.inbox import find_claims
from rapid.ledger.table import Identity, find_entries
from rapid.ports import State
from tests.support.ledgers import DAY_OBS, NOON


def detectors(count: int) -> list[Identity]:
    return [Identity("LSSTCam", "MC_O_20260315_000001", f"R{number:02d}_S00") for number in range(count)]


def plans(connection: sa.Connection, ask: Callable[[sa.Connection], object]) -> list[str]:
    """Say how the database goes about every question that is asked."""
    asked: list[tuple[str, object]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: object, _context: object, _many: bool) -> None:
        asked.append((statement, parameters))

    sa.event.listen(connection, "before_cursor_execute", note)
    ask(connection)
    sa.event.remove(connection, "before_cursor_execute", note)
    return [
        str(step[3])
        for statement, parameters in asked
        for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
    ]


@pytest.mark.parametrize(
    ("ask", "ways"),
    [
        (reading.counts, ["COVERING INDEX ix_arrivals_state", "INDEX ix_dead_letters_open"]),
        (lambda given: reading.list_waiting(given, NOON), ["INDEX ix_arrivals_state (state=?)"]),
        (lambda given: reading.list_arrivals(given, [State.FAILED], 10), ["INDEX ix_arrivals_state (state=?)"]),
        (lambda given: reading.list_feed(given, 5, 10), ["PRIMARY KEY (rowid>?)"]),
        (reading.last_feed_id, ["SEARCH"]),
        (lambda given: find_claims(given, detectors(1)), ["(obs_id=? AND detector_name=?)"]),
        (lambda given: find_entries(given, detectors(1)), ["(obs_id=? AND detector_name=?)"]),
        (lambda given: find_claims(given, detectors(200)), ["(obs_id=?)"]),
        (lambda given: find_entries(given, detectors(200)), ["(obs_id=?)"]),
    ],
)
def test_an_index_answers(connection: sa.Connection, ask: Callable[[sa.Connection], object], ways: list[str]) -> None:
    steps = plans(connection, ask)
    assert len(steps) == len(ways), steps
    assert all(way in step for way, step in zip(ways, steps, strict=True)), steps


def test_a_night_is_read_in_order_without_sorting(connection: sa.Connection) -> None:
    steps = plans(connection, lambda connection: reading.fetch_night(connection, "auxtel", DAY_OBS))
    assert "USING INDEX ix_rows_night (camera=? AND day_obs=?)" in steps[0]
    assert "USING INDEX ix_exposures_night (camera=? AND day_obs=?)" in steps[1], "the entries need a sort"
    assert "columns" in steps[2]


def test_nights_are_summed_up_from_the_index_alone(connection: sa.Connection) -> None:
    steps = plans(connection, lambda connection: reading.list_nights(connection, "auxtel"))
    (step,) = [step for step in steps if "rows" in step]
    assert "USING COVERING INDEX ix_rows_night (camera=? AND day_obs=?)" in step

"""What comes out on standard error, line by line."""

from __future__ import annotations

import io
import json
import logging
import math
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from rapid.errors import BadHeader, ConfigError
from rapid.log import configure, logger


class Terminal(io.StringIO):
    """A stream that people look at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Put the process's logging back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    names = ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "watchfiles", "sqlalchemy", "sqlalchemy.engine")
    known = {name: (logging.getLogger(name).handlers[:], logging.getLogger(name).level) for name in names}
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, (of_library, its_level) in known.items():
        logging.getLogger(name).handlers[:] = of_library
        logging.getLogger(name).setLevel(its_level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def out() -> io.StringIO:
    stream = io.StringIO()
    configure("info", stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line, parse_constant=pytest.fail) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_when_nobody_looks(out: io.StringIO) -> None:
    logger("rapid.pipeline").info("arrival recorded", key="a/b.fits", size=12)
    (line,) = lines(out)
    said_at = datetime.fromisoformat(str(line.pop("timestamp")))
    assert said_at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - said_at) < timedelta(seconds=10)
    assert line == {
        "event": "arrival recorded",
        "level": "info",
        "logger": "rapid.pipeline",
        "key": "a/b.fits",
        "size": 12,
    }


def test_a_line_begins_with_when_how_bad_and_what(out: io.StringIO) -> None:
    logger("rapid.pipeline").info("arrival recorded", key="a/b.fits")
    assert list(lines(out)[0]) == ["timestamp", "level", "event", "logger", "key"]


def test_a_terminal_gets_colours_and_a_pipe_can_be_told_to() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    configure("info", stream=terminal)
    logger("rapid").info("arrival recorded", size=12)
    configure("info", json=False, stream=pipe)
    logger("rapid").info("arrival recorded", size=12)
    for text in (terminal.getvalue(), pipe.getvalue()):
        assert "\x1b[" in text
        assert "arrival recorded" in text
        assert not text.startswith("{")


def test_a_terminal_can_be_told_to_get_json() -> None:
    terminal = Terminal()
    configure("info", json=True, stream=terminal)
    logger("rapid").info("arrival recorded")
    assert lines(terminal)[0]["event"] == "arrival recorded"


def test_bound_facts_come_along(out: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(obs_id="AT_O_20240607_000042", attempt=2):
        logger("rapid").info("attempt started")
        logging.getLogger("uvicorn.error").warning("from inside")
    logger("rapid").info("after")
    ours, theirs, after = lines(out)
    assert ours["obs_id"] == theirs["obs_id"] == "AT_O_20240607_000042"
    assert ours["attempt"] == 2
    assert "obs_id" not in after


def test_an_exception_is_a_class_a_message_and_a_traceback(out: io.StringIO) -> None:
    try:
        raise BadHeader("no exposure time", subject="x.fits", expected="EXPTIME")
    except BadHeader:
        logger("rapid").exception("attempt failed", key="x.fits")
    (line,) = lines(out)
    assert line["level"] == "error"
    assert line["error_kind"] == "BadHeader"
    assert line["error"] == "x.fits: no exposure time; expected EXPTIME"
    assert str(line["exception"]).startswith("Traceback (most recent call last):\n")
    assert "test_an_exception_is_a_class" in str(line["exception"])


def test_an_error_that_was_said_in_words_is_not_overwritten(out: io.StringIO) -> None:
    logger("rapid").error("attempt failed", error="in short", exc_info=ValueError("at length"))
    assert lines(out)[0]["error"] == "in short"


def test_a_traceback_on_a_terminal_shows_no_local_variables() -> None:
    terminal = Terminal()
    configure("info", stream=terminal)
    secret_access_key = "hunter2"  # noqa: F841 - a local variable that must not be shown
    try:
        raise KeyError("x")
    except KeyError:
        logger("rapid").exception("failed")
    assert "KeyError" in terminal.getvalue()
    assert "secret_access_key = 'hunter2'" not in terminal.getvalue().replace("\x1b", "")
    assert "locals" not in terminal.getvalue()


@pytest.mark.parametrize(
    "name", ["uvicorn.error", "uvicorn.access", "alembic.runtime.migration", "watchfiles.main", "other"]
)
def test_libraries_come_out_of_the_same_door(out: io.StringIO, name: str) -> None:
    logging.getLogger(name).warning("%s of %d", "one", 7, extra={"color_message": "\x1b[1mone\x1b[0m"})
    (line,) = lines(out)
    assert line["event"] == "one of 7"
    assert line["logger"] == name
    assert line["level"] == "warning"
    assert "color_message" not in line


def test_handlers_a_library_brought_are_taken_away() -> None:
    own = io.StringIO()
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(own))
    out = io.StringIO()
    configure("info", stream=out)
    logging.getLogger("uvicorn").error("once")
    assert own.getvalue() == ""
    assert len(lines(out)) == 1


def test_chatty_libraries_are_heard_from_warning_on(out: io.StringIO) -> None:
    logging.getLogger("watchfiles.main").info("1 change detected")
    logging.getLogger("uvicorn.access").info("GET /")
    logging.getLogger("sqlalchemy.engine.Engine").info("SELECT 1")
    logging.getLogger("alembic.runtime.migration").info("Context impl SQLiteImpl.")
    assert lines(out) == []
    talkative = io.StringIO()
    configure("debug", stream=talkative)
    logging.getLogger("watchfiles.main").debug("1 change detected")
    assert len(lines(talkative)) == 1


def test_warnings_are_logged(out: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure("info", stream=out)
        warnings.warn("card is too long", UserWarning, stacklevel=1)
    (line,) = lines(out)
    assert "card is too long" in str(line["event"])
    assert line["logger"] == "py.warnings"


def test_a_level_silences_what_is_below_it() -> None:
    out = io.StringIO()
    configure("WARNING", stream=out)
    logger("rapid").info("quiet")
    logging.getLogger("alembic").info("quiet")
    logger("rapid").warning("loud")
    assert [line["event"] for line in lines(out)] == ["loud"]


def test_a_second_configure_replaces_the_first_for_loggers_that_spoke_already() -> None:
    first, second = io.StringIO(), io.StringIO()
    log = logger("rapid")
    configure("info", stream=first)
    log.info("one")
    configure("info", stream=second)
    log.info("two")
    assert [line["event"] for line in lines(first)] == ["one"]
    assert [line["event"] for line in lines(second)] == ["two"]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no such log level; expected one of debug, info, .*; found 'loud'"):
        configure("loud")


facts = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.just(Path("a/b")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=8,
)


def test_a_name_with_half_a_character_is_no_trouble(out: io.StringIO) -> None:
    name = b"bad-\xff.fits".decode(errors="surrogateescape")
    logger("rapid").info("file rejected", key=name)
    assert lines(out)[0]["key"] == name
    assert out.getvalue().encode("utf-8")


@given(fact=facts)
def test_whatever_the_fact_the_line_is_valid_json(fact: object) -> None:
    out = io.StringIO()
    configure("info", stream=out)
    logger("rapid").info("measured", fact=fact)
    assert out.getvalue().isascii()
    (line,) = lines(out)
    assert line["event"] == "measured"
    if isinstance(fact, float) and not math.isfinite(fact):
        assert line["fact"] == str(fact)
    elif isinstance(fact, bool | int | float | str | None):
        assert line["fact"] == fact

"""How the service speaks: structured lines for machines, coloured ones for people, both on standard error.

An event is a short constant sentence and the facts are keys: ``log.info("arrival recorded", key=..., source=...)``.
Whatever the libraries say through the standard ``logging`` comes out of the same door in the same form.
"""

from __future__ import annotations

import logging
import math
import sys
from json import dumps
from typing import Final, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from rapid.errors import ConfigError

__all__ = ["LEVELS", "configure", "logger"]

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
"""Names a level may have, from talkative to silent."""

_REROUTED: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "watchfiles", "sqlalchemy", "asyncio")
"""Libraries that bring handlers of their own, or might: theirs are taken away and what they say goes to ours."""

_CHATTY: Final = {
    "alembic": logging.WARNING,
    "watchfiles": logging.WARNING,
    "sqlalchemy.engine": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "uvicorn.error": logging.WARNING,
}
"""Libraries that say too much at ``info``: one line a file, a statement, a request or a migration."""


def configure(level: str = "info", json: bool | None = None, *, stream: TextIO | None = None) -> None:
    """Set the whole process's logging up; calling it again replaces what was set.

    Parameters
    ----------
    level
        One of `LEVELS`, in any case.
    json
        One JSON object a line; None means when the stream is not a terminal.
    stream
        Where to; standard error unless given.

    Raises
    ------
    ConfigError
        If there is no such level.
    """
    number = _level_number(level)
    stream = sys.stderr if stream is None else stream
    as_json = not stream.isatty() if json is None else json
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(as_json=as_json))
    _take_over_standard_logging(handler, number)
    structlog.configure(
        processors=[*_shared_processors(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a later `configure` must reach loggers that spoke already
    )


def logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a module: ``log = logger(__name__)``."""
    return cast(FilteringBoundLogger, structlog.get_logger(name))


def _level_number(level: str) -> int:
    if level.lower() not in LEVELS:
        message = f"no such log level; expected one of {', '.join(LEVELS)}; found {level!r}"
        raise ConfigError(message)
    return logging.getLevelNamesMapping()[level.upper()]


def _take_over_standard_logging(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _REROUTED:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.disabled = False
    for name, quiet in _CHATTY.items():
        logging.getLogger(name).setLevel(max(quiet, level) if level > logging.DEBUG else level)
    logging.captureWarnings(capture=True)


def _shared_processors() -> list[Processor]:
    """What is done to every line, whoever said it."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _formatter(*, as_json: bool) -> logging.Formatter:
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        last += [
            _name_error,
            structlog.processors.format_exc_info,
            structlog.processors.UnicodeDecoder(),
            _first_things_first,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ]
    else:
        # no local variables: among them are passwords and whole images
        tracebacks = structlog.dev.RichTracebackFormatter(show_locals=False)
        last.append(structlog.dev.ConsoleRenderer(colors=True, exception_formatter=tracebacks))
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared_processors(), structlog.stdlib.ExtraAdder(), _drop_uvicorn_colours],
        processors=last,
    )


def _first_things_first(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Order the keys for whoever reads the raw line: when, how bad, what, and only then the facts."""
    return {name: event.pop(name) for name in ("timestamp", "level", "event", "logger") if name in event} | dict(event)


def _to_json(event: object, **_: object) -> str:
    """Write one line of JSON whatever is in the event: JSON knows no NaN, no path and no array, and keys are words.

    In plain ASCII: a name of a file may hold half characters, and some readers break lines where we do not.
    """
    try:
        return dumps(event, allow_nan=False, default=str)
    except (ValueError, TypeError):
        return dumps(_without_nan(event), default=str)


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _name_error(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put class and message of an exception into keys of their own; the traceback stays text in ``exception``."""
    found = event.get("exc_info")
    found = sys.exc_info() if found is True else found
    error = found if isinstance(found, BaseException) else found[1] if isinstance(found, tuple) else None
    if error is not None:
        event["error_kind"] = type(error).__name__
        event.setdefault("error", str(error))
    return event


def _drop_uvicorn_colours(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove the second copy of the message that uvicorn sends along, with terminal escapes in it."""
    event.pop("color_message", None)
    return event

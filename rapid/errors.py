"""Everything that can go wrong, as one tree.

::

    RapidError
    ├── ConfigError                 a setting is wrong; nothing was started
    ├── InputError                  what came in is not what was promised
    │   ├── BadName                 a name, key or path that may not be used
    │   ├── BadMessage              an announcement that cannot be decoded
    │   ├── BadFile                 a raw file that cannot be used
    │   │   ├── NotFits             the content is not FITS at all
    │   │   ├── TruncatedFile       the content ends before the headers say it does
    │   │   ├── BadLayout           segments, pixel arrays or tables other than the camera writes
    │   │   └── BadHeader           a card is missing or has an impossible value
    │   ├── BadCalibration          a calibration that is none, or of another detector
    │   ├── UnknownInstrument       no geometry and no header rules for this camera
    │   └── ConflictingClaim        another file already is this exposure
    ├── AccessDenied                somebody is there and does not let us in, or is not whom we trust
    ├── NotAvailable                it should be there and is not (yet): file gone, store away   (retriable)
    ├── TaskError                   the work on one exposure did not come to an end
    │   ├── WorkerDied              the worker process ended under the task                      (retriable)
    │   ├── DeadlineExceeded        the task took longer than it may; its worker was killed      (retriable)
    │   └── TaskFailed              the task raised something of its own                         (retriable)
    └── LedgerError                 the ledger refused or could not be reached                   (retriable)

An error answers one question for its caller: `RapidError.retriable`, may the same thing be tried again
without anything having changed? Its message says what was expected, what was found, and in which exposure.
"""

from __future__ import annotations

import traceback
from types import TracebackType
from typing import ClassVar, Self

__all__ = [
    "AccessDenied",
    "BadCalibration",
    "BadFile",
    "BadHeader",
    "BadLayout",
    "BadMessage",
    "BadName",
    "ConfigError",
    "ConflictingClaim",
    "DeadlineExceeded",
    "InputError",
    "LedgerError",
    "Net",
    "NotAvailable",
    "NotFits",
    "RapidError",
    "TaskError",
    "TaskFailed",
    "TruncatedFile",
    "UnknownInstrument",
    "WorkerDied",
]


class RapidError(Exception):
    """The root of the tree."""

    retriable: ClassVar[bool] = False


class ConfigError(RapidError):
    """A setting is missing, misspelt or impossible."""


class InputError(RapidError):
    """What came in is not what was promised; trying again without a change is useless.

    Parameters
    ----------
    what
        The sentence a tired observer reads.
    subject
        The file, key or message it is about.
    expected, found
        The two halves of the disagreement, each in a few words.
    """

    def __init__(self, what: str, *, subject: str = "", expected: str = "", found: str = "") -> None:
        super().__init__(what, subject, expected, found)
        self.what, self.subject, self.expected, self.found = what, subject, expected, found

    def __str__(self) -> str:
        parts = [f"{self.subject}: {self.what}" if self.subject else self.what]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.found:
            parts.append(f"found {self.found}")
        return "; ".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.subject, self.expected, self.found)


def _rebuild(kind: type[InputError], what: str, subject: str, expected: str, found: str) -> InputError:
    return kind(what, subject=subject, expected=expected, found=found)


class BadName(InputError):
    """A name, key or path that may not be used: it climbs out, or is not a name at all."""


class BadMessage(InputError):
    """An announcement that cannot be decoded."""


class BadFile(InputError):
    """A raw file that cannot be used."""


class NotFits(BadFile):
    """The content is not FITS."""


class TruncatedFile(BadFile):
    """The content ends before the headers say it does."""


class BadLayout(BadFile):
    """Segments, pixel arrays or tables other than the camera writes."""


class BadHeader(BadFile):
    """A card is missing or has an impossible value."""


class BadCalibration(InputError):
    """A calibration that is none: impossible numbers, or those of another detector."""


class UnknownInstrument(InputError):
    """No geometry and no header rules for this camera."""


class ConflictingClaim(InputError):
    """Another file already is this exposure."""


class AccessDenied(RapidError):
    """Somebody is there and does not let us in (a wrong password), or is not whom we trust (a wrong certificate)."""


class NotAvailable(RapidError):
    """It should be there and is not, or not yet: a file that vanished, a store that is away."""

    retriable = True


class TaskError(RapidError):
    """The work on one exposure did not come to an end."""

    retriable = True


class WorkerDied(TaskError):
    """The worker process ended under the task."""


class DeadlineExceeded(TaskError):
    """The task took longer than it may; its worker was killed."""


class TaskFailed(TaskError):
    """The task raised something of its own; `remote_traceback` is the text of it, as seen in the worker."""

    def __init__(self, message: str, remote_traceback: str = "") -> None:
        super().__init__(message, remote_traceback)
        self.message, self.remote_traceback = message, remote_traceback

    def __str__(self) -> str:
        return self.message


class LedgerError(RapidError):
    """The ledger refused or could not be reached."""

    retriable = True


class Net:
    """The one net of the house: an exception of the work inside is kept and told, and the night goes on.

    It is spread in three places only: around one analysis or catalogue, around one task in a worker, and around one
    exposure in the pipeline. Cancellation and the end of the process pass through.

    Attributes
    ----------
    caught
        What fell in, or None.
    detail
        Its traceback as text.
    """

    def __init__(self) -> None:
        self.caught: Exception | None = None
        self.detail = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(value, Exception):
            return False
        self.caught = value
        self.detail = "".join(traceback.format_exception(value))
        return True

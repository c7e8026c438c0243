"""The ways into a database: what the ledger needs of any, and which module opens which."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from rapid.errors import LedgerError

__all__ = ["Engines", "Shared", "translated_errors"]


@dataclass(frozen=True, slots=True)
class Shared:
    """What a database gives to services that share it.

    Attributes
    ----------
    now
        Reads its clock: the one clock of all hosts.
    announce
        Tells all that listen, when the transaction is committed, that the feed has grown.
    listen
        Calls each time somebody announces, and whenever that may have been missed; until cancelled.
    """

    now: Callable[[sa.Connection], datetime]
    announce: Callable[[sa.Connection], None]
    listen: Callable[[Callable[[], None]], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Engines:
    """One way in for the writer of this process, one for its readers.

    Attributes
    ----------
    place
        Where the database is, without a password: what a message says.
    write
        None where nothing may be written.
    meaning
        Puts an error of the driver in a sentence.
    shared
        What is needed in addition where other services, on other hosts, may write in it at the same time.
    """

    place: str
    read: sa.Engine
    write: sa.Engine | None
    meaning: Callable[[BaseException | None], str]
    shared: Shared | None = field(default=None, repr=False)  # what it calls knows the password

    def dispose(self) -> None:
        """Close every connection."""
        self.read.dispose()
        if self.write is not None:
            self.write.dispose()


@contextmanager
def translated_errors(engines: Engines) -> Iterator[None]:
    """Turn what the database raises into `LedgerError` with a sentence.

    A value that cannot be stored (a time without a zone, a number that is not finite) is a mistake of the caller: the
    ValueError or TypeError goes through.
    """
    try:
        yield
    except DBAPIError as error:
        msg = f"ledger {engines.place}: {engines.meaning(error.orig)}"
        raise LedgerError(msg) from error
    except StatementError as error:
        if isinstance(error.orig, ValueError | TypeError):
            raise error.orig from error
        msg = f"ledger {engines.place}: {error}"
        raise LedgerError(msg) from error
    except SQLAlchemyError as error:
        msg = f"ledger {engines.place}: {error}"
        raise LedgerError(msg) from error

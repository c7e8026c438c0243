"""What becomes of each announcement of a batch: decided in memory, in the order of the announcements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rapid.errors import ConflictingClaim
from rapid.events import FileArrived, NameFacts
from rapid.ledger.table import Identity
from rapid.ports import Arrival, State

__all__ = ["Decisions", "Known", "Taken", "conflict", "identity_of"]


@dataclass(slots=True)
class Known:
    """One content of a key: in the database (an id), or in this batch (0 until it is written).

    ``lasting`` is False for a failure that may be over when the file is announced again.
    """

    id: int
    size: int
    state: State
    seen_at: datetime
    lasting: bool = True


@dataclass(slots=True)
class Taken:
    """A file that is to be written, as what it was announced; ``error`` says why it is refused."""

    file: FileArrived
    identity: Identity | None
    known: Known
    error: str = ""

    def arrival(self, now: datetime) -> Arrival:
        """Say how it begins."""
        file, facts = self.file, self.file.facts
        return Arrival(
            id=self.known.id,
            key=file.key,
            content=file.content,
            size=file.size,
            source=file.source,
            live=file.live,
            instrument=facts.instrument if facts else None,
            obs_id=facts.obs_id if facts else None,
            day_obs=facts.day_obs if facts else None,
            seq_num=facts.seq_num if facts else None,
            detector_name=self.identity.detector_name if self.identity else None,
            written_at=file.written_at,
            seen_at=file.seen_at,
            recorded_at=now,
            state=self.known.state,
            attempts=0,
            interruptions=0,
            not_before=now,
            error=self.error,
        )


@dataclass(slots=True)
class Decisions:
    """What is known of the keys and exposures of a batch, and what is to be written.

    Attributes
    ----------
    contents
        Key to content to what is known of it; of every key one content is not superseded.
    claims
        Which key is which exposure and detector.
    pending
        What is to be written: inserted (id 0), or put in the place of an arrival that was superseded or failed.
    superseded
        Ids of arrivals in the database that do not count any more.
    claimed
        Claims to be written.
    duplicates
        How many announcements said nothing new.
    """

    contents: dict[str, dict[str, Known]]
    claims: dict[Identity, str]
    pending: dict[tuple[str, str], Taken] = field(default_factory=dict)
    superseded: list[int] = field(default_factory=list)
    claimed: dict[Identity, str] = field(default_factory=dict)
    duplicates: int = 0

    def take(self, file: FileArrived) -> None:
        """Decide about one announcement."""
        identity = identity_of(file.facts)
        holder = None if identity is None else self.claims.get(identity, file.key)
        same = self.contents.get(file.key, {})
        if _says_nothing_new(file, same) or self._is_copy(file, holder):
            self.duplicates += 1
            return
        self._supersede(file, same)
        error = ""
        if identity is not None and holder != file.key:
            error = str(conflict(identity, key=file.key, holder=str(holder)))
        elif identity is not None and identity not in self.claims:
            self.claims[identity] = self.claimed[identity] = file.key
        self._add(file, identity, error)

    def _is_copy(self, file: FileArrived, holder: str | None) -> bool:
        if holder is None or holder == file.key:
            return False
        original = self.contents.get(holder, {}).get(file.content)
        return original is not None and original.size == file.size

    def _supersede(self, file: FileArrived, same: Mapping[str, Known]) -> None:
        for content, known in same.items():
            if known.state == State.SUPERSEDED or content == file.content:
                continue
            known.state = State.SUPERSEDED
            if known.id:
                self.superseded.append(known.id)

    def _add(self, file: FileArrived, identity: Identity | None, error: str) -> None:
        same = self.contents.setdefault(file.key, {})
        before = same.get(file.content)
        known = Known(before.id if before else 0, file.size, State.FAILED if error else State.WAITING, file.seen_at)
        self.pending[file.key, file.content] = Taken(file, identity, known, error)
        same[file.content] = known


def conflict(identity: Identity, *, key: str, holder: str) -> ConflictingClaim:
    """Say that two files claim to be the same exposure and detector."""
    return ConflictingClaim(
        f"another file already is {identity}", subject=key, expected="one file of each detector", found=holder
    )


def identity_of(facts: NameFacts | None) -> Identity | None:
    """Read off a name which detector it claims; a guider file is another thing than the raw of the same detector."""
    if facts is None:
        return None
    detector_name = f"{facts.detector_name}_guider" if facts.guider else facts.detector_name
    return Identity(facts.instrument, facts.obs_id, detector_name)


def _says_nothing_new(file: FileArrived, same: Mapping[str, Known]) -> bool:
    """Tell whether a content is known to be the current one of its key, or was once and is announced late.

    An older content that is announced after the current one was seen is back: the file was restored. So is one whose
    failure was not to last.
    """
    known = same.get(file.content)
    if known is None:
        return False
    current = next(one for one in same.values() if one.state != State.SUPERSEDED)
    stays = known is current and (known.state != State.FAILED or known.lasting)
    return stays or file.seen_at <= current.seen_at

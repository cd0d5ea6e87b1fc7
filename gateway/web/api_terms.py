"""
What every operation of the JSON API is handed, and how it reads what it was sent.

An operation takes the context and what was asked (by whom), and returns plain values.
It knows nothing of HTTP: `goodgate … --data DIR` runs the very same ones. What a body may
hold is a struct that forbids every field it does not name, so nothing is ever assigned
that was not meant to be.
"""

import datetime
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from gateway import identity, ledger, reports, tasks
from gateway.errors import InvalidRequest, NotAllowed
from gateway.ledger import notes
from gateway.ledger.decision_log import Entry, Page
from gateway.values import Key, Principal, Task

if TYPE_CHECKING:  # a developer's command passes through here, and compiles no condition
    from gateway.policy import PolicySet

_DIGITS_MAX = 12
REASON_MAX = 500

Name = Annotated[str, Meta(min_length=1, max_length=128)]
"""A principal, a team, a model: `identity.mint` says which characters."""


class Counts(Protocol):
    """What an import came to, in tasks."""

    @property
    def new(self) -> int:
        """Return how many were not there before."""
        ...

    @property
    def changed(self) -> int:
        """Return how many differ from what was there."""
        ...

    @property
    def unchanged(self) -> int:
        """Return how many were there just so."""
        ...


class Keys(Protocol):
    """Keys, as requests are authenticated by."""

    async def find(self, key_id: str) -> Key | None:
        """Return the key filed under an id, whether live or revoked."""
        ...


class Tasks(Protocol):
    """The catalogue as it is now, and what keys are working on."""

    @property
    def digest(self) -> str:
        """Digest of the catalogue."""
        ...

    def get(self, task_id: str) -> Task | None:
        """Return the task with a canonical id."""
        ...

    def active(self, key_id: str) -> str:
        """Return a key's active task; empty for none."""
        ...


class Registry(Protocol):
    """Keys, catalogue and active tasks, as the API reads and changes them."""

    @property
    def keys(self) -> Keys:
        """Return the keys."""
        ...

    @property
    def tasks(self) -> Tasks:
        """Return the catalogue."""
        ...

    def add_key(self, key: Key) -> None:
        """File a new key."""
        ...

    def list_keys(self) -> list[Key]:
        """Return every key, oldest first."""
        ...

    def revoke_key(self, key_id: str, now: float) -> Key:
        """Return a key, revoked now (or before); raises NotFound."""
        ...

    def rotate_key(self, key_id: str, *, pepper: bytes, now: float) -> tuple[str, Key]:
        """Return a new credential and key in place of one that is revoked now."""
        ...

    def import_tasks(self, imported: Iterable[Task], *, now: float) -> Counts:
        """Take in a catalogue; what it does not name stays as it is."""
        ...

    def list_tasks(self) -> list[Task]:
        """Return every task, in the order of their ids."""
        ...

    def set_active(self, key_id: str, task: str, now: float) -> None:
        """Make a task the key's active one and unpin its principal's sessions."""
        ...

    def clear_active(self, key_id: str, now: float) -> None:
        """Leave a key without an active task."""
        ...


class Ledger(Protocol):
    """The record, as far as what is done about it is written to it."""

    def stamp(self) -> tuple[str, int]:
        """Return the replica's name and its next sequence number."""
        ...

    def append(self, record: ledger.Leaf) -> Awaitable[object]:
        """Append a stamped record; done when it is durable."""
        ...

    def erase(self, principal: str, *, auditor: str, reason: str) -> Awaitable[int]:
        """Forget who a person's commitments stand for; returns how many salts were deleted."""
        ...

    def retire(self, size: int) -> Awaitable[None]:
        """Drop the leaves below an index; raises ConfigError when one is still needed."""
        ...

    def cosign(self, size: int, line: str) -> Awaitable[None]:
        """Keep a witness's signature line of a checkpoint."""
        ...


class Decisions(Protocol):
    """The decision log, and the policies it names."""

    def decision_log(
        self, since_us: int, until_us: int, *, shadowed: bool = False
    ) -> Iterator[Entry]:
        """Yield what was decided in a window and how it was settled, in the order written."""
        ...

    def decision_page(self, *, after: str, since_us: int, until_us: int, limit: int) -> Page:
        """Return lines of the log, those that follow where another page ended."""
        ...

    def decision(self, request_id: str) -> ledger.DecisionRecord | None:
        """Return what was decided about a call; None: nothing is known of it."""
        ...

    def policy_files(self, digest: str) -> list[tuple[str, str]] | None:
        """Return the names and texts of the policy files behind a digest, if they were kept."""
        ...


class Syncs(Protocol):
    """Syncs with trackers."""

    def start(self, name: str) -> dict[str, Any]:
        """Begin one unless it runs; raises InvalidRequest when the tracker cannot be asked."""
        ...

    def status(self) -> dict[str, Any]:
        """Return how far each is, or how it ended, by tracker."""
        ...


class Api(Struct, frozen=True, kw_only=True):
    """What the operations need of the program around them."""

    registry: Registry
    ledger: Ledger
    reading: reports.Store
    decisions: Decisions
    weekly: Callable[[str, int], str]
    """The pseudonym of a name in the week of a moment (Unix microseconds); empty: unknown."""
    weekly_apart: Callable[[], Callable[[str, int], str] | None]
    """The same, for use in another thread; None: unknown."""
    flush: Callable[[], Awaitable[None]]
    """Write what was decided so far to where it is read."""
    policies: "Callable[[], PolicySet | None]"
    """The policies in force; None: no server is asked."""
    credentials: tasks.TaskCredentials
    pepper: bytes
    clock: Callable[[], float]
    """Unix time in seconds."""
    new_id: Callable[[], str]
    """32 hex digits of a UUIDv7."""
    reload: Callable[[], Awaitable[str]]
    """Load policies and providers again; returns the digest now in force."""
    status: Callable[[], Mapping[str, Any]]
    """What `/health/ready` says: version, policy, prices_as_of, …"""
    syncs: Syncs | None = None
    """None: no server is asked."""
    signers: Callable[[], Sequence[notes.Signer]] = list
    """What signs or has signed in the log's name, as far as its keys are here; the last first."""


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks: a key over HTTP, or whoever can read the data folder."""

    principal: Principal
    account: str
    """Id of the key, or the operating-system account behind `--data`."""
    key: Key | None = None
    """None behind `--data`: who holds the files holds everything in them."""

    def may(self, permission: str) -> bool:
        """Return whether the caller has a permission."""
        return self.key is None or identity.may(self.principal.role, permission)

    def need(self, permission: str, remedy: str) -> None:
        """Raise NotAllowed, with what to do, unless the caller has a permission."""
        if not self.may(permission):
            raise NotAllowed(f"this key's role ({self.principal.role}) may not do this: {remedy}")


class Ask(Struct, frozen=True, kw_only=True):
    """What was asked, and by whom."""

    caller: Caller
    place: Mapping[str, str] = {}
    """The variable parts of the path."""
    query: Mapping[str, str] = {}
    body: bytes = b""


class Document(Struct, frozen=True, kw_only=True):
    """An answer that is bytes as they are, and no JSON of the API's own."""

    body: bytes
    media_type: str
    is_final: bool = False
    """Whether it will never be another: it may be kept."""


Operation: TypeAlias = Callable[[Api, Ask], Awaitable[Any]]

_Wish = TypeVar("_Wish", bound=Struct)


def body_of(ask: Ask, kind: type[_Wish]) -> _Wish:
    """Return the body as the struct that says what may be in it; raises InvalidRequest."""
    try:
        return msgspec.json.decode(ask.body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body cannot be used: {str(error)[:200]}") from None


def query_of(ask: Ask, allowed: Collection[str]) -> Mapping[str, str]:
    """Return the query's parameters; raises InvalidRequest for one that means nothing here."""
    for name in ask.query:
        if name not in allowed:
            raise InvalidRequest(
                f"there is no parameter {name[:40]!r} here; there is {', '.join(sorted(allowed))}"
            )
    return ask.query


def count_of(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Return a whole number from the query, 1 to `most`; raises InvalidRequest."""
    text = query.get(name, str(default))
    # All of the digits or none: of a text that is cut off the rest would count unchecked.
    readable = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
    if not (readable and 1 <= int(text) <= most):
        raise InvalidRequest(f"{name} is a whole number from 1 to {most}")
    return int(text)


def reason_of(text: str, what: str) -> str:
    """Return why somebody does what is recorded; raises InvalidRequest when it is none."""
    reason = text.strip()
    if not reason or len(reason) > REASON_MAX or not reason.isprintable():
        raise InvalidRequest(f"{what} needs its reason: one line, up to {REASON_MAX} characters")
    return reason


def utc(seconds: float | None) -> str | None:
    """Return a moment as people write it, in UTC: `2026-11-23T12:00:00Z`."""
    if seconds is None:
        return None
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

"""
What was asked of late, in memory: the remembered calls of each scope, and kept replies.

A scope keeps its newest calls and is forgotten a day after the last of them. All of it is
bounded, by calls and by bytes; what was not looked at for longest goes first.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from gateway.values import Earlier, Sighting

ENTRIES_MAX: Final = 300
"""Calls remembered in one scope."""
SCOPE_S: Final = 86_400.0
RETRIES_MAX: Final = 5
"""Free retries of one call, ever."""
FEATURE_ENTRIES_MAX: Final = 24
"""How many of the newest calls with a feature are looked at."""
CANDIDATES_MAX: Final = 3
SHARED_MIN: Final = 3
"""Candidates share at least one in so many of the features, rounded up."""

ALL_ENTRIES_MAX: Final = 20_000
ALL_WORDS_BYTES_MAX: Final = 32 * 2**20
REPLY_BYTES_MAX: Final = 2**20
ALL_REPLY_BYTES_MAX: Final = 64 * 2**20


class Entry(Struct, gc=False):
    """One remembered call. What was asked stays; how it fares is told by the last to ask it."""

    number: int
    exact: bytes
    cluster: str
    request_id: str
    words: bytes
    features: tuple[bytes, ...]
    canonical: bytes
    """Of the call that asked it last."""
    state: Literal["first", "again", "ok", "failed"] = "first"
    """first: open, and asked by nobody but the call that began it. again: open."""
    retries: int = 0

    @property
    def earlier(self) -> Earlier:
        """Return it as the line knows it, without its words."""
        return Earlier(request_id=self.request_id, cluster=self.cluster)

    def is_retried_by(self, sighting: Sighting) -> bool:
        """Return whether a call repeats, byte for byte, what failed in our sight."""
        return (
            self.state == "failed"
            and self.canonical == sighting.canonical
            and self.retries < RETRIES_MAX
        )

    def ask_again(self, sighting: Sighting, *, is_retry: bool) -> None:
        """Note that a call asks it again."""
        self.canonical = sighting.canonical
        self.state = "again"
        self.retries += is_retry


class Asked(Struct, frozen=True):
    """Which remembered call another one began, or asked again."""

    scope: bytes
    exact: bytes
    canonical: bytes
    began: bool


class Scope:
    """The remembered calls of one principal in one task."""

    __slots__ = ("_by_exact", "_entries", "_last_number", "_postings", "last", "words_bytes")

    def __init__(self) -> None:
        """Begin with nothing remembered."""
        self._entries: dict[int, Entry] = {}
        self._by_exact: dict[bytes, Entry] = {}
        # Most features are one call's alone: a bare number there saves a list each.
        self._postings: dict[bytes, int | list[int]] = {}
        self._last_number = 0
        self.last = 0.0
        """When a call was last added (Unix seconds)."""
        self.words_bytes = 0

    def __len__(self) -> int:
        """Return how many calls are remembered."""
        return len(self._entries)

    def find(self, exact: bytes) -> Entry | None:
        """Return the call with the same normal form."""
        return self._by_exact.get(exact)

    def candidates(self, features: Sequence[bytes]) -> tuple[Earlier, ...]:
        """Return the calls that share a third of the features, likest and then newest first."""
        counts: dict[int, int] = {}
        for feature in features:
            found = self._postings.get(feature)
            if found is None:
                continue
            if isinstance(found, int):
                counts[found] = counts.get(found, 0) + 1
                continue
            for number in found[-FEATURE_ENTRIES_MAX:]:
                counts[number] = counts.get(number, 0) + 1
        if not counts:
            return ()
        least = max(1, -(-len(features) // SHARED_MIN))
        alike = sorted([(-n, -number) for number, n in counts.items() if n >= least])
        entries = [self._entries[-negative] for _, negative in alike[:CANDIDATES_MAX]]
        return tuple(
            Earlier(request_id=each.request_id, cluster=each.cluster, words=each.words)
            for each in entries
        )

    def add(self, sighting: Sighting, cluster: str, now: float) -> None:
        """Remember a call; the oldest goes when there are too many."""
        if len(self._entries) >= ENTRIES_MAX:
            self.remove(next(iter(self._entries.values())))
        self._last_number = number = self._last_number + 1
        entry = Entry(
            number,
            sighting.exact,
            cluster,
            sighting.request_id,
            sighting.words,
            sighting.features,
            sighting.canonical,
        )
        self._entries[number] = entry
        self._by_exact[entry.exact] = entry
        self.words_bytes += len(entry.words)
        self.last = now
        postings = self._postings
        for feature in entry.features:
            found = postings.setdefault(feature, number)
            if found == number:
                continue
            if isinstance(found, int):
                postings[feature] = [found, number]
            elif found[-1] != number:
                found.append(number)

    def remove(self, entry: Entry) -> None:
        """Forget a call."""
        del self._entries[entry.number]
        del self._by_exact[entry.exact]
        self.words_bytes -= len(entry.words)
        for feature in set(entry.features):
            found = self._postings[feature]
            if isinstance(found, int):
                del self._postings[feature]
                continue
            found.remove(entry.number)
            if len(found) == 1:
                self._postings[feature] = found[0]


class Scopes:
    """Every scope of this process."""

    def __init__(self) -> None:
        """Begin with nothing remembered."""
        self._scopes: OrderedDict[bytes, Scope] = OrderedDict()
        self.entries = 0
        """How many calls are remembered in all."""
        self._words_bytes = 0

    def get(self, key: bytes, now: float) -> Scope | None:
        """Return a scope in which something is remembered."""
        scope = self._scopes.get(key)
        if scope is None:
            return None
        if now - scope.last >= SCOPE_S:
            self._drop(key)
            return None
        self._scopes.move_to_end(key)
        return scope

    def add(self, sighting: Sighting, cluster: str, now: float) -> bool:
        """Remember a call in its scope; False when one with the same normal form is there."""
        scope = self.get(sighting.scope, now)
        if scope is None:
            scope = self._scopes[sighting.scope] = Scope()
        if scope.find(sighting.exact) is not None:
            return False
        entries, words_bytes = len(scope), scope.words_bytes
        scope.add(sighting, cluster, now)
        self._count(len(scope) - entries, scope.words_bytes - words_bytes)
        while self.entries > ALL_ENTRIES_MAX or self._words_bytes > ALL_WORDS_BYTES_MAX:
            self._drop(next(iter(self._scopes)))
        return True

    def settle(self, asked: Asked, state: Literal["ok", "failed"], now: float) -> None:
        """Note how a call fared, if it was the last to ask that."""
        scope = self.get(asked.scope, now)
        entry = scope.find(asked.exact) if scope is not None else None
        if entry is not None and entry.canonical == asked.canonical:
            entry.state = state

    def forget(self, asked: Asked, now: float) -> None:
        """Forget a call that was never made, unless another has asked the same since."""
        scope = self.get(asked.scope, now)
        entry = scope.find(asked.exact) if scope is not None else None
        if scope is None or entry is None:
            return
        if entry.state == "first" and entry.canonical == asked.canonical:
            scope.remove(entry)
            self._count(-1, -len(entry.words))

    def _drop(self, key: bytes) -> None:
        scope = self._scopes.pop(key)
        self._count(-len(scope), -scope.words_bytes)

    def _count(self, entries: int, words_bytes: int) -> None:
        self.entries += entries
        self._words_bytes += words_bytes


class Replies:
    """Whole replies kept for calls that share them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0

    def find(self, share: bytes, now: float) -> bytes:
        """Return the reply kept for a share; empty when there is none."""
        ends, reply = self._kept.get(share, (0.0, b""))
        if reply and ends <= now:
            self._drop(share)
            return b""
        if reply:
            self._kept.move_to_end(share)
        return reply

    def keep(self, share: bytes, reply: bytes, ends: float) -> None:
        """Keep a reply until an instant, unless it is too large."""
        if share in self._kept:
            self._drop(share)
        if not reply or len(reply) > REPLY_BYTES_MAX:
            return
        self._kept[share] = (ends, reply)
        self._bytes += len(reply)
        while self._bytes > ALL_REPLY_BYTES_MAX:
            self._drop(next(iter(self._kept)))

    def _drop(self, share: bytes) -> None:
        self._bytes -= len(self._kept.pop(share)[1])

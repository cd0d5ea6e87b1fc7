"""
The decision log as lines: what one holds, and which of them fall in a window of time.

What was decided, how it was settled, and when a gateway was started, in the order things
happened. Decoding is typed and made for millions of lines: what a line holds is seen before it
is decoded.
"""

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from gateway.ledger.noted import DecisionRecord, SettledRecord, StartedRecord

Entry: TypeAlias = DecisionRecord | SettledRecord | StartedRecord

OUTCOMES_AFTER_US: Final = 3_600_000_000
"""How long after a window the ends of calls made in it are still looked for."""

_DECISION: Final = b'{"alike":'
_SETTLED: Final = b'"kind":"settled"'
_NO_SHADOW: Final = b'"would_have":[]'


class _Kind(Struct):
    """What sort of line it is."""

    kind: str = "decision"


_kind = msgspec.json.Decoder(_Kind)
_decision = msgspec.json.Decoder(DecisionRecord)
_settled = msgspec.json.Decoder(SettledRecord)
_started = msgspec.json.Decoder(StartedRecord)


class Page(Struct, frozen=True, kw_only=True):
    """Some of the lines of a window, in the order they were written."""

    lines: list[bytes]
    after: str
    """Where the next page begins; empty: this was the last."""


def entry(line: bytes) -> Entry:
    """Return what a line holds; raises msgspec.ValidationError when it is no such record."""
    # Our own lines begin with the first of their fields by name.
    if line.startswith(_DECISION):
        return _decision.decode(line)
    # What a decision holds may look so too, but then it is within a text, and its quotes escaped.
    if _SETTLED in line:
        return _settled.decode(line)
    # Somebody else's JSON may have spaces in it, and another order.
    kind = _kind.decode(line).kind
    if kind == "started":
        return _started.decode(line)
    return _settled.decode(line) if kind == "settled" else _decision.decode(line)


def within(entries: Iterable[Entry], since_us: int, until_us: int) -> Iterator[Entry]:
    """Yield the decisions of a window, and the ends that may belong to them."""
    return (each for each in entries if is_within(each, since_us, until_us))


def tells_of_shadows(line: bytes) -> bool:
    """Return whether a line is no decision, or one that a shadow rule was against."""
    return _NO_SHADOW not in line


def is_within(entry: Entry, since_us: int, until_us: int) -> bool:
    """Return whether an entry is of a window."""
    at_us = entry.at_us
    if at_us < until_us:
        return at_us >= since_us
    return type(entry) is SettledRecord and at_us < until_us + OUTCOMES_AFTER_US


def received_ms(request_id: str) -> int | None:
    """Return when an id of ours was made, Unix milliseconds (UUIDv7); None: it is not ours."""
    digits = request_id.removeprefix("req_")
    if len(digits) != 32 or digits[12] != "7" or not request_id.startswith("req_"):  # noqa: PLR2004  # hex digits of a UUID
        return None
    try:
        return int(digits, 16) >> 80
    except ValueError:
        return None

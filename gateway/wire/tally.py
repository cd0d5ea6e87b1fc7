"""
What a reply has told so far.

The rule it keeps: nothing a provider sends can make reading it fail. A figure that
cannot be (negative, a fraction, a word, a billion and more) is treated as not sent, and
the last report that can be believed wins.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec
from msgspec import Raw

from gateway.values import Figures, Usage

COUNT_MAX: Final = 1_000_000_000
NOTHING: Final = Raw(b"null")

_SPOKEN: Final = frozenset(
    {"text", "content", "reasoning", "reasoning_content", "thinking", "refusal", "arguments"}
)
"""Names under which the formats put generated text in a plain reply."""

_report: Final = msgspec.json.Decoder(dict[str, Any])
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading a provider's JSON can raise."""


class Tally:
    """Counts of one reply, kept by whoever reads it."""

    __slots__ = ("ended", "failed", "text_bytes", "text_events", "usage")

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.text_bytes = 0
        self.text_events = 0
        self.ended = False
        self.failed = False

    def spoke(self, size: int) -> None:
        """Count an event that carried so many bytes of generated content."""
        if size:
            self.text_bytes += size
            self.text_events += 1

    def fail(self) -> None:
        """Note an error event: nothing comes after it."""
        self.failed = self.ended = True

    def report(self, usage: Usage | None) -> None:
        """Take a report of usage; the last that can be believed wins."""
        if usage is not None:
            self.usage = usage

    def figures(self) -> Figures:
        """Return the counts as they are now."""
        return Figures(
            usage=self.usage,
            text_bytes=self.text_bytes,
            text_events=self.text_events,
            ended=self.ended,
            failed=self.failed,
        )


def size(value: object) -> int:
    """Return the UTF-8 bytes of a piece of content; of one that is no string, its JSON's."""
    if not value:
        return 0
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    return len(msgspec.json.encode(value))


def spoken(value: object) -> int:
    """Return the bytes of generated text anywhere inside part of a plain reply."""
    if isinstance(value, list):
        return sum(map(spoken, cast("list[object]", value)))
    if not isinstance(value, dict):
        return 0
    total = 0
    for name, held in cast("dict[str, object]", value).items():
        if name == "input" or (name in _SPOKEN and isinstance(held, str)):
            total += size(held)
        else:
            total += spoken(held)
    return total


def counted(report: Mapping[str, Any], name: str) -> int | None:
    """Return one figure of a report; None when it is missing or cannot be."""
    value = report.get(name)
    return value if type(value) is int and 0 <= value <= COUNT_MAX else None


def inner(report: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object a report holds under a name, an empty one where there is none."""
    value = report.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def decode(raw: Raw) -> Mapping[str, Any]:
    """Return a report as a mapping, empty when it is none."""
    try:
        return _report.decode(raw)
    except UNREADABLE:
        return {}

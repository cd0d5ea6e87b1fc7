"""
Server-sent events, split where the WHATWG HTML standard splits them (section 9.2.6).

Sans-I/O and incremental: chunks of any size go in, whole events come out, each with
every byte it had. Lines end in LF, CRLF or CR; comments and unknown fields are carried
along; a byte-order mark is allowed. An event larger than EVENT_BYTES_MAX is never
collected: it comes out in pieces that say they are not to be read.
"""

import re
from typing import Final

EVENT_BYTES_MAX: Final = 8 * 1024 * 1024
"""The last event of a response repeats the whole of it, pictures included."""

_BOM: Final = b"\xef\xbb\xbf"
_CR: Final = b"\r"
_BLANK_LINE: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_HALF_BLANK: Final = 3
"""The most bytes of a blank line that may stand at the end of what has arrived."""


_LINES_BARE: Final = 3
_LINES_NAMED: Final = 4
"""How many pieces the commonest events split into, the blank line's two included."""


class Unread(bytes):
    """A piece of an event too large to be read."""

    __slots__ = ()


class Splitter:
    """Finds where events end."""

    def __init__(self, event_bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._held = bytearray()
        self._searched = 0
        self._max = event_bytes_max
        self._kind: type[bytes] = bytes
        self._idle = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the events that became whole, each with the blank line that ends it."""
        if (
            self._idle
            and chunk.find(b"\n\n") == len(chunk) - 2
            and _CR not in chunk
            and _HALF_BLANK <= len(chunk) <= self._max
        ):
            return [chunk]
        return self._feed(chunk)

    def _feed(self, chunk: bytes) -> list[bytes]:
        held = self._held
        held += chunk
        events: list[bytes] = []
        begin = 0
        for end in self._ends():
            kind = self._kind if end - begin <= self._max else Unread
            events.append(kind(held[begin:end]))
            self._kind = bytes
            begin = end
        if len(held) - begin > self._max:
            events.append(Unread(held[begin:-_HALF_BLANK]))
            self._kind = Unread
            begin = len(held) - _HALF_BLANK
        del held[:begin]
        self._searched = max(0, len(held) - _HALF_BLANK)
        self._idle = not held and self._kind is bytes
        return events

    def _ends(self) -> list[int]:
        """Return where events end in what is held."""
        held = self._held
        ends: list[int] = []
        if _CR not in held:
            place = held.find(b"\n\n", self._searched)
            while place >= 0:
                ends.append(place + 2)
                place = held.find(b"\n\n", place + 2)
            return ends
        ends = [blank.end() for blank in _BLANK_LINE.finditer(held, self._searched)]
        if ends and ends[-1] == len(held) and held.endswith(_CR):
            # A line feed may follow, and would be of this blank line.
            ends.pop()
        return ends

    def close(self) -> bytes:
        """Return what came after the last whole event."""
        rest = self._kind(self._held)
        self._held.clear()
        return rest


def data(event: bytes) -> bytes:
    """Return the data of an event: its `data` lines joined by a line feed; empty without any."""
    lines = event.split(b"\n")
    # The common event is one `data` line, with at most an `event` line before it.
    if _CR not in event:
        if len(lines) == _LINES_BARE and lines[0].startswith(b"data: "):
            return lines[0][6:]
        if len(lines) == _LINES_NAMED and lines[0][:6] == b"event:" and lines[1][:6] == b"data: ":
            return lines[1][6:]
    return _any_data(event)


def _any_data(event: bytes) -> bytes:
    lines: list[bytes] = []
    for line in _LINE_END.split(event.removeprefix(_BOM)):
        name, _, value = line.partition(b":")
        if name == b"data":
            lines.append(value.removeprefix(b" "))
    return b"\n".join(lines)

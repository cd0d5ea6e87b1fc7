"""
JSON objects, read so that nobody can read them differently.

A JSON object that says `model` twice means one thing to one reader and another to the
next. The rule kept here: at the levels the gateway reads, each name stands once, and
every value is known with its exact place in the bytes, so that one value can be
replaced and everything else stay as the caller wrote it.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.errors import InvalidRequest

Fields = dict[str, Raw]
"""The values of an object by name, unparsed, in the order they stand in."""

Edit = tuple[int, int, bytes]
"""A splice: from, to, and what stands there instead."""

_fields: Final = msgspec.json.Decoder(Fields)
_items: Final = msgspec.json.Decoder(list[Raw])
_name: Final = msgspec.json.Decoder(str)
_NAME: Final = re.compile(
    rb'[ \t\r\n]*[{,][ \t\r\n]*("[^"\\]*(?:\\.[^"\\]*)*")[ \t\r\n]*:[ \t\r\n]*'
)
_END: Final = re.compile(rb"[ \t\r\n]*\}")
BOM: Final = b"\xef\xbb\xbf"


class Entry(Struct, frozen=True):
    """One name and value of an object, and where they stand in its bytes."""

    name: str
    start: int
    """Where the name's opening quote is."""
    value_start: int
    end: int
    """One past the value's last byte."""


def check_text(body: bytes) -> int:
    """
    Return how many characters a body has; refuse what is no UTF-8 or starts with a BOM.

    `msgspec.Raw` passes over bytes it is not asked for, so this cannot be left to it.
    """
    if body.isascii():
        return len(body)
    if body.startswith(BOM):
        raise InvalidRequest("The body starts with a byte-order mark: send plain UTF-8.")
    try:
        return len(body.decode())
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"The body is not UTF-8 (byte {error.start}): send JSON encoded as UTF-8."
        ) from None


def read(data: bytes, what: str = "The body") -> Fields:
    """Return the fields of a JSON object; refuse what is none, or says a name twice."""
    try:
        fields = _fields.decode(data)
    except msgspec.ValidationError:
        raise InvalidRequest(f"{what} must be a JSON object.") from None
    except msgspec.DecodeError as error:
        # msgspec names a position and a kind, never what stands there.
        raise InvalidRequest(f"{what} is not JSON: send one JSON object ({error}).") from None
    except RecursionError:
        raise InvalidRequest(f"{what} is nested too deeply: flatten it.") from None
    if _shortest(fields) != len(data):
        entries(data, fields, what)
    return fields


def read_list(data: bytes, what: str) -> list[Raw]:
    """Return the items of a JSON array that stood in a body already read."""
    try:
        return _items.decode(data)
    except RecursionError:
        raise InvalidRequest(f"{what} is nested too deeply: flatten it.") from None


def _shortest(fields: Fields) -> int:
    """
    Return the length of the shortest bytes that hold the fields, each once.

    A second entry of any name would make them longer, so bytes of just this length hold none.
    """
    length = 1 + (len(fields) or 1)
    for name, raw in fields.items():
        length += len(name) + 3 + len(raw)
    return length


def entries(data: bytes, fields: Fields, what: str = "The body") -> list[Entry]:
    """
    Return every entry of an object with its place; refuse a name that stands twice.

    `fields` came from decoding `data`, which keeps the last value of a name. So the walk
    meets either each name once, with the value it expects, or a duplicate.
    """
    found: dict[str, Entry] = {}
    position = 0
    for _ in fields:
        match = _NAME.match(data, position)
        if match is None:
            break
        literal = match[1]
        name = _name.decode(literal) if b"\\" in literal else literal[1:-1].decode()
        value = bytes(fields[name])
        start = match.end()
        position = start + len(value)
        if name in found or data[start:position] != value:
            break
        found[name] = Entry(name, match.start(1), start, position)
    if len(found) < len(fields) or (fields and not _END.match(data, position)):
        raise InvalidRequest(f"{what} says a name twice: say each name once.")
    return list(found.values())


def refuse_lookalikes(fields: Fields, names: Iterable[str]) -> None:
    """
    Refuse a name that differs only by case from one the gateway reads.

    Some providers match names as Go's encoding/json does, without regard to case: to them
    `MODEL` beside `model` would be the model.
    """
    joined = "".join(fields)
    if joined.casefold() == joined:
        return
    known = frozenset(names)
    for name in fields:
        if name not in known and name.casefold() in known:
            raise InvalidRequest(
                f"The body has a name that differs from `{name.casefold()}` only by case: "
                "write it in lower case."
            )

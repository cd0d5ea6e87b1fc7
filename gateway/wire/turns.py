"""
What a call says since the model last spoke, read from the end of its conversation.

Agents send the whole conversation with every call, and only its newest part is theirs
to be judged by. So a conversation is walked backwards, and of a long one little more is
decoded than that part. An assistant message with nothing after it (a prefill) ends
nothing: else one letter of it would hide a repeat. Nothing here is ever refused: what
is of no known shape is left out, for its provider to refuse.
"""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Raw

from gateway.values import Turn
from gateway.wire import parts
from gateway.wire.parts import Heard, Item

BEFORE_CHARS_MAX: Final = 2_000
"""How much of what the model said last goes with a turn."""

_WHOLE_BYTES_MAX: Final = 4_096
"""A conversation this short is decoded at once."""
_REACH_BYTES: Final = 65_536
"""How far from its end the model's last turn is looked for."""
_STARTS_MAX: Final = 8

_ASSISTANT: Final = (b'"assistant"',)
_MODEL_ITEMS: Final = (b'_call"', b'"assistant"', b'"reasoning"')
"""What stands in the model's own messages and items, and seldom elsewhere."""
_MODEL_KINDS: Final = frozenset(
    {"reasoning", "compaction", "item_reference", "mcp_list_tools", "mcp_approval_request"}
)
_INSTRUCTIONS: Final = ("system", "developer")
_IDS: Final = re.compile(rb"\[[ \t\r\n]*-?[0-9]")
_BLANKS: Final = b" \t\r\n"

_items: Final = msgspec.json.Decoder(list[Raw])
_anything: Final = msgspec.json.Decoder()


def messages(content: bytes) -> Turn:
    """Return the turn that ends the `messages` of a chat or of Anthropic's messages API."""
    return _read(content, _ASSISTANT)


def items(content: bytes) -> Turn:
    """Return the turn that ends the `input` of a Responses call."""
    return _read(content, _MODEL_ITEMS)


def continued(content: bytes) -> Turn:
    """Return the turn of an `input` whose conversation its provider keeps: all of it."""
    return _read(content, ())


def prompts(content: bytes) -> Turn:
    """Return the turn that a prompt, or a list of them, is; token ids count as attached."""
    try:
        return _prompts(content) if content[:1] == b"[" else _alone(content)
    except RecursionError:
        return _deep(content)


def _read(content: bytes, marks: tuple[bytes, ...]) -> Turn:
    """Return the last turn of a conversation; without marks, all of it as one turn."""
    try:
        return _last(content, marks) if content[:1] == b"[" else _alone(content)
    except RecursionError:
        return _deep(content)


def _deep(content: bytes) -> Turn:
    """Return the turn of what is nested too deeply to be taken apart: it stands for itself."""
    return Turn(attachments=(sha256(content).digest(),))


def _alone(content: bytes) -> Turn:
    """Return the turn of a content that is no list."""
    heard = Heard()
    heard.content(_load(content))
    return heard.turn()


def _prompts(content: bytes) -> Turn:
    if _IDS.match(content):
        return Turn(attachments=(_ids(content),))
    heard = Heard()
    for prompt in _all(content, ()):
        written = bytes(prompt)
        if _IDS.match(written):
            heard.attachments.append(_ids(written))
        else:
            heard.content(_load(written))
    return heard.turn()


def _ids(written: bytes) -> bytes:
    return sha256(written.translate(None, _BLANKS)).digest()


def _last(content: bytes, marks: tuple[bytes, ...]) -> Turn:
    newest: list[Item] = []
    heard = Heard()
    short = len(content) <= _WHOLE_BYTES_MAX
    for item in _objects(_load(content)) if short else _backwards(content, marks):
        if _is_the_models(item):
            if not marks:
                continue
            heard = heard or _heard(newest)
            newest.clear()
            if heard and (before := parts.said(item, BEFORE_CHARS_MAX)):
                return heard.turn(before)
        elif item.get("role") not in _INSTRUCTIONS:
            if heard:
                return heard.turn()
            newest.append(item)
    return (heard or _heard(newest)).turn()


def _heard(newest: list[Item]) -> Heard:
    """Return what some items say; they come last first."""
    heard = Heard()
    for item in reversed(newest):
        heard.message(item)
    return heard


def _is_the_models(item: Item) -> bool:
    role, kind = item.get("role"), item.get("type")
    if role is not None:
        return bool(role == "assistant")
    return isinstance(kind, str) and (kind.endswith("_call") or kind in _MODEL_KINDS)


def _backwards(content: bytes, marks: tuple[bytes, ...]) -> Iterator[Item]:
    """Return the objects of a JSON array from the last to the first, decoded when asked for."""
    taken = 0
    for reach in (_tail, _all):
        found = reach(content, marks)
        for raw in reversed(found[: len(found) - taken]):
            yield from _objects([_load(raw)])
        taken = len(found)


def _objects(array: list[Any] | None) -> list[Item]:
    """Return the objects of an array, from the last to the first."""
    return [item for item in reversed(array or ()) if isinstance(item, dict)]


def _all(content: bytes, _marks: tuple[bytes, ...]) -> list[Raw]:
    return _decoded(content) or []


def _tail(content: bytes, marks: tuple[bytes, ...]) -> list[Raw]:
    """
    Return the last items of a long array from the model's last turn on, none if not found.

    What begins at any `{"` and reads as the rest of an array is the rest of this one: one
    level further in there would be a bracket too many, and inside a string a quote too few.
    """
    start = max(0, len(content) - _REACH_BYTES)
    place = max((content.rfind(mark, start) for mark in marks), default=-1)
    for _ in range(_STARTS_MAX):
        place = content.rfind(b'{"', start, place) if place > 0 else -1
        if place < 0:
            break
        found = _decoded(b"[" + content[place:])
        if found is not None:
            return found
    return []


def _decoded(array: bytes) -> list[Raw] | None:
    """Return the items of an array, undecoded; None when it is none."""
    try:
        return _items.decode(array)
    except msgspec.DecodeError:
        return None


def _load(raw: bytes | Raw) -> Any:
    """Return some JSON decoded, None where nothing can."""
    try:
        return _anything.decode(raw)
    except msgspec.DecodeError:
        return _load_anyhow(bytes(raw))


def _load_anyhow(raw: bytes) -> Any:
    """Return JSON decoded that holds numbers out of range, which some providers pass over."""
    try:
        return json.loads(raw, parse_int=float)
    except ValueError:
        return None

"""
What the parts of a message say: text, what tools answered, and what is attached.

All three formats put their parts side by side here: their names do not clash. What is of
no shape known here is left out, since its provider refuses it; a part of a kind not
known here stands for itself, as an attachment does. A part is read by its kind alone,
so that text where its provider reads none changes nothing.
"""

import binascii
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, cast
from urllib.parse import unquote_to_bytes

import msgspec

from gateway.values import Turn

Item = dict[str, Any]

DEPTH_MAX: Final = 6
"""A picture in a tool's result in a message is three deep; no format has more than five."""

_TEXTS: Final[Mapping[str, str]] = {
    "text": "text",
    "input_text": "text",
    "output_text": "text",
    "refusal": "refusal",
}
"""Parts that are text, and the name it stands under."""
_ATTACHMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "image_url": ("image_url",),
    "input_audio": ("input_audio",),
    "file": ("file",),
    "input_image": ("image_url", "file_id"),
    "input_file": ("file_data", "file_url", "file_id"),
    "computer_screenshot": ("image_url", "file_id"),
    "image": ("source",),
    "container_upload": ("file_id",),
}
"""Parts that are attached, and the names their content may stand under."""
_ENCLOSING: Final = frozenset({"search_result", "message"})
_LOOSE_TEXTS: Final = ("text", "content", "stdout", "stderr")
"""Names of text in parts that tell no kind (a shell's output has some)."""

_CONTENTS: Final = ("data", "file_data")
_NAMES: Final = ("url", "file_url", "file_id")

_TOOLS: Final = ("tool", "function")
_OUTPUT: Final = "_output"


class Heard:
    """What was said in some messages, in order."""

    __slots__ = ("attachments", "results", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.results: list[str] = []
        self.attachments: list[bytes] = []

    def __bool__(self) -> bool:
        """Whether anything was: a tool that answers nothing has still answered."""
        return bool(self.texts or self.results or self.attachments)

    def turn(self, before: str = "") -> Turn:
        """Return it as a turn."""
        return Turn(
            texts=tuple(self.texts),
            results=tuple(self.results),
            attachments=tuple(self.attachments),
            before=before,
        )

    def message(self, item: Item) -> None:
        """Take in a message or an item of the caller's side."""
        role, kind = item.get("role"), item.get("type")
        if role in _TOOLS:
            self.answer(item.get("content"))
        elif role is None and isinstance(kind, str) and kind.endswith(_OUTPUT):
            self.answer(item.get("output"))
        elif role is None and kind == "mcp_approval_response":
            self.answer(item.get("reason"))
        elif role is None and kind is not None:
            self.part(item, DEPTH_MAX)
        else:
            self.content(item.get("content"))

    def answer(self, content: object, depth: int = DEPTH_MAX) -> None:
        """Take in what one tool answered: one result, whatever it is made of."""
        inner = Heard()
        inner.content(content, depth)
        self.results.append("\n".join(inner.results + inner.texts))
        self.attachments += inner.attachments

    def content(self, content: object, depth: int = DEPTH_MAX) -> None:
        """Take in the content of a message: a string, a part, or a list of them."""
        if isinstance(content, str):
            self.text(content)
        elif depth <= 0:
            return
        elif isinstance(content, dict):
            self.part(cast("Item", content), depth)
        elif isinstance(content, list):
            for each in cast("list[object]", content):
                self.content(each, depth - 1)

    def text(self, text: object) -> None:
        """Take in a piece of text, unless it is blank."""
        if isinstance(text, str) and text and not text.isspace():
            self.texts.append(text)

    def part(self, part: Item, depth: int) -> None:
        """Take in one part of a message."""
        kind = part.get("type")
        if not isinstance(kind, str):
            kind = ""
        if (name := _TEXTS.get(kind)) is not None:
            self.text(part.get(name))
        elif kind == "tool_result":
            self.answer(part.get("content"), depth - 1)
        elif kind == "document":
            self._document(part.get("source"), depth)
        elif kind in _ENCLOSING:
            self.content(part.get("content"), depth - 1)
        elif (names := _ATTACHMENTS.get(kind)) is not None:
            self.attach(next((part[name] for name in names if part.get(name)), None))
        else:
            self._other(part)

    def attach(self, value: object) -> None:
        """Take in an attachment: its content or its name, wrapped in an object or not."""
        if isinstance(value, dict) and value:
            self.attachments.append(_wrapped(cast("Item", value)))
        elif isinstance(value, str):
            self.attachments.append(_named(value))

    def _document(self, source: object, depth: int) -> None:
        """Take in a document of Anthropic's: text in one piece, in parts, or an attachment."""
        held: Item = cast("Item", source) if isinstance(source, dict) else {}
        if held.get("type") == "text":
            self.text(held.get("data"))
        elif held.get("type") == "content":
            self.content(held.get("content"), depth - 1)
        else:
            self.attach(held)

    def _other(self, part: Item) -> None:
        """Take in a part of another kind: its text, or else itself."""
        texts = [part[name] for name in _LOOSE_TEXTS if isinstance(part.get(name), str)]
        for text in texts:
            self.text(text)
        if not texts:
            self.attachments.append(_whole(part))


def _wrapped(value: Item) -> bytes:
    """Return the digest of an attachment inside an object."""
    for name in _CONTENTS:
        if isinstance(content := value.get(name), str):
            return _encoded(content)
    for name in _NAMES:
        if isinstance(address := value.get(name), str):
            return _named(address)
    return _whole(value)


def _named(address: str) -> bytes:
    """Return the digest of what a `data:` URL (RFC 2397) holds, else of the URL or id itself."""
    if address[:5].lower() != "data:":
        return sha256(address.encode()).digest()
    kind, _comma, data = address.partition(",")
    if kind.lower().endswith(";base64"):
        return _encoded(data)
    return sha256(unquote_to_bytes(data)).digest()


def _encoded(data: str) -> bytes:
    """Return the digest of what some base64 (RFC 4648, either alphabet) holds."""
    if data[:5].lower() == "data:":
        return _named(data)
    if "-" in data or "_" in data:
        data = data.replace("-", "+").replace("_", "/")
    try:
        # Not strict: line breaks and padding are how it is written, not what it holds.
        return sha256(binascii.a2b_base64(data + "==")).digest()
    except ValueError:
        return sha256(data.encode()).digest()


def _whole(value: Item) -> bytes:
    return sha256(msgspec.json.encode(value, order="sorted")).digest()


_ARGUMENTS: Final = ("arguments", "input", "action")
_SAID: Final = (
    *("content", "text", "refusal"),
    *("tool_calls", "function_call", "function", "custom", "name"),
    *_ARGUMENTS,
)
"""Names under which the formats put what a model says, and the tools it calls."""


def said(item: object, chars_max: int, depth: int = DEPTH_MAX) -> str:
    """Return the end of what the model said in a message or an item, tool calls included."""
    return "\n".join(_said(item, chars_max, depth))[-chars_max:]


def _said(item: object, chars_max: int, depth: int) -> list[str]:
    if isinstance(item, str):
        return [item[-chars_max:]]
    if depth <= 0:
        return []
    if isinstance(item, list):
        each = cast("list[object]", item)
        return [text for inner in each for text in _said(inner, chars_max, depth - 1)]
    return _named_ones(cast("Item", item), chars_max, depth) if isinstance(item, dict) else []


def _named_ones(item: Item, chars_max: int, depth: int) -> list[str]:
    found: list[str] = []
    for name in _SAID:
        if value := item.get(name):
            if name in _ARGUMENTS and isinstance(value, dict):
                value = msgspec.json.encode(value).decode()
            found += _said(value, chars_max, depth - 1)
    return found

"""
How other gateways let a call say what it is for.

LiteLLM's tags and metadata, Portkey's and Cloudflare's metadata, Helicone's properties,
W3C baggage: who comes from one of them need not change a line. A header that says
nothing of a task is nobody's business and passes; one that cannot be read is refused,
because it may have named one.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from gateway.errors import InvalidRequest

_JSON = {
    b"x-litellm-spend-logs-metadata": "x-litellm-spend-logs-metadata",
    b"x-portkey-metadata": "x-portkey-metadata",
    b"cf-aig-metadata": "cf-aig-metadata",
}
_PLAIN = {
    b"helicone-property-task": "Helicone-Property-Task",
    b"helicone-property-task-id": "Helicone-Property-Task-Id",
}
_TAGS = b"x-litellm-tags"
_BAGGAGE = b"baggage"

HEADERS = frozenset((*_JSON, *_PLAIN, _TAGS, _BAGGAGE))
"""Every header of another gateway that may name a task, in lower case."""


def tasks(headers: Mapping[bytes, bytes]) -> Iterator[str]:
    """
    Yield every task named in another gateway's spelling, as written.

    Raises:
        InvalidRequest: a header that may name one cannot be read.

    """
    if _TAGS in headers:
        yield from _tags(headers[_TAGS])
    for name, shown in _JSON.items():
        if name in headers:
            yield from _metadata(shown, headers[name])
    for name, shown in _PLAIN.items():
        if name in headers:
            yield from texts(shown, headers[name])
    if _BAGGAGE in headers:
        yield from _baggage(headers[_BAGGAGE])


def texts(shown: str, value: bytes) -> list[str]:
    """
    Return the values of a header: more than one when it was sent twice.

    Raises:
        InvalidRequest: they are not UTF-8.

    """
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"{shown} is not UTF-8 text: send the task's id as it is") from None
    return text.split("\n") if "\n" in text else [text]


def _tags(value: bytes) -> Iterator[str]:
    for text in texts("x-litellm-tags", value):
        for tag in text.split(","):
            kind, colon, task = tag.strip().partition(":")
            if colon and kind == "task":
                yield task


def _metadata(shown: str, value: bytes) -> Iterator[str]:
    try:
        found: Any = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest(f"{shown} is not JSON: send an object, or leave it out") from None
    if not isinstance(found, dict):
        return
    for key in ("task_id", "task"):
        task = found.get(key)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # any JSON
        if task is None:
            continue
        if not isinstance(task, str | int) or isinstance(task, bool):
            raise InvalidRequest(f"{key} in {shown} is no text: send the task's id in quotes")
        yield str(task)


def _baggage(value: bytes) -> Iterator[str]:
    # W3C Baggage, section 3.2: key=value;property, separated by commas, percent-encoded.
    for text in texts("baggage", value):
        for member in text.split(","):
            key, _, task = member.partition(";")[0].partition("=")
            if key.strip() == "task.id":
                yield _percent_decoded(task.strip())


def _percent_decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise InvalidRequest("task.id in baggage is not UTF-8, percent-encoded") from None

"""
Single values of a body, checked as they are taken out of it.

`null` is the same as leaving a field out, as OpenAI's and Anthropic's APIs treat it.
Every refusal names the field and says what it must be; none repeats what it was.
"""

from typing import Final

import msgspec

from gateway.errors import InvalidRequest
from gateway.wire import objects
from gateway.wire.objects import Fields

MODEL_CHARS_MAX: Final = 256
COUNT_MAX: Final = 1_000_000_000
"""More than this of anything countable is a mistake, not a wish."""
CHOICES_MAX: Final = 10_000

NULL: Final = msgspec.Raw(b"null")

_string: Final = msgspec.json.Decoder(str)
_count: Final = msgspec.json.Decoder(int)
_number: Final = msgspec.json.Decoder(float)


def model(fields: Fields) -> str:
    """Return the model that is asked for; refuse a missing, empty or unprintable one."""
    name = text(fields, "model")
    if not name:
        raise InvalidRequest("`model` is missing: name the model that should answer.")
    if len(name) > MODEL_CHARS_MAX or not name.isprintable():
        raise InvalidRequest(
            f"`model` must be at most {MODEL_CHARS_MAX} printable characters: check its name."
        )
    return name


def text(fields: Fields, name: str, shown: str = "") -> str:
    """Return a string, or `""` where there is none; `shown` is its name in a refusal."""
    raw = fields.get(name)
    if raw is None or raw == NULL:
        return ""
    try:
        return _string.decode(raw)
    except msgspec.DecodeError:
        raise InvalidRequest(f"`{shown or name}` must be a string.") from None


def flag(fields: Fields, name: str, shown: str = "") -> bool:
    """Return a boolean, False where there is none."""
    raw = fields.get(name)
    if raw is None:
        return False
    value = bytes(raw)
    if value not in (b"true", b"false", b"null"):
        raise InvalidRequest(f"`{shown or name}` must be true or false.")
    return value == b"true"


def count(fields: Fields, name: str, least: int = 0, most: int = COUNT_MAX) -> int | None:
    """Return a whole number from `least` to `most`, None where there is none."""
    raw = fields.get(name)
    if raw is None or raw == NULL:
        return None
    try:
        value = _count.decode(raw)
    except msgspec.DecodeError:
        value = -1
    if not least <= value <= most:
        raise InvalidRequest(f"`{name}` must be a whole number from {least} to {most}.")
    return value


def positive(fields: Fields, name: str) -> bool:
    """Return whether a number above 0 is given; what is none counts, its provider refuses it."""
    raw = fields.get(name)
    if raw is None or raw == NULL:
        return False
    try:
        return _number.decode(raw) > 0
    except msgspec.DecodeError:
        return True


def given(fields: Fields, name: str) -> bool:
    """Return whether a field has any value at all."""
    raw = fields.get(name)
    return raw is not None and raw != NULL


def nested(fields: Fields, name: str) -> Fields:
    """Return the fields of an object inside the body, none where there is no object."""
    raw = fields.get(name)
    if raw is None:
        return {}
    value = bytes(raw)
    return {} if value == b"null" else objects.read(value, f"`{name}`")

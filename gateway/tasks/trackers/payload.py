"""
Turns a tracker's JSON into what we read of it, or says which field is not as it must be.

What a tracker sends is full of people's words: an error names a path and a type, never a value.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, TypeAlias, TypeVar

import msgspec

from gateway.errors import WebhookRefused
from gateway.tasks.trackers import proof

T = TypeVar("T")

Time: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""ISO 8601 with an offset."""

SECONDS_MAX = 253_402_300_800
"""The year 10000: no clock says so, and no date can be made of it."""

AMOUNT_MAX = 10**12
PLACES_MAX = 20

_PATH = re.compile(r" - at `\$([^`]*)`$")
_TYPES = re.compile(r"Expected `[^`]*`, got `[^`]*`|Object missing required field `\w*`")


def decode(body: bytes | msgspec.Raw, form: type[T], *, at: str = "$") -> T:
    """
    Return `body` as `form`. `at` is the path of `body` in its message.

    Raises:
        WebhookRefused: it is no JSON, or a field is missing or of another type; says which.

    """
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.ValidationError as error:
        raise _wrong(str(error), at) from None
    except (ValueError, RecursionError):
        raise WebhookRefused(
            f"{at} of the message is no JSON; have its sender send the body it signed"
        ) from None


def header(headers: Mapping[bytes, bytes], name: bytes) -> str:
    """Return a header that must be there; its name is given in lower case."""
    value = headers.get(name, b"").decode("latin-1").strip()
    if not value:
        raise WebhookRefused(
            f"the header {name.decode()} is missing; send the tracker's webhook here directly"
        )
    return value


def check_hex(signed: str, body: bytes, secrets: Iterable[bytes]) -> None:
    """Refuse a body whose hex HMAC-SHA256 under one of the secrets is not `signed`."""
    check_signed([signed.lower()], [proof.hmac_hex(one, body) for one in secrets if one])


def check_signed(signed: Iterable[str], good: Iterable[str]) -> None:
    """Refuse a message when none of its signatures is one of the good ones."""
    good = tuple(good)
    if not good:
        raise WebhookRefused("no secret is set for this webhook; set one in goodgate.yaml")
    if not any(proof.equal(one, other) for one in signed for other in good):
        raise WebhookRefused(
            "the webhook's signature is not good; set the same secret here and at its sender"
        )


def check_fresh(sent_at_s: float, *, now: float, within_s: float) -> None:
    """Refuse a message that was sent long ago, or in the future."""
    if not proof.fresh(sent_at_s, now, within_s):
        raise WebhookRefused(
            f"the webhook was not sent within {within_s:.0f} s of now; check both clocks"
        )


def seconds(time: datetime) -> float:
    """Return a time as Unix seconds."""
    return time.timestamp()


def amount(raw: msgspec.Raw, *, at: str) -> Decimal | None:
    """Return a value that is not negative; None where there is none."""
    if bytes(raw) == b"null":
        return None
    value = decode(raw, Decimal, at=at)
    check_amount(value, at=at)
    return value


def check_amount(value: Decimal, *, at: str) -> None:
    """Refuse a value that is negative, or of more digits than anything is worth."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -PLACES_MAX or not 0 <= value < AMOUNT_MAX:
        raise WebhookRefused(
            f"{at} is no amount; it is a number from 0 to {AMOUNT_MAX}, with at most "
            f"{PLACES_MAX} decimal places"
        )


def _wrong(message: str, at: str) -> WebhookRefused:
    """Keep of the decoder's message what cannot hold a value: the path and the types."""
    path = _PATH.search(message)
    types = _TYPES.match(message)
    what = types[0].replace("Expected", "expected").replace("Object", "object") if types else ""
    return WebhookRefused(
        f"{at}{path[1] if path else ''} is not as expected: {what or 'not one of its values'}; "
        "check that the webhook comes from this tracker and has its usual form"
    )

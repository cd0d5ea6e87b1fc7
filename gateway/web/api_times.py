"""Lengths and moments of time, as people type them: `90d`, `2026-11-01`."""

import datetime
import re

from gateway.errors import InvalidRequest

_LENGTH = re.compile(r"([0-9]{1,6})(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def length_s(text: str) -> int:
    """Return a length in seconds: `30s`, `15m`, `8h`, `90d`, `2w`; raises InvalidRequest."""
    match = _LENGTH.fullmatch(text.strip().lower())
    if match is None or int(match[1]) == 0:
        raise InvalidRequest(f"{text[:40]!r} is no length of time: write 30s, 15m, 8h, 90d or 2w")
    return int(match[1]) * _SECONDS[match[2]]


def moment_us(text: str, now: float) -> int:
    """
    Return a moment as Unix microseconds: `7d` is seven days before now, else ISO 8601.

    A moment without an offset is UTC; raises InvalidRequest.
    """
    if _LENGTH.fullmatch(text.strip().lower()):
        return int((now - length_s(text)) * 1_000_000)
    try:
        moment = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidRequest(
            f"{text[:40]!r} is no moment: write 7d (ago), 2026-11-01 or 2026-11-01T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return int(moment.timestamp() * 1_000_000)

"""Moments as people type them: `24h`, `7d` (ago), `2026-11-01`, `2026-11-01T12:00:00Z`."""

import datetime
import re

from gateway.errors import InvalidRequest

_LENGTH = re.compile(r"([0-9]{1,6})(s|m|h|d|w)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def moment_us(text: str, now: float) -> int:
    """
    Return a moment in Unix microseconds; without an offset it is UTC.

    Raises:
        InvalidRequest: the text is neither a length of time nor ISO 8601.

    """
    text = text.strip()
    length = _LENGTH.fullmatch(text.lower())
    if length is not None:
        return int((now - int(length[1]) * _SECONDS[length[2]]) * 1_000_000)
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(
            f"{text[:40]!r} is no moment: write 7d (ago), 2026-11-01 or 2026-11-01T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return (moment - _EPOCH) // datetime.timedelta(microseconds=1)

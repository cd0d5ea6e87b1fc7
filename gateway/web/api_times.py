"""Lengths of time, as people type them: `30m`, `8h`, `90d`."""

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

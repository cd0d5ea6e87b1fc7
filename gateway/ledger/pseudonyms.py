"""
Names that stand for people: commitments in the ledger, pseudonyms in the decision log.

A commitment is SHA-256 over a salt and the person; the salt is random, one per person
and month, and kept beside the ledger. Deleting it turns the commitment into noise, and no
fold over the ledger needs the name. A weekly pseudonym needs no table: it is an HMAC.
"""

import datetime
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable

from msgspec import Struct

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_WEEK_US = 7 * 86_400 * 1_000_000
_MONDAY_US = 4 * 86_400 * 1_000_000
"""The first Monday of Unix time, 5 January 1970."""
SALT_BYTES = 16
_WEEKS_MAX = 2
COMMITMENT_HEX = 32
WEEKLY_HEX = 16
_ZEROS = b"0" * WEEKLY_HEX
_KEY_ID = re.compile(rb'("principal\.key_id":)"[0-9a-f]{16}"')


class Salt(Struct, frozen=True, kw_only=True):
    """What ties a commitment to a person, and nothing else does."""

    principal: str
    month: str
    """UTC: `2026-11`."""
    salt: bytes


def month_of(at_us: int) -> str:
    """Return the UTC month of a moment (Unix microseconds): `2026-11`."""
    return (_EPOCH + datetime.timedelta(microseconds=at_us)).strftime("%Y-%m")


def commitment(salt: bytes, principal: str) -> str:
    """Return the commitment of a person under a salt: 32 hex digits."""
    return hashlib.sha256(salt + principal.encode()).hexdigest()[:COMMITMENT_HEX]


def persons(salts: Iterable[Salt]) -> dict[str, str]:
    """Return who each commitment stands for, as far as salts are left."""
    return {commitment(each.salt, each.principal): each.principal for each in salts}


def week_of(at_us: int) -> int:
    """Return the number of the ISO week of a moment (Unix microseconds); it begins on a Monday."""
    return (at_us - _MONDAY_US) // _WEEK_US


def blanked(line: bytes, pseudonyms: Iterable[str]) -> bytes:
    """Return a line of the decision log with zeros for a person's pseudonyms and their key's."""
    for each in pseudonyms:
        name = each.encode()
        if name in line:
            line = _KEY_ID.sub(rb'\1"' + _ZEROS + b'"', line.replace(name, _ZEROS))
    return line


class Weekly:
    """Weekly pseudonyms, each worked out once. Two weeks are remembered, and no more."""

    def __init__(self, secret: bytes) -> None:
        """Derive the key of all pseudonyms from the deployment's secret."""
        self._key = hmac.digest(secret, b"goodgate weekly pseudonyms", "sha256")
        self._weeks: dict[int, dict[str, str]] = {}

    def of(self, name: str, at_us: int) -> str:
        """Return the pseudonym of a name in the ISO week of `at_us`: 16 hex digits."""
        week = week_of(at_us)
        made = self._weeks.get(week)
        if made is None:
            made = self._turn_to(week)
        found = made.get(name)
        if found is None:
            year, number, _ = (_EPOCH + datetime.timedelta(microseconds=at_us)).isocalendar()
            text = f"{year}-W{number:02}\0{name}"
            found = hmac.digest(self._key, text.encode(), "sha256").hex()[:WEEKLY_HEX]
            made[name] = found
        return found

    def _turn_to(self, week: int) -> dict[str, str]:
        if len(self._weeks) >= _WEEKS_MAX:
            del self._weeks[next(iter(self._weeks))]
        made: dict[str, str] = {}
        self._weeks[week] = made
        return made


class Names:
    """Commitments and weekly pseudonyms, each worked out once."""

    def __init__(
        self, *, secret: bytes, random: Callable[[int], bytes], known: Iterable[Salt] = ()
    ) -> None:
        self.weekly = Weekly(secret).of
        """The pseudonym of a name in the ISO week of a moment (Unix microseconds)."""
        self._random = random
        self._commitments = {
            (each.month, each.principal): commitment(each.salt, each.principal) for each in known
        }
        self._month = ""
        self._month_us = range(0)
        self._fresh: list[Salt] = []

    def commitment(self, principal: str, at_us: int) -> str:
        """Return the commitment of a person in the month of `at_us`; may make a fresh salt."""
        if at_us not in self._month_us:
            self._turn_to_month(at_us)
        known = self._commitments.get((self._month, principal))
        return known or self._salted(principal)

    def people(self) -> set[str]:
        """Return who has a commitment that is remembered."""
        return {principal for _, principal in self._commitments}

    def forget(self, principal: str) -> None:
        """Forget a person's commitments, so that the next one is of a salt not made yet."""
        for key in [key for key in self._commitments if key[1] == principal]:
            del self._commitments[key]
        self._fresh = [each for each in self._fresh if each.principal != principal]

    def take_fresh(self) -> list[Salt]:
        """Return the salts made since the last time: keep them before what names them."""
        if not self._fresh:
            return []
        taken, self._fresh = self._fresh, []
        return taken

    def _turn_to_month(self, at_us: int) -> None:
        self._month = month_of(at_us)
        start = datetime.datetime.strptime(self._month, "%Y-%m").replace(tzinfo=datetime.UTC)
        end = (start + datetime.timedelta(days=32)).replace(day=1)
        in_us = datetime.timedelta(microseconds=1)
        self._month_us = range((start - _EPOCH) // in_us, (end - _EPOCH) // in_us)

    def _salted(self, principal: str) -> str:
        salt = self._random(SALT_BYTES)
        self._fresh.append(Salt(principal=principal, month=self._month, salt=salt))
        made = commitment(salt, principal)
        self._commitments[self._month, principal] = made
        return made

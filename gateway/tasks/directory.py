"""
Who stands behind a tracker's account: `people:` of goodgate.yaml, as a value.

An account is somebody only when everything known of it points to that one person; a bot is
nobody. So no account is taken for a reviewer that nobody vouched for.
"""

from collections.abc import Mapping

from msgspec import Struct

from gateway.errors import ConfigError
from gateway.values import Account


class Person(Struct, frozen=True, kw_only=True):
    """A principal, and how trackers know them."""

    principal: str
    handles: Mapping[str, tuple[str, ...]] = {}
    """Logins or account ids, by the tracker's name in goodgate.yaml."""
    emails: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Show whose it is, and no handle or e-mail."""
        return f"Person({self.principal!r})"


class Directory:
    """Who is who; handles and e-mails are the same in any case."""

    def __init__(self, entries: Mapping[str, Person]) -> None:
        """
        Take everybody, by principal.

        Raises:
            ConfigError: a handle or an e-mail is given to two principals.

        """
        self._handles: dict[tuple[str, str], str] = {}
        self._emails: dict[str, str] = {}
        for person in entries.values():
            for tracker, handles in person.handles.items():
                for handle in handles:
                    key = (tracker, _folded(handle))
                    owner = self._handles.setdefault(key, person.principal)
                    _check_one(owner, person.principal, f"a handle of {tracker}")
            for email in person.emails:
                owner = self._emails.setdefault(_folded(email), person.principal)
                _check_one(owner, person.principal, "an e-mail")

    def who(self, tracker: str, account: Account | None) -> str:
        """Return the principal of an account; empty when it is nobody's, or not surely one's."""
        if account is None or account.is_bot:
            return ""
        handle, email = _folded(account.handle), _folded(account.email)
        by_handle = self._handles.get((tracker, handle), "") if handle else ""
        by_email = self._emails.get(email, "") if email else ""
        if by_handle and by_email and by_handle != by_email:
            return ""
        return by_handle or by_email


def _folded(text: str) -> str:
    return text.strip().casefold()


def _check_one(owner: str, other: str, what: str) -> None:
    if owner != other:
        raise ConfigError(
            f"people: {what} is given to both {owner} and {other}: leave it with one of them"
        )

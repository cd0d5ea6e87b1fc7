"""What roots were heard to say, and what of it was boilerplate: in PostgreSQL, for replicas."""

from collections.abc import Iterable, Sequence
from typing import Final

from gateway.stores.memory_boilerplate import READ_MAX, ROOT_BYTES_MAX
from gateway.stores.postgres import connection
from gateway.stores.postgres.session import Session

FILE: Final = "postgres_boilerplate.sql"
SQL = connection.load(FILE)


class Boilerplate:
    """Hashes by period and root, and the frozen ones by policy version. No text, no person."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @classmethod
    def open(cls, url: str) -> "Boilerplate":
        """Return that of a database, begun if need be; raises ConfigError."""
        return cls(Session(url, "boilerplate", FILE))

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def add(self, period: str, seen: Iterable[tuple[str, bytes]]) -> None:
        """Add what roots were heard to say in a period: root, 8 bytes a run."""
        with self._session.begin() as session, session.transaction():
            for root, grams in seen:
                given = {
                    "period": period,
                    "root_id": root,
                    "grams": grams,
                    "most": ROOT_BYTES_MAX,
                }
                session.execute(SQL["add"], given)

    def seen(self, period: str) -> Sequence[tuple[str, bytes]]:
        """Return what was added in a period, a root perhaps more than once; the newest first."""
        rows = self._session.ask("seen", (period, READ_MAX))
        return [(root, bytes(grams)) for root, grams in rows]

    def forget(self, before: str) -> int:
        """Forget the periods before one; return how much that was."""
        return len(self._session.ask("forget", (before,)))

    def freeze(self, policy: str, grams: bytes, now: float) -> bytes:
        """Keep what is boilerplate under a policy version; return what was kept for it first."""
        self._session.ask("freeze", (policy, grams, now))
        return self.frozen(policy) or b""

    def frozen(self, policy: str) -> bytes | None:
        """Return what was kept for a policy version; None: nothing yet."""
        found = self._session.ask("frozen", (policy,))
        return bytes(found[0][0]) if found else None

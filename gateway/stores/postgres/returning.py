"""
The way back: while the database is away, a thread asks for it and gives it what waits.

It tries each half second, drains the spool in order, and hands its session to the writer once
nothing waits any more (or once it hears that the replica was declared lost, and may not go on
under its name).
"""

import threading
from collections.abc import Callable
from typing import Final

import psycopg
from msgspec import Struct

from gateway.errors import GatewayError
from gateway.stores.postgres import connection, intake
from gateway.stores.postgres.connection import Address, Connection
from gateway.stores.postgres.intake import Ended
from gateway.stores.postgres.spool import Spool
from gateway.stores.postgres.standing import Standing

ASK_S: Final = 0.5
WRITE_S: Final = 2.0
"""How long one statement of an append may take: then the database is away."""


class Returned(Struct, frozen=True):
    """The database is there again."""

    session: Connection
    is_lost: bool
    """Whether the replica was declared lost meanwhile."""


class Returning:
    """One wait for the database. It ends by `back`, or by `stop`."""

    def __init__(self, standing: Standing, spool: Spool, back: Callable[[Returned], None]) -> None:
        self._standing = standing
        self._spool = spool
        self._back = back
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give up; blocks until a try that is under way ends."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            session = self._try()
            if session is not None:
                self._back(session)
                return
            self._stopping.wait(ASK_S)

    def _try(self) -> Returned | None:
        try:
            session = opened(self._standing.address)
        except (psycopg.Error, GatewayError):
            return None
        try:
            intake.drain(session, self._standing, self._spool, self._stopping.is_set)
        except Ended:
            return Returned(session, is_lost=True)
        except (psycopg.Error, GatewayError):
            session.close()
            return None
        return Returned(session, is_lost=False)


def opened(address: Address) -> Connection:
    """Return a session to append by; raises as `connection.connect`."""
    return connection.connect(address, statement_timeout_s=WRITE_S)

"""
What a replica of the ledger is given once, and all of its parts share.

The log has one key at a time, the same on every replica. A replica that holds another one may
append and promise, but it signs no checkpoint until the key it holds is the log's: it has the
key before it too, and says so in a leaf when it sequences next.
"""

from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct

from gateway.errors import ConfigError
from gateway.ledger import notes
from gateway.stores.postgres import connection
from gateway.stores.postgres.connection import Address

SQL = connection.load("postgres_ledger.sql")
LOCK: Final = int.from_bytes(b"ggledger") >> 1
"""Who holds this advisory lock of the database sequences."""
LEASE_S: Final = 30.0
"""A replica not seen for so long is lost: its calls are settled as such."""
LEADER_LEASE_S: Final = 10.0
"""A sequencer that did nothing for so long loses its session."""


class Standing(Struct, frozen=True, kw_only=True):
    """A replica's place: which log, in which database, and by what it signs."""

    address: Address
    origin: str
    signer: notes.Signer
    previous: notes.Signer | None = None
    """The key that signed before."""
    secret: bytes
    """The deployment's: marks of erased people are made with it."""
    clock: Callable[[], float]
    random: Callable[[int], bytes]
    small_team: Callable[[str], bool]
    version: str
    role: Literal["gateway", "command"] = "gateway"
    lease_s: float = LEASE_S
    leader_lease_s: float = LEADER_LEASE_S

    def __repr__(self) -> str:
        """Return the log's name alone."""
        return f"Standing({self.origin})"

    def now_us(self) -> int:
        """Return Unix time in microseconds."""
        return int(self.clock() * 1_000_000)

    def new_id(self) -> str:
        """Return an id no other record has."""
        return "own_" + self.random(16).hex()

    def check_key(self, vkey: str) -> None:
        """
        Refuse to go on when neither the key held nor the one before it is the log's.

        Raises:
            ConfigError: it is another one.

        """
        known = {self.signer.verifier.vkey}
        if self.previous is not None:
            known.add(self.previous.verifier.vkey)
        if vkey not in known:
            raise ConfigError(
                f"the log {self.origin} is signed with another key: give every replica the same"
                " GOODGATE_LEDGER_KEY, and after a rotation the one before it as"
                " GOODGATE_LEDGER_KEY_PREVIOUS"
            )

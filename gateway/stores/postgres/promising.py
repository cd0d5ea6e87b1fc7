"""What callers may hold the log to, once the database has their records."""

from collections.abc import Sequence
from typing import Final

from gateway import ledger
from gateway.ledger import merkle, promises
from gateway.ledger.promises import Promised
from gateway.stores.postgres.standing import Standing

PROMISE_S: Final = 86_400
"""How long a promise gives the log to keep it."""


def headers(
    standing: Standing, records: Sequence[ledger.Record], lines: Sequence[bytes]
) -> list[str]:
    """Return the promise for each record; empty where none is made."""
    made = [""] * len(records)
    places: list[int] = []
    promised: list[Promised] = []
    for at, record in enumerate(records):
        if isinstance(record, ledger.Intent | ledger.Refusal):
            places.append(at)
            leaf = merkle.leaf_hash(lines[at])
            promised.append(
                Promised(
                    request_id=record.request_id,
                    replica=record.replica,
                    replica_seq=record.replica_seq,
                    leaf=leaf,
                )
            )
    by_s = int(standing.clock()) + PROMISE_S
    texts = promises.make(standing.signer, standing.origin, by_s, promised)
    for at, text in zip(places, texts, strict=True):
        made[at] = text
    return made

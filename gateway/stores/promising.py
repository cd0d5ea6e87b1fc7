"""What callers are promised about records that became durable together, whatever the store."""

from collections.abc import Sequence

from gateway import ledger
from gateway.ledger import merkle, notes, promises
from gateway.ledger.promises import Promised

_PROMISED = (ledger.Intent, ledger.Refusal)


def promised(
    signer: notes.Signer,
    origin: str,
    by_s: int,
    lines: Sequence[bytes],
    records: Sequence[ledger.Record],
) -> list[str]:
    """
    Return the promise of each record, that its leaf will be under a checkpoint by a Unix time.

    Intents and refusals have one, as a caller holds it; for the others it is empty.
    """
    places: list[int] = []
    group: list[Promised] = []
    for at, record in enumerate(records):
        if isinstance(record, _PROMISED):
            places.append(at)
            group.append(
                Promised(
                    request_id=record.request_id,
                    replica=record.replica,
                    replica_seq=record.replica_seq,
                    leaf=merkle.leaf_hash(lines[at]),
                )
            )
    made = [""] * len(records)
    for at, header in zip(places, promises.make(signer, origin, by_s, group), strict=True):
        made[at] = header
    return made

"""
Receipts of calls: the entry, its way through the tree, and the checkpoint it ends in.

Whoever has the log's public key can check one without asking anybody. To others than the call's
own principal (and those who audit) a call is as unknown as one that never was.
"""

from collections.abc import Collection
from typing import Literal

from gateway import ledger
from gateway.errors import NotFound, ReceiptPending
from gateway.ledger import checkpoints, proofs, tiles
from gateway.reports.store import Log

Which = Literal["intent", "settle"]


def receipt(
    log: Log, request_id: str, which: Which, theirs: Collection[str] | None
) -> proofs.Receipt:
    """
    Return the receipt of a call's settle, or of its intent (of a refused call: its refusal).

    `theirs` are the commitments of who asks; None for those who may see every call.

    Raises:
        NotFound: no such call is known, or it is another's.
        ReceiptPending: the call is open, or no checkpoint covers the entry yet.

    """
    place = log.places(request_id)
    if place is None or place[0] < log.retired():
        raise _unknown()
    opening, settled = place
    first = log.lines(opening, 1)[0]
    call = ledger.decode(first)
    assert isinstance(call, ledger.Intent | ledger.Refusal), "a call begins with one of them"
    if theirs is not None and call.principal not in theirs:
        raise _unknown()
    is_one = which == "intent" or isinstance(call, ledger.Refusal)
    index = opening if is_one else settled
    if index is None:
        raise ReceiptPending(
            "the call is still open: ask again when it has been answered, or ask for the receipt"
            " of its intent (leaf=intent)"
        )
    return _proven(log, index, first if index == opening else log.lines(index, 1)[0])


def _proven(log: Log, index: int, line: bytes) -> proofs.Receipt:
    note = log.checkpoint()
    size = checkpoints.read(note, log.log().origin)[0].size if note else 0
    if index >= size:
        raise ReceiptPending(
            "the entry is durable, and no checkpoint covers it yet: ask again in a second"
        )
    path = tiles.Reader(size, log.tile).inclusion(index)
    return proofs.Receipt(index=index, path=tuple(path), checkpoint=note, extra=line)


def _unknown() -> NotFound:
    return NotFound(
        "no entry is kept under this request id that is yours to see: check it (it is in"
        " `x-request-id`); calls without a verified task have none, and those of closed periods"
        " are in the archives of your auditors"
    )

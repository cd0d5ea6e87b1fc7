"""How much of the log is a closed period: what can be exported and dropped."""

from collections.abc import Iterable, Sequence

from gateway import ledger
from gateway.ledger import tiles


def closed_below(bundles: Iterable[Sequence[bytes]], first: int, before_us: int) -> int:
    """
    Return the greatest multiple of 256 below which all is from before a moment, and settled.

    `bundles` are the leaves from index `first` (a multiple of 256) on; no more of them are read
    than it takes: up to the first entry from after the moment, and to the settles of the calls
    before it.
    """
    bound: int | None = None
    index = first
    opened: dict[str, int] = {}
    for lines in bundles:
        for line in lines:
            record = ledger.decode(line)
            if bound is None and _at_us(record) >= before_us:
                bound = index
            if isinstance(record, ledger.Settle):
                opened.pop(record.attempt_id, None)
            elif bound is None and isinstance(record, ledger.Intent):
                opened[record.attempt_id] = index
            index += 1
        if bound is not None and not opened:
            break
    ends = min(index if bound is None else bound, *opened.values(), 1 << 62)
    return max(ends // tiles.WIDTH * tiles.WIDTH, first)


def _at_us(record: ledger.Record) -> int:
    """Return when an entry's call was received, or what it tells of happened; else 0."""
    if isinstance(record, ledger.Intent | ledger.Refusal):
        return record.received_at_us
    at_us: int = getattr(record, "at_us", 0)
    return at_us

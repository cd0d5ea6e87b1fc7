"""
Promises and receipts: what callers hold, and the log has to be held to.

A promise is kept when the entry of its series and number has its hash. It is broken when another
stands there, when the series ended before, or when it was due by the newest time the log states
(of a live log: by now). A receipt leads from an entry to a checkpoint this log goes on from.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from gateway.ledger import merkle
from gateway.ledger.codec import Leaf
from gateway.ledger.promises import Promise
from gateway.ledger.proofs import Receipt
from gateway.ledger.verification.keys import Chain
from gateway.ledger.verification.report import Finding, Trust
from gateway.ledger.verification.retained import Checkpoints, Signed, signed
from gateway.ledger.verification.series import AllSeries

_SECOND_US = 1_000_000
_TIMES = ("received_at_us", "settled_at_us", "at_us")


class _Held(Struct):
    """A promise, and what the log has in its place."""

    promise: Promise
    index: int | None = None
    """Of the entry with its hash."""
    other: int | None = None
    """Of another entry with its number."""


class Judged(Struct):
    """What became of promises."""

    kept: int = 0
    pending: list[str] = []
    broken: list[tuple[str, Finding]] = []


class Promises:
    """The promises an auditor was given, while the entries go by."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Read them; one that is none counts as broken."""
        self._held: list[_Held] = []
        self._judged = Judged()
        self._newest_us = 0
        for number, text in enumerate(texts, 1):
            try:
                self._held.append(_Held(Promise.parse(text.strip())))
            except ValueError as wrong:
                self._break(f"promise {number}", f"this promise cannot be read: {wrong}")
        self._by_hash: dict[bytes, list[_Held]] = {}
        self._by_number: dict[tuple[str, int], list[_Held]] = {}
        for held in self._held:
            promised = held.promise.promised
            self._by_hash.setdefault(promised.leaf, []).append(held)
            key = (promised.replica, promised.replica_seq)
            self._by_number.setdefault(key, []).append(held)

    def __bool__(self) -> bool:
        """Whether there is any to look out for."""
        return bool(self._held)

    def pass_hashes(self, first: int, hashes: Sequence[bytes]) -> None:
        """Look for promised entries among those from an index on."""
        for found in self._by_hash.keys() & set(hashes):
            for held in self._by_hash[found]:
                held.index = first + hashes.index(found)

    def pass_leaf(self, index: int, leaf: Leaf) -> None:
        """Look whether an entry has the number of a promised one."""
        for held in self._by_number.get((leaf.replica, leaf.replica_seq), ()):
            if held.index != index:
                held.other = index
        times = (getattr(leaf, name, 0) for name in _TIMES)
        self._newest_us = max(self._newest_us, *times)

    def judge(self, chain: Chain, series: AllSeries, trust: Trust) -> Judged:
        """Say of each whether it was kept."""
        newest_s = self._newest_us // _SECOND_US
        due_s = newest_s if trust.whole_folder else max(newest_s, trust.now_s)
        keys = {key.key_id: key for key in chain.keys}
        for held in self._held:
            promise = held.promise
            name = promise.promised.request_id
            key = keys.get(promise.key_id)
            if key is None or not promise.verify(key, chain.origin):
                self._break(name, "this log did not make this promise, or it was altered")
                continue
            reason = _broken(held, series, due_s)
            if reason:
                self._break(name, reason, held.other)
            elif held.index is None:
                self._judged.pending.append(name)
            else:
                self._judged.kept += 1
        return self._judged

    def _break(self, name: str, what: str, index: int | None = None) -> None:
        finding = Finding(
            index=index, kind="promise", request_id=name, where="the promises given", what=what
        )
        self._judged.broken.append((name, finding))


def _broken(held: _Held, series: AllSeries, due_s: int) -> str:
    promised, by_s = held.promise.promised, held.promise.by_s
    place = f"number {promised.replica_seq} of replica {promised.replica}"
    if held.other is not None:
        return f"broken: another entry than the promised one stands as {place}"
    if held.index is not None:
        return ""
    last, ended = series.last_seq(promised.replica)
    if ended and last < promised.replica_seq:
        return f"broken: the log never got {place}, and ended that series with number {last}"
    if by_s < due_s:
        return f"broken: {place} was to be in the log {due_s - by_s:,} s ago, and is not"
    return ""


class Receipts:
    """The receipts an auditor was given."""

    def __init__(self, texts: Sequence[str], checkpoints: Checkpoints, origin: str) -> None:
        """Read them, and hold the log to their checkpoints."""
        self.wrong: list[Finding] = []
        self._read: list[tuple[int, Receipt, Signed]] = []
        self._hashes: dict[int, bytes] = {}
        for number, text in enumerate(texts, 1):
            try:
                receipt = Receipt.parse(text)
                note = signed(receipt.checkpoint, origin, f"the checkpoint of receipt {number}")
            except ValueError as wrong:
                self._refuse(number, f"this receipt cannot be used: {wrong}")
                continue
            checkpoints.held.append(checkpoints.hold(note))
            self._read.append((number, receipt, note))
        self._wanted = sorted({receipt.index for _, receipt, _ in self._read})

    def pass_hashes(self, first: int, hashes: Sequence[bytes]) -> None:
        """Keep the hashes of the entries that receipts are about."""
        for index in self._wanted:
            if first <= index < first + len(hashes):
                self._hashes[index] = hashes[index - first]

    def judge(self) -> tuple[int, list[Finding]]:
        """Return how many there are, and what is wrong with some."""
        for number, receipt, note in self._read:
            for what in self._problems(receipt, note):
                self._refuse(number, what, receipt.index)
        return len(self._read), self.wrong

    def _problems(self, receipt: Receipt, note: Signed) -> Iterator[str]:
        hashed = self._hashes.get(receipt.index, b"")
        if receipt.extra is not None and merkle.leaf_hash(receipt.extra) != hashed:
            yield "the log holds another entry at this index than the receipt"
        elif not merkle.is_included(hashed, receipt.index, note.size, receipt.path, note.root):
            yield "its path does not lead from the entry to the root of its checkpoint"

    def _refuse(self, number: int, what: str, index: int | None = None) -> None:
        where = f"receipt {number}"
        self.wrong.append(Finding(index=index, kind="receipt", where=where, what=what))

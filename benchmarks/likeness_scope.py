"""
One scope's memory, as the store keeps it, in a few lines.

Exact first; then the earlier calls that share a quarter of the features at least, the
three that share most (the newest of equals); at most 300 calls are remembered.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from heapq import nlargest

from gateway.likeness import Observer
from gateway.likeness.signature import Signature
from gateway.values import Earlier, Turn, Verdict

REMEMBERED_MAX = 300
CANDIDATES_MAX = 3
SCOPE = bytes(16)


class Scope:
    """Judges turns one after the other, as one principal's calls for one task."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self._entries: OrderedDict[bytes, tuple[Earlier, tuple[bytes, ...]]] = OrderedDict()
        self._holders: dict[bytes, set[bytes]] = {}
        self._ages: dict[bytes, int] = {}
        """When each was last seen: a larger number is newer."""
        self._clock = 0

    def __len__(self) -> int:
        return len(self._entries)

    def seen(self, turn: Turn, name: str) -> Verdict:
        """Judge a turn and remember it."""
        return self._judged(turn, name, keep=True)

    def tried(self, turn: Turn) -> Verdict:
        """Judge a turn and forget it again."""
        return self._judged(turn, "", keep=False)

    def _judged(self, turn: Turn, name: str, *, keep: bool) -> Verdict:
        signature = self.observer.observe(turn, scope=SCOPE, root=None)
        if signature.kind != "new":
            return Verdict(kind=signature.kind)
        known = self._entries.get(signature.exact)
        if known is not None:
            if keep:
                self._entries.move_to_end(signature.exact)
                self._touch(signature.exact)
            return Verdict(kind="exact", cluster=known[0].cluster, earlier=known[0].request_id)
        cluster = signature.exact[:8].hex()
        candidates = self.candidates(signature)
        if candidates:
            verdict = self.observer.judge(signature, candidates)
        else:
            verdict = Verdict(kind="new", cluster=cluster, reason="no candidate")
        if keep:
            self._remember(signature, name, verdict.cluster or cluster)
        return verdict

    def candidates(self, signature: Signature) -> Sequence[Earlier]:
        """Return the likest earlier calls, likest first."""
        shared: Counter[bytes] = Counter()
        for feature in signature.features:
            shared.update(self._holders.get(feature, ()))
        least = max(1, -(-len(signature.features) // 4))
        enough = [(count, exact) for exact, count in shared.items() if count >= least]
        likest = nlargest(CANDIDATES_MAX, enough, key=lambda one: (one[0], self._ages[one[1]]))
        return [self._entries[exact][0] for _, exact in likest]

    def _remember(self, signature: Signature, name: str, cluster: str) -> None:
        earlier = Earlier(request_id=name, cluster=cluster, words=signature.words)
        self._entries[signature.exact] = (earlier, signature.features)
        self._touch(signature.exact)
        for feature in signature.features:
            self._holders.setdefault(feature, set()).add(signature.exact)
        if len(self._entries) > REMEMBERED_MAX:
            exact, (_, features) = self._entries.popitem(last=False)
            del self._ages[exact]
            for feature in features:
                self._holders[feature].discard(exact)

    def _touch(self, exact: bytes) -> None:
        self._clock += 1
        self._ages[exact] = self._clock

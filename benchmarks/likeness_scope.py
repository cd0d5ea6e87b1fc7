"""One scope's calls judged one after the other, as the line and the store in memory do it."""

from gateway.likeness import Observer
from gateway.stores import memory_likeness
from gateway.values import Sighting, Turn, Verdict

SCOPE = bytes(16)
NO_CANDIDATE = "no candidate"


class Scope:
    """Judges turns as one principal's calls for one task."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self._memory = memory_likeness.Scope()

    def seen(self, turn: Turn, name: str) -> Verdict:
        """Judge a turn and remember it."""
        return self._judged(turn, name, keep=True)

    def tried(self, turn: Turn) -> Verdict:
        """Judge a turn, and remember nothing."""
        return self._judged(turn, "", keep=False)

    def _judged(self, turn: Turn, name: str, *, keep: bool) -> Verdict:
        signature = self.observer.observe(turn, scope=SCOPE, root=None)
        if signature.kind != "new":
            return Verdict(kind=signature.kind)
        known = self._memory.find(signature.exact)
        if known is not None:
            return Verdict(kind="exact", cluster=known.cluster, earlier=known.request_id)
        candidates = self._memory.candidates(signature.features)
        if candidates:
            verdict = self.observer.judge(signature, candidates)
        else:
            cluster = signature.exact[:8].hex()
            verdict = Verdict(kind="new", cluster=cluster, reason=NO_CANDIDATE)
        if keep:
            sighting = Sighting(
                tenant="default",
                scope=SCOPE,
                request_id=name,
                comparable=True,
                exact=signature.exact,
                features=signature.features,
                words=signature.words,
            )
            self._memory.add(sighting, verdict.cluster, 0.0)
        return verdict

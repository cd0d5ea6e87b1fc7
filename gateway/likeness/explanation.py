"""
Why are two prompts alike, or not: for a person who has both of them.

The same signatures and the same comparison as on the line, under a key of its own: so
nothing said here can be compared with what a deployment remembers.
"""

from functools import lru_cache

from msgspec import Struct

from gateway.likeness import verdict
from gateway.likeness.findings import NOTHING, SAME, TOO_LITTLE, Finding
from gateway.likeness.signature import Observer, Signature
from gateway.values import Earlier, LikenessKind, Turn, Verdict

_SCOPE = bytes(16)
_EARLIER = "earlier"


class Explanation(Struct, frozen=True, kw_only=True):
    """How the line would judge a prompt, given one before it, and in which words they differ."""

    kind: LikenessKind
    reason: str
    similarity: float
    """Share of the words in common, of the longer text: 0 to 1."""
    earlier: str
    """Normal form: its words, separated by spaces."""
    later: str
    earlier_words: str
    """What the earlier text has where the difference that decided it is; empty when nothing."""
    later_words: str


def judge_pair(earlier: str, later: str) -> Verdict:
    """Return how the line would judge `later`, were `earlier` all that it remembers."""
    return _judged(_observed(earlier), _observed(later))


def explain(earlier: str, later: str) -> Explanation:
    """Return the verdict on two prompts, both normal forms, and the words that decided it."""
    old, new = _observed(earlier), _observed(later)
    found = _judged(old, new)
    finding = _compared(old, new)
    note = finding.decisive
    return Explanation(
        kind=found.kind,
        reason=found.reason,
        similarity=1.0 if found.kind == "exact" else finding.similarity,
        earlier=" ".join(old.tokens),
        later=" ".join(new.tokens),
        earlier_words=" ".join(old.tokens[at] for at in note.old) if note else "",
        later_words=" ".join(new.tokens[at] for at in note.new) if note else "",
    )


def _judged(old: Signature, new: Signature) -> Verdict:
    if new.kind != "new":
        return Verdict(kind=new.kind, reason=TOO_LITTLE)
    cluster = new.exact[:8].hex()
    if old.kind != "new":
        return Verdict(kind="new", cluster=cluster, reason=NOTHING)
    if old.exact == new.exact:
        return Verdict(kind="exact", cluster=cluster, earlier=_EARLIER, reason=SAME)
    remembered = Earlier(request_id=_EARLIER, cluster=old.exact[:8].hex(), words=old.words)
    return verdict.judge(new, (remembered,), _observer().lexicon)


def _compared(old: Signature, new: Signature) -> Finding:
    return verdict.compare_with(new, old.words, _observer().lexicon)


def _observed(text: str) -> Signature:
    return _observer().observe(Turn(texts=(text,)), scope=_SCOPE, root=None)


@lru_cache(maxsize=1)
def _observer() -> Observer:
    return Observer(b"goodgate likeness: two prompts that a person has at hand")

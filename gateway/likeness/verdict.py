"""
Is a turn like one before it: the verdict over at most three candidates.

Similarity proposes candidates; here a comparison of their tokens decides. "Fix issue 123"
and "fix issue 124" are as similar as texts can be, and are not the same request.
"""

from collections.abc import Sequence
from typing import Protocol

from gateway.likeness.comparison import compare
from gateway.likeness.difference import decode
from gateway.likeness.findings import NOTHING, Finding
from gateway.likeness.lexicon import Lexicon
from gateway.likeness.pairing import Tools
from gateway.values import Earlier, Verdict

CANDIDATES_MAX = 3
_PREPARED_MAX = 8


class Compared(Protocol):
    """What is looked at of a signature."""

    @property
    def exact(self) -> bytes:
        """16 bytes: equal when the normal forms are."""
        ...

    @property
    def words(self) -> bytes:
        """3 bytes a token."""
        ...

    @property
    def tokens(self) -> Sequence[str]:
        """The normal form."""
        ...


_prepared: dict[int, tuple[Lexicon, Tools]] = {}


def prepare(lexicon: Lexicon) -> Tools:
    """Return what comparing needs of a lexicon: made once, in about 0.1 s, and kept."""
    found = _prepared.get(id(lexicon))
    if found is None or found[0] is not lexicon:
        if len(_prepared) >= _PREPARED_MAX:
            _prepared.clear()
        found = _prepared[id(lexicon)] = (lexicon, Tools(lexicon))
    return found[1]


def judge(signature: Compared, candidates: Sequence[Earlier], lexicon: Lexicon) -> Verdict:
    """Return `near` with the first candidate that asks for the same, else `new` and why."""
    reason = NOTHING
    likest = -1.0
    for earlier in candidates[:CANDIDATES_MAX]:
        finding = compare_with(signature, earlier.words, lexicon)
        if finding.near:
            return Verdict(
                kind="near",
                cluster=earlier.cluster,
                earlier=earlier.request_id,
                reason=finding.reason,
            )
        if finding.similarity > likest:
            likest, reason = finding.similarity, finding.reason
    return Verdict(kind="new", cluster=signature.exact[:8].hex(), reason=reason)


def compare_with(signature: Compared, words: bytes, lexicon: Lexicon) -> Finding:
    """Return what comes of comparing with one earlier text, known by its `words` alone."""
    if not words or not signature.words:
        return Finding(near=False, reason=NOTHING, similarity=0.0)
    return compare(prepare(lexicon), decode(words), decode(signature.words), signature.tokens)

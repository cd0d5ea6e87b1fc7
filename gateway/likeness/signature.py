"""
What does a turn look like to the comparison: keyed hashes, and its words while it is judged.

The turn is what was said since the model last spoke. What a person said decides its kind;
what tools answered and what is attached is compared with it. A turn that says little by
itself is compared together with the end of the one before.
"""

import hmac
import itertools
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Literal, TypeAlias

import numpy as np
from msgspec import Struct

from gateway.likeness import boilerplate, brevity, verdict
from gateway.likeness.learning import Learning
from gateway.likeness.lexicon import GROUPS, NO_PLACE, RECORD_BYTES, Lexicon
from gateway.likeness.normal_form import spell
from gateway.likeness.units import Units
from gateway.values import Earlier, Turn, Verdict

SignatureKind: TypeAlias = Literal["short", "continuation", "new"]

TOKENS_MAX = 4_096
"""Only an exact copy of a longer text is recognised."""

_SCOPES_REMEMBERED_MAX = 4_096
_RESULTS_CHARACTERS_MAX = 16_000
_MASKED_CHARACTERS_MIN = 200
_TELLING_MIN = 3
_GROUP_STARTS = np.arange(GROUPS + 1, dtype=np.uint32) << np.uint32(20)


class Signature(Struct, frozen=True, kw_only=True):
    """A turn, ready to be compared."""

    kind: SignatureKind
    """`new` is one to be compared; the others are compared with nothing."""
    tool_results_only: bool
    exact: bytes
    """16 bytes: equal when normal form, attachments and scope are."""
    features: tuple[bytes, ...] = ()
    """At most 12 of 3 bytes: texts alike share some. Empty: only `exact` can match."""
    words: bytes = b""
    """3 bytes a token, big-endian: `(value >> 44) << 4 | class`; one for each of `tokens`."""
    units: tuple[str, ...] = ()
    """The 64 smallest keyed hashes of the turn's own 5-grams, 16 hex digits each, sorted."""
    attachments: bytes = b""
    """8 bytes of keyed hash of what is attached; empty when nothing is."""
    tokens: Sequence[str] = ()
    """The normal form; an attachment is a token of its own before it. Never kept, never sent."""


class Observer:
    """Sees turns under the keys of one secret."""

    def __init__(self, secret: bytes) -> None:
        self.lexicon = Lexicon(_key(secret, "words"))
        self._exact = _key(secret, "exact")
        self.learning = Learning()
        self._units = Units(_key(secret, "units"), self.lexicon)
        # The same few for call after call.
        self.scope = lru_cache(_SCOPES_REMEMBERED_MAX)(self._scope_of)

    def _scope_of(self, tenant: str, principal_id: str, task_id: str) -> bytes:
        """Return the 16 bytes that stand for whom, and which task, texts are compared within."""
        parts = (part.encode() for part in (tenant, principal_id, task_id))
        named = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return blake2b(named, digest_size=16, key=self._exact, person=b"scope").digest()

    def observe(self, turn: Turn, *, scope: bytes, root: str | None) -> Signature:
        """Return a turn's signature in a scope; its units under `root`, or none for None."""
        said = boilerplate.strip("\n".join(turn.texts))
        if turn.results and (not said or said.isspace()):
            return self._continuation(turn, scope, root)
        own = _spelt(said)
        answered = _answered(turn.results)
        attached = [f"attachment:{digest.hex():0>64}" for digest in turn.attachments]
        is_short = not attached and not answered and brevity.is_short(own)
        tokens = [*attached, *own, *answered] if attached or answered else own
        if turn.before and not is_short and brevity.is_under(own, brevity.THIN_CHARACTERS):
            tokens = [*attached, *spell(boilerplate.strip(turn.before)), *own, *answered]
        records = self.lexicon.records(tokens)
        comparable = not is_short and len(tokens) <= TOKENS_MAX
        return Signature(
            kind="short" if is_short else "new",
            tool_results_only=False,
            exact=self._hash(records, scope),
            features=_features(records) if comparable else (),
            words=_words(records) if comparable else b"",
            units=() if root is None else self._units_of(root, own, answered, tokens, records),
            attachments=self._hash(b"".join(turn.attachments), scope)[:8] if attached else b"",
            tokens=tokens,
        )

    def judge(self, signature: Signature, candidates: Sequence[Earlier]) -> Verdict:
        """Return how a new turn is like the first of the candidates it is near to, or `new`."""
        return verdict.judge(signature, candidates, self.lexicon)

    def _continuation(self, turn: Turn, scope: bytes, root: str | None) -> Signature:
        """Return the signature of a turn of tool results: compared with nothing, only counted."""
        units: tuple[str, ...] = ()
        if root is not None:
            units = self._told([self.lexicon.records(_answered(turn.results))], root)
        raw = "\0".join(turn.results).encode("utf-8", "surrogatepass")
        return Signature(
            kind="continuation",
            tool_results_only=True,
            exact=self._hash(raw + b"".join(turn.attachments), scope),
            units=units,
            attachments=self._hash(b"".join(turn.attachments), scope)[:8]
            if turn.attachments
            else b"",
        )

    def _units_of(
        self,
        root: str,
        own: Sequence[str],
        answered: Sequence[str],
        tokens: Sequence[str],
        records: bytes,
    ) -> tuple[str, ...]:
        """Return the units of what the turn itself says: no run goes from one part to another."""
        if tokens is own:
            return self._told([records], root)
        return self._told([self.lexicon.records(part) for part in (own, answered)], root)

    def _told(self, texts: Sequence[bytes], root: str) -> tuple[str, ...]:
        """Return the units of some texts, without those of boilerplate, and learn from them."""
        runs, learning = self._units.runs(texts), self.learning
        if learning.size or learning.wants(root):
            grams = self._units.grams(runs)
            learning.note(root, grams)
            runs = runs[~learning.is_boilerplate(grams)] if learning.size else runs
        return self._units.of(runs, root)

    def _hash(self, what: bytes, scope: bytes) -> bytes:
        return blake2b(scope + what, digest_size=16, key=self._exact).digest()


def _key(secret: bytes, purpose: str) -> bytes:
    return hmac.digest(secret, b"goodgate likeness: " + purpose.encode(), sha256)


def _spelt(said: str) -> list[str]:
    """Return the normal form of what was said; what hardly has one counts as it stands."""
    tokens = spell(said)
    if brevity.is_under(tokens, brevity.SHORT_CHARACTERS):
        bare = " ".join(said.split())
        if len(bare) >= _MASKED_CHARACTERS_MIN:
            return [bare]
    return tokens


def _answered(results: Sequence[str]) -> list[str]:
    """Return the normal form of what tools answered; of much, the middle is one token."""
    return spell(boilerplate.strip("\n".join(results)), _RESULTS_CHARACTERS_MAX) if results else []


def _words(records: bytes) -> bytes:
    """Return the short form of each word, 3 bytes, big-endian."""
    words = bytearray(3 * len(records) // RECORD_BYTES)
    for place in range(3):
        words[place::3] = records[10 - place :: RECORD_BYTES]
    return bytes(words)


def _features(records: bytes) -> tuple[bytes, ...]:
    """Return a sketch of the set of telling words: the least of each group."""
    places = np.sort(np.frombuffer(records, "<u4")[3::4])
    ends = places.searchsorted(_GROUP_STARTS).tolist()
    if ends[-1] < _TELLING_MIN:
        return _features_of_all(records)
    sorted_places = places.astype(">u4").tobytes()
    return tuple(
        [
            sorted_places[4 * start + 1 : 4 * start + 4]
            for start, end in itertools.pairwise(ends)
            if start < end
        ]
    )


def _features_of_all(records: bytes) -> tuple[bytes, ...]:
    """Return the sketch of a text that has too few telling words: every word is one then."""
    values = np.frombuffer(records, "<u8")[::2]
    least: dict[int, int] = {}
    for value in values.tolist():
        group = (value >> 32) * GROUPS >> 32
        least[group] = min(least.get(group, NO_PLACE), value >> 4 & 0xFFFFF)
    return tuple((group << 20 | least[group]).to_bytes(3, "big") for group in sorted(least))

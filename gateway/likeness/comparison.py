"""
Would two texts ask for the same: every difference is found, weighed, and all are judged together.

What disguises a copy adds nothing that means something, or is noise all over the text; what asks
for something else is one small change that means something. So a lone change is judged
strictly, and scattered ones by how many of them are proven harmless.
"""

from collections.abc import Sequence
from functools import cached_property

from gateway.likeness import difference, order
from gateway.likeness.difference import Hunk, Values
from gateway.likeness.fillers import CLASS, Run
from gateway.likeness.findings import (
    ATTACHMENT,
    CUT,
    FIGURES,
    LITTLE,
    NONCE,
    ORDER,
    REPEATED,
    SAME,
    SWAPPED,
    Finding,
    Grade,
    Note,
)
from gateway.likeness.lexicon import WordClass
from gateway.likeness.pairing import Pairing, Tools, meaning_of
from gateway.likeness.weighing import Weighing

_COMMON_MIN = 0.4
_ROOMY = 100
_LOPSIDED = 2.0
_APART_MAX = 0.5
"""Texts that share less than this of the shorter one's different words are not compared."""
_BLOCK_MIN = 4
_CLAUSE_MIN = 7
_MOVED_MIN = 0.3
_CUT_MIN = 3
_REPEATED_MIN = 4
_COVERED_MIN = 0.7
_NEVER_TWICE = frozenset((WordClass.NUMBER, WordClass.NEGATION, WordClass.OPERATOR))
_EDGE = 3
_DIGITS_MIN = 6
_HUNKS_WEIGHED = 60
_NAMING = frozenset((WordClass.NUMBER, WordClass.UNKNOWN, WordClass.MIXED))
_STRANGE = frozenset((Grade.OTHER, Grade.MEANING))
_FEW = 3
_STRANGE_MAX = 8
_NEVER_PASSED = frozenset((WordClass.NUMBER, WordClass.OPERATOR))


def compare(tools: Tools, old: Values, new: Values, tokens: Sequence[str]) -> Finding:
    """Return what comes of comparing an earlier text with a later one, whose tokens are known."""
    if _long_ones(old) != _long_ones(new):
        return Finding(near=False, reason=ATTACHMENT, similarity=0.0)
    start, end = difference.shared_ends(old, new)
    if start == len(old) == len(new):
        return Finding(near=True, reason=SAME, similarity=1.0)
    core = difference.shared_core(old, new, start, end)
    comparison = Comparison(tools, old.tolist(), new.tolist(), tokens)
    known = start + end + core[2]
    shared = 1.0 if known >= _COMMON_MIN * min(len(old), len(new)) else comparison.shared()
    if shared < _COMMON_MIN:
        return Finding(near=False, reason=LITTLE, similarity=shared)
    found = difference.hunks(comparison.old, comparison.new, (start, end), core)
    return comparison.finding(found)


def _long_ones(values: Values) -> set[int]:
    chosen = values[values & CLASS == WordClass.LONG]
    return set(chosen.tolist()) if len(chosen) else set()


def _is_hopeless(notes: list[Note]) -> bool:
    """Return whether what was found already is never forgiven, whatever else is found."""
    if not notes or notes[-1].grade <= Grade.SLIP:
        return False
    if notes[-1].grade == Grade.MEANING and notes[-1].reason in FIGURES:
        return True
    strange = sum(
        note.grade in _STRANGE or (note.grade == Grade.COME and len(note.new) > _FEW)
        for note in notes
    )
    return strange >= _STRANGE_MAX and strange > 2 * sum(
        note.grade == Grade.PROVEN for note in notes
    )


def _names_something(run: Run) -> bool:
    return any(value & CLASS in _NAMING for value in run.values)


class Comparison:
    """One earlier text and one later, and what differs between them."""

    def __init__(self, tools: Tools, old: list[int], new: list[int], tokens: Sequence[str]) -> None:
        self._tools = tools
        self.old = old
        self.new = new
        self._tokens = tokens
        self._pairing = Pairing(tools, old, new, tokens)

    def shared(self) -> float:
        """Return the share of different words in common: of the shorter; of long texts strictly."""
        kinds, others = set(self.old), set(self.new)
        if max(len(self.old), len(self.new)) <= _ROOMY:
            return len(kinds & others) / min(len(kinds), len(others))
        telling = {value for value in kinds if value & CLASS != WordClass.COMMON}
        more = {value for value in others if value & CLASS != WordClass.COMMON}
        common = len(telling & more)
        least = max(1, min(len(telling), len(more)))
        return min(common / least, _LOPSIDED * common / max(1, len(telling | more)))

    def finding(self, found: list[Hunk]) -> Finding:
        """Return the judgement, given all hunks."""
        went, came = order.leftovers(self.old, self.new, found)
        similarity = (len(self.old) - went) / max(len(self.old), len(self.new))
        if went > _APART_MAX * len(self.old) and came > _APART_MAX * len(self.new):
            return Finding(near=False, reason=LITTLE, similarity=similarity)
        blocks = order.moved(self.old, self.new, found)
        notes = self._all_notes(found, blocks)
        weighing = Weighing(notes, self.old, self.new, self._tokens, self._tools.typos)
        return weighing.finding(similarity)

    def _all_notes(self, found: list[Hunk], blocks: list[order.Block]) -> list[Note]:
        """Return what to say of every hunk; up to the first thing that nothing forgives."""
        notes = self._moves(found, blocks)
        went = {at for block in blocks for at in block.old}
        came = {at for block in blocks for at in block.new}
        every = max(1, len(found) // _HUNKS_WEIGHED)
        for number, hunk in enumerate(found):
            if number % every and not self._may_be_firm(hunk):
                continue
            old = [at for at in range(hunk.old_start, hunk.old_end) if at not in went]
            new = [at for at in range(hunk.new_start, hunk.new_end) if at not in came]
            notes += self._notes(old, new)
            if _is_hopeless(notes):
                break
        return notes

    def _may_be_firm(self, hunk: Hunk) -> bool:
        """Return whether a hunk is weighed although many others are: it may be a number's."""
        old = self.old[hunk.old_start : hunk.old_end]
        new = self.new[hunk.new_start : hunk.new_end]
        if not old or not new:
            return True
        return any(value & CLASS in _NEVER_PASSED for value in (*old, *new))

    def _moves(self, found: list[Hunk], blocks: list[order.Block]) -> list[Note]:
        """Return what to say of blocks that moved; those of manners alone are no moves."""
        meant = [b for b in blocks if not self._is_manners(b)]
        if not meant:
            return []
        if order.are_swapped(self.old, self.new, found):
            return [Note(Grade.MEANING, SWAPPED, *meant[0])]
        moved = sum(len(block.new) for block in blocks)
        whole = moved > _MOVED_MIN * min(len(self.old), len(self.new)) or any(
            len(block.new) >= _CLAUSE_MIN for block in meant
        )
        return [
            Note(Grade.HARMLESS, ORDER, *block)
            if whole or len(block.new) >= _BLOCK_MIN
            else Note(Grade.MOVED, SWAPPED, *block)
            for block in meant
        ]

    def _is_manners(self, block: order.Block) -> bool:
        return all(
            self._tools.fillers.is_manners(self.old[at]) or self.old[at] & CLASS == WordClass.NONCE
            for at in block.old
        )

    def _notes(self, old: list[int], new: list[int]) -> list[Note]:
        """Return what to say of one hunk: places that are left of it on both sides."""
        if old and new:
            return self._replaced(old, new)
        return self._came(new) if new else self._went(old) if old else []

    def _replaced(self, old: list[int], new: list[int]) -> list[Note]:
        came, went = self._run(self.new, new), self._run(self.old, old)
        if self._are_nonces(came, went):
            return [Note(Grade.HARMLESS, NONCE, old, new)]
        reason = self._tools.fillers.harmless(came)
        if reason and self._may_be_exchanged(came, went) and self._tools.fillers.harmless(went):
            return [Note(Grade.HARMLESS, reason, old, new)]
        return self._pairing.notes(old, new)

    def _may_be_exchanged(self, came: Run, went: Run) -> bool:
        """Return whether one harmless run may stand for another: inside, little words only."""
        if _names_something(came) and _names_something(went):
            return False
        values = (*came.values, *went.values)
        if all(map(self._tools.fillers.is_light, values)):
            return True
        if came.greets and went.greets:
            return True
        if not (came.at_end and went.at_end) or self._tools.fillers.is_title(came.before):
            return False
        return len(values) > _FEW - 1 or all(map(self._tools.fillers.may_close, values))

    def _are_nonces(self, came: Run, went: Run) -> bool:
        return (
            came.before == went.before
            and (came.near_edge and went.near_edge)
            and came.digits >= _DIGITS_MIN
            and self._tools.fillers.are_nonces([*came.values, *went.values], came.before)
        )

    def _came(self, new: list[int]) -> list[Note]:
        run = self._run(self.new, new)
        reason = self._tools.fillers.harmless(run)
        if reason:
            return [Note(Grade.HARMLESS, reason, (), new)]
        rest = self._repeated(self.new, new, self._old_triples)
        if rest is None:
            return [Note(Grade.COME, meaning_of(run.values), (), new)]
        notes = [Note(Grade.HARMLESS, REPEATED, (), new)]
        for at, place in rest:
            if 0 <= place < len(self.old):
                notes.append(self._pairing.pair(place, at))
            else:
                notes.append(Note(Grade.COME, meaning_of((self.new[at],)), (), (at,)))
        return notes

    def _went(self, old: list[int]) -> list[Note]:
        run = self._run(self.old, old)
        reason = self._tools.fillers.harmless(run)
        if reason:
            return [Note(Grade.HARMLESS, reason, old)]
        rest = self._repeated(self.old, old, self._new_triples)
        if rest is not None:
            notes = [Note(Grade.HARMLESS, REPEATED, old)]
            return notes + [Note(Grade.GONE, meaning_of((self.old[at],)), (at,)) for at, _ in rest]
        if run.at_edge and len(old) >= self._cut_min(run):
            return [Note(Grade.CUT, CUT, old)]
        return [Note(Grade.GONE, meaning_of(run.values), old)]

    def _cut_min(self, run: Run) -> int:
        """Return how many words gone from an end are a cut: fewer where the rest is hanging."""
        hangs = run.at_end and self._tools.fillers.is_leading(run.before)
        return _CUT_MIN - 1 if hangs else _CUT_MIN

    def _run(self, text: list[int], places: list[int]) -> Run:
        first, last = places[0], places[-1]
        at_start, at_end = first == 0, last == len(text) - 1
        return Run(
            values=[text[at] for at in places],
            at_start=at_start,
            at_end=at_end,
            before=0 if at_start else text[first - 1],
            after=0 if at_end else text[last + 1],
            tokens_beside=len(text) - len(places),
            digits=self._digits(places) if text is self.new else 0,
            greets=all(map(self._tools.fillers.is_greeting, text[:first])),
            near_edge=first <= _EDGE or last >= len(text) - 1 - _EDGE,
        )

    def _digits(self, places: list[int]) -> int:
        lengths = [
            len(self._tokens[at])
            for at in places
            if self.new[at] & CLASS in (WordClass.NUMBER, WordClass.MIXED)
        ]
        return min(lengths, default=0)

    def _repeated(
        self, text: list[int], places: list[int], known: dict[tuple[int, ...], int]
    ) -> list[tuple[int, int]] | None:
        """
        Return the places of a run that repeat nothing, when most of them do; else None.

        With each the place in the other text where the word stands that it would repeat.
        """
        first, length = places[0], len(places)
        if places[-1] - first + 1 != length:
            return None
        run = text[first : first + length]
        if run in (text[first - length : first], text[first + length : first + 2 * length]):
            kinds = {value & CLASS for value in run}
            return [] if length > 1 or kinds.isdisjoint(_NEVER_TWICE) else None
        at_edge = first == 0 or first + length == len(text)
        if length < _REPEATED_MIN - at_edge:
            return None
        sources = _sources(run, known)
        if len(sources) < _COVERED_MIN * length:
            return None
        return [(first + at, _beside(at, sources)) for at in range(length) if at not in sources]

    @cached_property
    def _old_triples(self) -> dict[tuple[int, ...], int]:
        return _triples(self.old)

    @cached_property
    def _new_triples(self) -> dict[tuple[int, ...], int]:
        return _triples(self.new)


def _triples(text: list[int]) -> dict[tuple[int, ...], int]:
    return {three: at for at, three in enumerate(zip(text, text[1:], text[2:], strict=False))}


def _sources(run: list[int], known: dict[tuple[int, ...], int]) -> dict[int, int]:
    """Return where the words of a run stand in the other text, three in a row."""
    sources: dict[int, int] = {}
    for at, three in enumerate(zip(run, run[1:], run[2:], strict=False)):
        place = known.get(three)
        if place is not None:
            sources.update({at: place, at + 1: place + 1, at + 2: place + 2})
    return sources


def _beside(at: int, sources: dict[int, int]) -> int:
    """Return where a word would stand in the other text, by the nearest that does."""
    nearest = min(sources, key=lambda other: abs(other - at))
    return sources[nearest] + at - nearest

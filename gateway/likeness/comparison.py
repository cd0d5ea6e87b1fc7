"""
Would two texts ask for the same: every difference is found, weighed, and all are judged together.

What disguises a copy adds nothing that means something, or is noise all over the text; what asks
for something else is one small change that means something. So a lone change is judged
strictly, and scattered ones by how many of them are proven harmless.
"""

from collections.abc import Sequence
from functools import cached_property

from gateway.likeness import difference, order, repetition
from gateway.likeness.difference import CLASS, Hunk, Values
from gateway.likeness.fillers import Run
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
from gateway.likeness.repetition import Repetition
from gateway.likeness.weighing import Weighing

_COMMON_MIN = 0.4
_ROOMY = 100
_LOPSIDED = 2.0
_APART_MAX = 0.5
_FAR_MAX = 0.3
"""Texts that share less than this of the shorter one's different words are not compared."""
_BLOCK_MIN = 4
_CLAUSE_MIN = 7
_MOVED_MIN = 0.3
_CUT_MIN = 3
_EDGE = 3
_DIGITS_MIN = 6
_HUNKS_WEIGHED = 32
_GREETING_MAX = 8
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
    whole = Hunk(start, len(old) - end, start, len(new) - end)
    went, came = order.leftovers(comparison.old, comparison.new, whole)
    similarity = (len(old) - went) / max(len(old), len(new))
    if went > _APART_MAX * len(old) and came > _APART_MAX * len(new):
        return Finding(near=False, reason=LITTLE, similarity=similarity)
    is_far = went > _FAR_MAX * len(old) and came > _FAR_MAX * len(new)
    found = difference.hunks(comparison.old, comparison.new, (start, end), core, is_far=is_far)
    if found is None:
        return Finding(near=False, reason=LITTLE, similarity=similarity)
    return comparison.finding(found, similarity)


def _long_ones(values: Values) -> set[int]:
    chosen = values[values & CLASS == WordClass.LONG]
    return set(chosen.tolist()) if len(chosen) else set()


class _Patience:
    """Whether it is worth looking on: not when what was found already is never forgiven."""

    def __init__(self) -> None:
        self._balance = 0
        self._strange = 0

    def is_over(self, notes: Sequence[Note]) -> bool:
        """Return whether further notes leave no hope."""
        for note in notes:
            if note.grade == Grade.MEANING and note.reason in FIGURES:
                return True
            if note.grade in _STRANGE or (note.grade == Grade.COME and len(note.new) > _FEW):
                self._strange += 1
                self._balance += 1
            elif note.grade == Grade.PROVEN:
                self._balance -= 2
        return self._strange >= _STRANGE_MAX and self._balance > 0


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

    def finding(self, found: list[Hunk], similarity: float) -> Finding:
        """Return the judgement, given all hunks."""
        blocks = order.moved(self.old, self.new, found)
        if not self._is_reordered(blocks):
            blocks = order.without_slips(blocks, found)
        notes = self._all_notes(found, blocks)
        weighing = Weighing(notes, self.old, self.new, self._tokens, self._tools.typos)
        return weighing.finding(similarity)

    def _is_reordered(self, blocks: list[order.Block]) -> bool:
        """Return whether much of the text moved, or a clause did."""
        moved = sum(len(block.new) for block in blocks)
        return moved > _MOVED_MIN * min(len(self.old), len(self.new)) or any(
            len(block.new) >= _CLAUSE_MIN for block in blocks
        )

    def _all_notes(self, found: list[Hunk], blocks: list[order.Block]) -> list[Note]:
        """Return what to say of every hunk; up to the first thing that nothing forgives."""
        notes = self._moves(found, blocks)
        went = {at for block in blocks for at in block.old}
        came = {at for block in blocks for at in block.new}
        patience = _Patience()
        every = max(1, len(found) // _HUNKS_WEIGHED)
        for number, hunk in enumerate(found):
            if number % every and not self._may_be_firm(hunk):
                continue
            old = [at for at in range(hunk.old_start, hunk.old_end) if at not in went]
            new = [at for at in range(hunk.new_start, hunk.new_end) if at not in came]
            further = self._notes(old, new)
            notes += further
            if patience.is_over(further):
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
        whole = self._is_reordered(blocks)
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
        if self._is_plain(new):
            return self._pairing.notes(old, new)
        came, went = self._run(self.new, new), self._run(self.old, old)
        if self._are_nonces(came, went):
            return [Note(Grade.HARMLESS, NONCE, old, new)]
        reason = self._tools.fillers.harmless(came)
        if reason and self._may_be_exchanged(came, went) and self._tools.fillers.harmless(went):
            return [Note(Grade.HARMLESS, reason, old, new)]
        return self._pairing.notes(old, new)

    def _is_plain(self, new: list[int]) -> bool:
        """Return whether it is one word well inside the text, and neither manners nor a nonce."""
        value = self.new[new[0]]
        return (
            len(new) == 1
            and _GREETING_MAX < new[0] < len(self.new) - _GREETING_MAX
            and value & CLASS != WordClass.NONCE
            and not self._tools.fillers.is_manners(value)
        )

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
        found = self._repeated(self.new, new, self._old_triples)
        if found is None:
            return [Note(Grade.COME, meaning_of(run.values), (), new)]
        notes = [Note(Grade.HARMLESS, REPEATED, (), new)]
        for at, place in found.strays:
            if 0 <= place < len(self.old):
                notes.append(self._pairing.pair(place, new[at]))
            else:
                notes.append(Note(Grade.COME, meaning_of((run.values[at],)), (), (new[at],)))
        skipped = [at for at in found.skipped if not self._tools.fillers.is_manners(self.old[at])]
        return notes + [Note(Grade.GONE, meaning_of((self.old[at],)), (at,)) for at in skipped]

    def _went(self, old: list[int]) -> list[Note]:
        run = self._run(self.old, old)
        reason = self._tools.fillers.harmless(run)
        if reason:
            return [Note(Grade.HARMLESS, reason, old)]
        found = self._repeated(self.old, old, self._new_triples)
        if found is not None:
            strays = [old[at] for at, _ in found.strays]
            return [
                Note(Grade.HARMLESS, REPEATED, old),
                *(Note(Grade.GONE, meaning_of((self.old[at],)), (at,)) for at in strays),
                *(Note(Grade.COME, meaning_of((self.new[at],)), (), (at,)) for at in found.skipped),
            ]
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
            greets=first <= _GREETING_MAX
            and all(map(self._tools.fillers.is_greeting, text[:first])),
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
        self, text: list[int], places: list[int], known: repetition.Triples
    ) -> Repetition | None:
        """Return how a run repeats what is said anyway; None when it says something else."""
        first, length = places[0], len(places)
        if places[-1] - first + 1 != length:
            return None
        if repetition.is_stutter(text, first, length):
            return Repetition()
        return repetition.repeated(text, first, length, known)

    @cached_property
    def _old_triples(self) -> repetition.Triples:
        return repetition.triples(self.old)

    @cached_property
    def _new_triples(self) -> repetition.Triples:
        return repetition.triples(self.new)

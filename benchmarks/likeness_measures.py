"""How likeness is measured: recall, precision, traps, honest traffic, inflation, speed."""

import statistics
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random

import msgspec

from benchmarks.likeness_scope import NO_CANDIDATE, SCOPE, Scope
from benchmarks.likeness_texts import Session
from gateway.likeness import Observer
from gateway.values import Earlier, Turn, Verdict
from tests.disguises import disguises, traps, trials

SECRET = b"benchmark secret, known to all!!"
ALIKE = ("near", "exact")


class Found(msgspec.Struct):
    """What became of the disguised copies of one kind."""

    tried: int = 0
    right: int = 0
    """Found near or exact to the very text they were made of."""
    wrong: int = 0
    """Found near or exact to another."""
    short: int = 0
    paired: int = 0
    """Recognised when the right text is the only candidate, whatever a lookup would find."""
    missed: list[tuple[str, str, str]] = []
    """Text, copy and reason of some that were not found."""

    @property
    def recall(self) -> float:
        return self.right / max(1, self.tried)


class Caught(msgspec.Struct):
    """What became of the traps of one kind."""

    tried: int = 0
    merged: int = 0
    shown: list[tuple[str, str, str]] = []


class Honest(msgspec.Struct):
    """What became of prompts that all differ, or of the turns of honest agents."""

    seen: int = 0
    near: int = 0
    exact: int = 0
    repeats: int = 0
    """Of the exact ones, those that are the same to the letter, but for blanks and case."""
    kinds: dict[str, int] = {}
    shown: list[tuple[str, str, str]] = []

    @property
    def suppressed(self) -> float:
        """The share called near or exact that is no true repeat."""
        return (self.near + self.exact - self.repeats) / max(1, self.seen)


class Speed(msgspec.Struct):
    """Verdicts per second of processor time: observe, look up, compare, remember."""

    size: int
    cold: float
    warm: float
    observed: float
    """Warm, `observe` alone."""
    spread: float
    """(largest - least) / median of the warm rounds: what this machine's noise is."""
    compared: float
    """The share of texts that had candidates to be compared with."""


def turn(text: str) -> Turn:
    return Turn(texts=(text,))


def judged(observer: Observer, earlier: str, later: str) -> Verdict:
    """Judge a pair, the earlier one being the only candidate."""
    one = observer.observe(turn(earlier), scope=SCOPE, root=None)
    two = observer.observe(turn(later), scope=SCOPE, root=None)
    if two.kind != "new" or one.kind != "new":
        return Verdict(kind=two.kind if two.kind != "new" else one.kind)
    if one.exact == two.exact:
        return Verdict(kind="exact")
    cluster = one.exact[:8].hex()
    known = Earlier(request_id="earlier", cluster=cluster, words=one.words)
    return observer.judge(two, (known,))


def recalls(observer: Observer, texts: Sequence[str], count: int, seed: int) -> dict[str, Found]:
    """Try every kind of disguise on some texts, in a scope that remembers all of them."""
    scope = Scope(observer)
    for place, text in enumerate(texts):
        scope.seen(turn(text), str(place))
    places = {text: str(place) for place, text in enumerate(texts)}
    texts = [text for text in texts if scope.tried(turn(text)).kind != "short"]
    found: dict[str, Found] = {}
    for kind in disguises.KINDS:
        result = found[kind] = Found(missed=[])
        for text, copy in trials.copies(kind, texts, count, seed):
            verdict = scope.tried(turn(copy))
            pair = judged(observer, text, copy)
            result.tried += 1
            result.paired += pair.kind in ALIKE
            result.short += verdict.kind == "short"
            if verdict.kind in ALIKE and verdict.earlier == places[text]:
                result.right += 1
                continue
            result.wrong += verdict.kind in ALIKE
            result.missed.append((text, copy, verdict.reason or verdict.kind))
    return found


def merges(observer: Observer, texts: Sequence[str], count: int, seed: int) -> dict[str, Caught]:
    """Try every kind of trap on some texts, the earlier prompt being the only candidate."""
    found: dict[str, Caught] = {}
    for kind in traps.KINDS:
        result = found[kind] = Caught(shown=[])
        for earlier, later in trials.snares(kind, texts, count, seed):
            verdict = judged(observer, earlier, later)
            result.tried += 1
            if verdict.kind in ALIKE:
                result.merged += 1
                result.shown.append((earlier, later, verdict.reason or verdict.kind))
    return found


def honest(observer: Observer, texts: Iterable[str]) -> Honest:
    """Stream prompts that all differ through one scope."""
    result = Honest(kinds={}, shown=[])
    _stream(observer, [turn(text) for text in texts], result)
    return result


def loops(observer: Observer, sessions: Iterable[tuple[str, Session]]) -> dict[str, Honest]:
    """Replay agent sessions, each in a scope of its own."""
    found: dict[str, Honest] = {}
    for source, session in sessions:
        _stream(observer, session, found.setdefault(source, Honest(kinds={}, shown=[])))
    return found


def _stream(observer: Observer, turns: Sequence[Turn], result: Honest) -> None:
    scope = Scope(observer)
    letters: list[str] = []
    for place, one in enumerate(turns):
        verdict = scope.seen(one, str(place))
        letters.append(" ".join(" ".join((*one.texts, *one.results)).casefold().split()))
        result.seen += 1
        result.kinds[verdict.kind] = result.kinds.get(verdict.kind, 0) + 1
        if verdict.kind not in ALIKE:
            continue
        earlier = int(verdict.earlier)
        result.near += verdict.kind == "near"
        result.exact += verdict.kind == "exact"
        if letters[earlier] == letters[place]:
            result.repeats += 1
        else:
            result.shown.append((letters[earlier], letters[place], verdict.reason or verdict.kind))


def inflation(
    observer: Observer, texts: Sequence[str], groups: Sequence[str], copies: int
) -> float:
    """How many different prompts one prompt and its disguised copies count as, on average."""
    kinds = [name for name, kind in disguises.KINDS.items() if kind.group in groups]
    counts: list[int] = []
    for text in texts:
        scope, random = Scope(observer), Random(text)
        clusters = {scope.seen(turn(text), "").cluster}
        for seed in range(copies):
            copy = disguises.disguise(random.choice(kinds), text, seed)
            clusters.add(scope.seen(turn(copy), "").cluster)
        counts.append(len(clusters - {""}))
    return statistics.fmean(counts)


def speed(batches: Sequence[Sequence[str]], size: int) -> Speed:
    """Time verdicts on texts of one size, three batches a round: cold, warming, warm."""
    cold, warm, observed = [], [], []
    compared: Counter[bool] = Counter()
    for first, second, third in zip(*(batches[at::3] for at in range(3)), strict=True):
        observer = Observer(SECRET)
        cold.append(_rate(observer, first, compared))
        _rate(observer, second, compared)
        warm.append(_rate(observer, third, compared))
        start = time.process_time()
        for text in third:
            observer.observe(turn(text), scope=SCOPE, root=None)
        observed.append(len(third) / (time.process_time() - start))
    middle = statistics.median(warm)
    return Speed(
        size=size,
        cold=statistics.median(cold),
        warm=middle,
        observed=statistics.median(observed),
        spread=(max(warm) - min(warm)) / middle,
        compared=compared[True] / max(1, compared.total()),
    )


def _rate(observer: Observer, texts: Sequence[str], compared: Counter[bool]) -> float:
    scope = Scope(observer)
    start = time.process_time()
    verdicts = [scope.seen(turn(text), "") for text in texts]
    spent = time.process_time() - start
    compared.update(verdict.reason != NO_CANDIDATE for verdict in verdicts)
    return len(texts) / spent

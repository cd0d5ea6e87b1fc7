"""What a judge of likeness is tried with: disguised copies it should know, traps it should not."""

from collections.abc import Callable, Sequence
from random import Random

from tests.disguises import disguises, traps

Pair = tuple[str, str]
Judge = Callable[[str, str], bool]
"""Whether a judge takes a later text for a copy of an earlier one."""

LEAST = 24
"""Characters a text must have to be tried: below, nobody can tell."""


def copies(kind: str, texts: Sequence[str], count: int, seed: int) -> list[Pair]:
    """At most so many texts, each with a disguised copy that differs from it."""
    found: list[Pair] = []
    for text in Random(f"{kind} {seed}").sample(list(texts), len(texts)):
        copy = disguises.disguise(kind, text, seed)
        if copy != text and min(len(text), len(copy)) >= LEAST:
            found.append((text, copy))
        if len(found) == count:
            break
    return found


def snares(kind: str, texts: Sequence[str], count: int, seed: int) -> list[Pair]:
    """At most so many pairs of texts that look alike and are not."""
    found: list[Pair] = []
    for text in Random(f"{kind} {seed}").sample(list(texts), len(texts)):
        pair = traps.trap(kind, text, seed)
        if pair is not None and min(map(len, pair)) >= LEAST:
            found.append(pair)
        if len(found) == count:
            break
    return found


def share(judge: Judge, pairs: Sequence[Pair]) -> float:
    """The share of pairs that a judge takes for the same; 0 of none."""
    return sum(judge(earlier, later) for earlier, later in pairs) / max(1, len(pairs))

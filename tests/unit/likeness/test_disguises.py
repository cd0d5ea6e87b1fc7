"""
Copies in disguise are recognised, and what only looks alike is told apart.

A sample of what `python -m benchmarks.likeness` does, over the project's own corpus.
"""

import re
from collections.abc import Mapping
from statistics import fmean

import pytest

from gateway import likeness
from tests.disguises import corpus, disguises, traps, trials

COPIES = 6
SNARES = 12
SEED = 20_261_122
LIGHT = (disguises.COSMETIC, disguises.SALT)


def alike(earlier: str, later: str) -> bool:
    return likeness.judge_pair(earlier, later).kind in ("near", "exact")


def blind(earlier: str, later: str) -> bool:
    """What most tools do: enough of the words in common."""
    one, two = (set(re.findall(r"\w+", text.casefold())) for text in (earlier, later))
    return len(one & two) >= 0.6 * len(one | two)


def caught(judge: trials.Judge, kinds: list[str]) -> Mapping[str, float]:
    """Return, for each kind, the share of copies that a judge knows again."""
    pairs = {kind: trials.copies(kind, corpus.prompts(), COPIES, SEED) for kind in kinds}
    return {kind: trials.share(judge, found) for kind, found in pairs.items() if found}


def merged(judge: trials.Judge) -> float:
    """Return the share of all snares that a judge falls into."""
    pairs = [
        pair for kind in traps.KINDS for pair in trials.snares(kind, corpus.prompts(), SNARES, SEED)
    ]
    assert len(pairs) > 250
    return trials.share(judge, pairs)


def test_copies_with_new_looks_or_salts_are_recognised() -> None:
    kinds = [name for name, kind in disguises.KINDS.items() if kind.group in LIGHT]
    found = caught(alike, kinds)
    assert len(found) >= 45
    assert fmean(found.values()) >= 0.95, sorted(found.items(), key=lambda item: item[1])[:8]


def test_copies_of_every_kind_are_recognised() -> None:
    found = caught(alike, list(disguises.KINDS))
    assert len(found) >= 75
    assert fmean(found.values()) >= 0.85, sorted(found.items(), key=lambda item: item[1])[:8]


def test_what_only_looks_alike_is_told_apart() -> None:
    assert merged(alike) <= 0.01


def test_the_traps_catch_a_judge_that_goes_by_similarity() -> None:
    """So that the test above can fail."""
    assert merged(blind) > 0.5


def test_no_prompt_of_the_corpus_is_taken_for_another() -> None:
    """Each against its nearest others: those that share most words with it."""
    prompts = corpus.prompts()
    words = [set(re.findall(r"\w+", text.casefold())) for text in prompts]
    for place, text in enumerate(prompts):
        nearest = sorted(
            range(place), key=lambda i: -len(words[i] & words[place]) / len(words[i] | words[place])
        )
        for other in nearest[:4]:
            assert not alike(prompts[other], text), (prompts[other][:80], text[:80])


def test_the_corpus_is_large_and_its_prompts_differ() -> None:
    prompts = corpus.prompts()
    assert len(prompts) >= 150
    assert len({" ".join(text.casefold().split()) for text in prompts}) == len(prompts)
    assert min(map(len, prompts)) >= 30
    assert max(map(len, prompts)) <= 3_000


@pytest.mark.parametrize("kind", disguises.KINDS)
def test_a_disguise_is_the_same_for_the_same_seed_and_changes_something(kind: str) -> None:
    found = trials.copies(kind, corpus.prompts(), COPIES, SEED)
    assert found == trials.copies(kind, corpus.prompts(), COPIES, SEED)
    assert len(found) == COPIES


@pytest.mark.parametrize("kind", traps.KINDS)
def test_a_trap_is_the_same_for_the_same_seed_and_its_prompts_differ(kind: str) -> None:
    found = trials.snares(kind, corpus.prompts(), SNARES, SEED)
    assert found == trials.snares(kind, corpus.prompts(), SNARES, SEED)
    assert len(found) >= 5
    assert all(earlier != later for earlier, later in found)

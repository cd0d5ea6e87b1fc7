"""Tampering is found by both verifiers, and is not once the check that finds it is gone."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest

from gateway.ledger import verification
from tests.verifier import denying, edits, forging, mutations, signing, tampering, verifiers
from tests.verifier.exports import Export

COUNT = 2_500
NUMBER, START = "which had come to", "one start"
TWICE, MANIFEST = "were used before", "it says"
"""Parts of what docs/verifier/verify.py says when it finds something."""


def test_every_mutation_is_found_by_both() -> None:
    """`python -m tests.verifier.mutations 100000` runs as many as one likes."""
    seed = random.SystemRandom().getrandbits(32)
    found, survivors = mutations.run(COUNT, seed)
    assert not survivors, f"seed {seed}: {survivors[:5]}"
    assert found.keys() == {each.__name__ for each in mutations.EVERY}
    assert found.total() == COUNT


@pytest.fixture
def muted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Return what returns the independent verifier without the checks that say some words."""

    def without(*words: str) -> ModuleType:
        module = verifiers.load()

        def need(fact: object, otherwise: str) -> None:
            if not fact and not any(each in otherwise for each in words):
                raise ValueError(otherwise)

        monkeypatch.setattr(module, "need", need)
        monkeypatch.setattr(module.tlog, "need", need)
        return module

    return without


CHECKS: dict[Callable[[random.Random, Export], object], tuple[str, ...]] = {
    tampering.flip_bit: (MANIFEST,),
    tampering.change_byte: (MANIFEST,),
    tampering.insert_byte: (MANIFEST,),
    tampering.delete_byte: (MANIFEST,),
    tampering.truncate_file: (MANIFEST,),
    tampering.change_field: ("the tile differs", MANIFEST),
    tampering.swap_leaves: ("the tile differs", MANIFEST, NUMBER),
    tampering.truncate_log: (MANIFEST,),
    tampering.change_checkpoints: (MANIFEST,),
    tampering.swap_files: ("not the text", MANIFEST),
    tampering.delete_file: (MANIFEST,),
    tampering.add_file: (MANIFEST,),
    tampering.change_policy: ("not the text", MANIFEST),
    forging.drop_of_series: (NUMBER,),
    forging.duplicate_of_series: (NUMBER, TWICE, "had ended"),
    forging.swap_of_series: (NUMBER,),
    forging.renumber_without_start: (START, "had no start"),
    forging.settle_twice: (TWICE, "n is 1"),
    forging.settle_nothing: ("settles no intent",),
    forging.settle_a_refusal: ("settles no intent",),
    forging.settle_too_early: ("settles no intent",),
    forging.adjust_nothing: ("adjusts no settle",),
    forging.intent_again: (TWICE, "n is 1"),
    forging.write_after_end: ("had ended",),
    forging.wrong_last_number: ("had come to",),
    forging.end_twice: ("had ended", "had come to"),
    forging.end_of_nobody: ("had no start",),
    forging.start_twice: (START, "after epoch"),
    forging.skip_an_epoch: ("after epoch",),
    forging.two_leaders: ("had ended",),
    signing.unknown_policy: ("never put in force",),
    signing.policy_before_it_was: ("never put in force",),
    signing.altered_policy_text: ("not the text",),
    signing.wrong_n: ("n is",),
    signing.as_schema_1: ("too late",),
    signing.key_from_nowhere: ("not signed by key", "did not sign"),
    signing.rotation_by_one: ("not signed by key",),
    signing.rotation_of_another: ("was not in use", "not signed by key", "did not sign"),
    signing.sizes_that_do_not_grow: ("do not grow",),
    signing.wrong_root: ("another root",),
    signing.signed_file: ("the tile differs", "not the text", "does not hold"),
    signing.stray_tile: ("has no",),
    denying.fork_against_checkpoint: ("another root",),
    denying.fork_against_receipt: ("another root", "another's"),
    denying.fork_against_promise: ("it is broken",),
    denying.dropped_against_promise: ("it is broken",),
    denying.forged_claim: ("another's", "not true"),
}


@pytest.mark.parametrize("mutation", CHECKS, ids=lambda each: each.__name__)
def test_without_its_check_a_mutation_survives(
    mutation: Callable[[random.Random, Export], object], muted: Callable[..., ModuleType]
) -> None:
    """Else another check would hide that this one is gone."""
    blind = muted(*CHECKS[mutation])
    pick = random.Random(mutation.__name__)
    for _ in range(60):
        case = mutations.draw(pick, mutation)
        if not verifiers.independent(case, blind).wrong:
            assert verifiers.independent(case).wrong
            return
    pytest.fail("found all the same")


def test_bytes_that_are_not_canonical_survive_who_reads_them_leniently(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = verifiers.load()

    class Lenient:
        def __init__(self, strict: re.Pattern[str]) -> None:
            self.strict = strict

        def fullmatch(self, text: str) -> re.Match[str] | None:
            leaf = json.loads(text)
            leaf.pop("note", None)
            return self.strict.fullmatch(edits.line_of(leaf).decode())

    lenient = {kind: Lenient(strict) for kind, strict in module.SHAPES.items()}
    monkeypatch.setattr(module, "SHAPES", lenient)
    for mutation in (signing.not_canonical, signing.not_of_its_kind):
        pick = random.Random(mutation.__name__)
        cases = [mutations.draw(pick, mutation) for _ in range(60)]
        assert not all(verifiers.independent(each, module).wrong for each in cases)
        assert all(verifiers.independent(each).wrong for each in cases)


@pytest.mark.parametrize("mutation", denying.AGAINST_KEPT, ids=lambda each: each.__name__)
def test_what_was_kept_is_what_gives_it_away(
    mutation: Callable[[random.Random, Export], verifiers.Case],
) -> None:
    pick = random.Random(2)
    for _ in range(3):
        case = mutations.draw(pick, mutation)
        nothing = replace(case, kept=(), promises=(), receipts=())
        assert not verifiers.independent(nothing).wrong
        assert not verifiers.gateways(nothing).wrong


def test_without_the_manifest_a_stray_file_survives_the_gateways_verifier() -> None:
    case = mutations.draw(random.Random(3), signing.stray_tile)
    assert verifiers.gateways(case).wrong
    trust = verification.Trust(vkey=case.vkey)
    report = verification.verify(verifiers.Memory(case.files), trust)
    assert report.verdict == verification.CONSISTENT


def test_drawing_is_repeatable() -> None:
    once, again = ([*mutations.cases(11, 40)] for _ in range(2))
    assert once == again
    assert once != [*mutations.cases(12, 40)]

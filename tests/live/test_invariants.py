"""
The invariants of credit (design section 7) over HTTP: two gateways, PostgreSQL and Valkey.

One of each; tests/unit/credit/test_invariants.py has them as properties of the folds. Honest work
of one seed is sent under many prefixes, each time with what must not matter, and compared.
"""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from msgspec import structs

from benchmarks.goodhart.attacks import ATTACKS
from benchmarks.goodhart.honest import honest
from benchmarks.goodhart.model import Scene
from benchmarks.goodhart.sending import send, tell
from benchmarks.goodhart.stage import Stage

SEED = 5
CHANGED = {
    "i1_duplicates_add_nothing": ("A01", "A23"),
    "i2_splitting_never_gains": ("A06",),
    "i3_keys_and_colleagues_do_not_matter": ("A17", "A18"),
    "i7_replicas_and_retries_do_not_matter": ("A24", "A50"),
    "i8_splitting_a_task_conserves_its_value": ("A41",),
    "i9_parameters_do_not_matter": ("A09", "A26", "A27", "A28"),
    "i10_sessions_and_times_do_not_matter": ("A22", "A25"),
    "i11_who_is_no_member_changes_nothing": ("A12", "A46"),
}


class Staged:
    """What came of all scenes."""

    def __init__(self, stage: Stage, scenes: dict[str, Scene]) -> None:
        self.stage = stage
        self.scenes = scenes
        self.credit = stage.credit()

    def of(self, name: str, *, others: bool = False) -> list[Decimal]:
        scene = self.scenes[name]
        team = scene.bystanders if others else scene.gamers
        return [self.credit.get(root, Decimal(0)) for root in scene.roots(team)]

    def total(self, name: str) -> Decimal:
        return sum(self.of(name), Decimal(0))


def all_scenes() -> dict[str, Scene]:
    plain = honest(SEED, "PLAIN")
    scenes = {"plain": plain}
    for name in dict.fromkeys(each for some in CHANGED.values() for each in some):
        made = ATTACKS[name].make(honest(SEED, f"INV{name}"), Random(name), 60)
        scenes[name] = made
    scenes["novel"] = ATTACKS["A42"].make(honest(SEED, "NOVEL"), Random(1), 300)
    scenes["none"] = structs.replace(honest(SEED, "NONE"), results=())
    part = honest(SEED, "PART")
    scenes["part"] = structs.replace(part, requests=part.requests[::2])
    turned = honest(SEED, "TURNED")
    scenes["turned"] = structs.replace(turned, requests=turned.requests[::-1])
    return scenes


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    folder: Path = tmp_path_factory.mktemp("invariants")
    with Stage(folder) as stage:
        scenes = all_scenes()
        stage.bring(list(scenes.values()))
        sent = [each for scene in scenes.values() for each in (*scene.first, *scene.requests)]
        answers = asyncio.run(send(stage.door, sent))
        assert {answer.status for answer, each in zip(answers, sent, strict=True) if each.kind} == {
            200
        }
        # An honest team calls for its task's work to be taken; nothing else does.
        assert set(asyncio.run(tell(stage.door, list(scenes.values())))) == {200}
        stage.settle()
        yield Staged(stage, scenes)


@pytest.mark.parametrize("invariant", CHANGED)
def test_what_must_not_matter_does_not(staged: Staged, invariant: str) -> None:
    for name in CHANGED[invariant]:
        assert staged.of(name) == staged.of("plain"), name
        assert staged.of(name, others=True) == staged.of("plain", others=True), name


def test_i4_a_root_never_comes_to_more_than_its_value(staged: Staged) -> None:
    scene = staged.scenes["novel"]
    values = [
        Decimal(piece.value or 1)
        for piece in scene.pieces
        if not piece.root and piece.team == scene.gamers
    ]
    for earned, plain, value in zip(staged.of("novel"), staged.of("plain"), values, strict=True):
        assert plain <= earned <= value


def test_i5_without_an_outcome_there_is_no_credit(staged: Staged) -> None:
    assert staged.total("none") == 0
    assert staged.total("plain") > 5


def test_i6_an_honest_call_never_lowers_anything(staged: Staged) -> None:
    assert all(
        part <= whole for part, whole in zip(staged.of("part"), staged.of("plain"), strict=True)
    )


def test_i7_order_does_not_matter(staged: Staged) -> None:
    assert staged.of("turned") == staged.of("plain")


def test_i12_sequencer_and_auditor_come_to_the_same(staged: Staged) -> None:
    """What was folded as the log was written, and what its entries alone come to."""
    reported = staged.stage.reported()
    assert {root: staged.credit[root] for root in reported} == dict(reported)
    assert dict(staged.stage.credit()) == dict(staged.credit)


def test_i14_what_cannot_be_scored_serves_the_call_and_credits_nothing(staged: Staged) -> None:
    """Weights that do not sum to 1: nobody can say what such a task is worth."""
    scene = honest(SEED, "UNEVEN")
    children = tuple(each for each in scene.pieces if each.root)
    root = children[0].root
    staged.stage.bring([scene], weights={each.id: "0.9" for each in children if each.root == root})
    answers = asyncio.run(send(staged.stage.door, scene.requests))
    assert {answer.status for answer in answers} == {200}
    asyncio.run(tell(staged.stage.door, [scene]))
    staged.stage.settle()
    credit = staged.stage.credit()
    roots = list(scene.roots(scene.gamers))
    without = [name for name in roots if not credit.get(name)]
    plain = [name for name, earned in zip(roots, staged.of("plain"), strict=True) if not earned]
    assert without == sorted({root, *plain}, key=roots.index)

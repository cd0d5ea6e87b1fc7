"""What is learnt of boilerplate month by month, and what is frozen for a policy version."""

import datetime
from decimal import Decimal

import numpy as np
import pytest

from gateway import policy
from gateway.app.learning import Learner
from gateway.errors import RegistryUnavailable
from gateway.likeness import Learning
from gateway.stores.memory_boilerplate import Boilerplate


class Calendar:
    """A clock that stands in the middle of a month."""

    def __init__(self, year: int, month: int) -> None:
        self.move(year, month)

    def move(self, year: int, month: int) -> None:
        self.now = datetime.datetime(year, month, 15, tzinfo=datetime.UTC).timestamp()

    def __call__(self) -> float:
        return self.now


class Away(Boilerplate):
    """A store that cannot be reached."""

    def frozen(self, policy: str) -> bytes | None:
        raise RegistryUnavailable("it is away")


def version(saturation: int = 10, roots: int = 2) -> policy.PolicySet:
    credit = f"credit: {{saturation: {saturation}, boilerplate_roots: {roots}}}"
    return policy.load([("a.yaml", f"version: 1\nrules: []\n{credit}")])


def grams(*numbers: int) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    return np.array(numbers, np.uint64)


def numbers(packed: bytes) -> list[int]:
    return [int(each) for each in np.frombuffer(packed, "<u8")]


async def test_what_this_month_and_the_last_one_said_is_frozen_once_for_a_version() -> None:
    clock, learning, store = Calendar(2026, 12), Learning(), Boilerplate()
    learner = Learner(store, learning, clock)
    learning.note("PAY-1", grams(1, 2, 3))
    assert numbers(await learner.freeze(version())) == []
    clock.move(2027, 1)
    learning.note("PAY-2", grams(2, 3, 4))
    assert numbers(await learner.freeze(version(11))) == [2, 3]
    learning.note("PAY-3", grams(3, 4))
    assert numbers(await learner.freeze(version(12, roots=3))) == [3]
    assert numbers(await learner.freeze(version(11))) == [2, 3]
    assert numbers(await learner.freeze(version())) == []
    clock.move(2027, 2)
    assert numbers(await learner.freeze(version(13))) == [3, 4]
    assert store.seen("2026-12") == []
    assert len(store.seen("2027-01")) == 2


async def test_nothing_is_guessed_where_what_was_frozen_cannot_be_read() -> None:
    learner = Learner(Away(), Learning(), Calendar(2026, 12))
    with pytest.raises(RegistryUnavailable):
        await learner.freeze(version())


def test_how_many_roots_are_many_is_the_policy_s() -> None:
    assert version(roots=7).settings.credit.boilerplate_roots == 7
    assert version().settings.credit.saturation == Decimal(10)

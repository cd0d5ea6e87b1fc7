"""Boilerplate: what many roots say, and nothing that one says often."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.likeness import Observer, learning
from gateway.likeness.learning import FROZEN_MAX, GRAMS_MAX, Learning, widespread
from gateway.values import Turn

_SEEN = st.lists(st.tuples(st.sampled_from("abcdef"), st.lists(st.integers(0, 20), max_size=8)))


def _packed(*grams: int) -> bytes:
    return np.array(grams, "<u8").tobytes()


def _array(*grams: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.array(grams, np.uint64)


def _numbers(packed: bytes) -> list[int]:
    return [int(each) for each in np.frombuffer(packed, "<u8")]


@given(_SEEN, st.integers(2, 6))
def test_it_is_what_so_many_different_roots_have(
    seen: list[tuple[str, list[int]]], roots_min: int
) -> None:
    """However often one of them says it, and in whatever order they come."""
    having: dict[int, set[str]] = {}
    for root, grams in seen:
        for gram in grams:
            having.setdefault(gram, set()).add(root)
    expected = sorted(gram for gram, roots in having.items() if len(roots) >= roots_min)
    packed = [(root, _packed(*grams)) for root, grams in seen]
    assert _numbers(widespread(packed, roots_min)) == expected
    assert widespread(packed[::-1], roots_min) == widespread(packed, roots_min)


def test_of_too_much_the_most_widespread_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "FROZEN_MAX", 2)
    seen = [(root, _packed(1, 2, 3)) for root in "ab"] + [("c", _packed(3, 9)), ("d", _packed(2))]
    assert _numbers(widespread(seen, 2)) == [2, 3]
    assert FROZEN_MAX * 8 == 512 * 1024


def test_what_was_noted_is_taken_once_in_a_period() -> None:
    found = Learning()
    found.note("a", _array(3, 1, 3))
    found.note("b", _array(1))
    found.note("a", _array(1, 7))
    assert found.take("2026-11") == [("a", _packed(3, 1, 7)), ("b", _packed(1))]
    found.note("a", _array(7, 8))
    found.note("b", _array(1))
    assert found.take("2026-11") == [("a", _packed(8))]
    assert found.take("2026-11") == []
    found.note("a", _array(7, 8))
    assert found.take("2026-12") == [("a", _packed(7, 8))]


def test_a_root_has_a_say_in_its_first_runs_alone() -> None:
    found = Learning()
    found.note("a", _array(*range(200)))
    found.note("a", _array(*range(150, 400)))
    ((_, taken),) = found.take("2026-11")
    assert _numbers(taken) == list(range(GRAMS_MAX))
    found.note("a", _array(500))
    assert found.take("2026-11") == []
    found.note("b", _array())
    found.note("c", _array(*range(5_000)))
    assert [root for root, _ in found.take("2026-11")] == ["c"]


def test_what_is_remembered_of_roots_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "ROOTS_REMEMBERED_MAX", 2)
    found = Learning()
    for root in "abc":
        found.note(root, _array(1))
    assert len(found.take("2026-11")) == 3
    for root in "abc":
        found.note(root, _array(1))
    assert found.take("2026-11") == [("a", _packed(1))]


def test_what_is_frozen_is_known() -> None:
    found = Learning()
    assert found.size == 0
    found.freeze(_packed(2, 5, 2**64 - 1))
    assert found.size == 3
    said = _array(1, 2, 3, 5, 6, 2**64 - 1, 0)
    assert found.is_boilerplate(said).tolist() == [False, True, False, True, False, True, False]


_TEMPLATE = "you are a careful engineer who mends the failing tests of this repository"
_OWN = "the parser of dates takes the month for the day when both are small"


def _units(observer: Observer, text: str, root: str) -> set[str]:
    return set(observer.observe(Turn(texts=(text,)), scope=b"s" * 16, root=root).units)


def test_a_template_of_many_roots_counts_no_more_once_it_is_frozen() -> None:
    """What a caller says beside it counts as before, in what was said and what tools answered."""
    observer = Observer(b"s" * 32)
    before = _units(observer, f"{_TEMPLATE}\n{_OWN}", "root-0")
    for number in range(1, 20):
        _units(observer, f"{_TEMPLATE} number {number}", f"root-{number}")
    frozen = widespread(observer.learning.take("2026-11"), 20)
    observer.learning.freeze(frozen)
    after = _units(observer, f"{_TEMPLATE}\n{_OWN}", "root-0")
    assert after < before
    assert _units(observer, _TEMPLATE, "root-0") == set()
    assert after >= _units(observer, _OWN, "root-0") != set()
    answered = Turn(texts=(), results=(_TEMPLATE,))
    assert observer.observe(answered, scope=b"s" * 16, root="root-0").units == ()


def test_its_hashes_are_no_units_of_any_root() -> None:
    observer = Observer(b"s" * 32)
    units = _units(observer, _OWN, "root-0")
    ((_, grams),) = observer.learning.take("2026-11")
    assert len(grams) == 8 * len(units)
    assert not units & {f"{each:016x}" for each in _numbers(grams)}


def test_a_turn_without_a_root_teaches_nothing() -> None:
    observer = Observer(b"s" * 32)
    observer.observe(Turn(texts=(_OWN,)), scope=b"s" * 16, root=None)
    assert observer.learning.take("2026-11") == []


def test_who_has_said_enough_in_a_period_is_heard_again_in_the_next() -> None:
    observer = Observer(b"s" * 32)
    letters = "abcdefghijklmnopqrstuvwxyz"
    many = " ".join(f"par{one}{other}er" for one in letters for other in letters)
    counted = _units(observer, many, "root-0")
    ((_, grams),) = observer.learning.take("2026-11")
    assert len(grams) == 8 * GRAMS_MAX
    assert not observer.learning.wants("root-0")
    assert observer.learning.wants("root-1")
    assert _units(observer, many, "root-0") == counted
    assert _units(observer, _OWN, "root-0")
    assert observer.learning.take("2026-11") == []
    observer.learning.take("2026-12")
    assert observer.learning.wants("root-0")

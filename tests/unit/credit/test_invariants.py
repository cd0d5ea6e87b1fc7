"""The invariants of credit (design section 7), over the real folds."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway import credit, ledger
from gateway.credit import phi
from tests.unit.credit.stories import (
    ACCEPTED,
    DAY_US,
    NOW_US,
    PARAMETERS,
    UNITS,
    WORK,
    call,
    flat,
    outcome,
    recomputed,
    stated,
    total,
    valuation,
)


def worked(work: list[set[int]], **changes: object) -> list[ledger.Leaf]:
    """Return the leaves of calls that asked these units."""
    return flat(call(number, units, **changes) for number, units in enumerate(work, 1))


@given(WORK, st.integers(1, 5))
def test_i1_a_duplicate_adds_nothing_however_often_it_comes(
    work: list[set[int]], times: int
) -> None:
    again = flat(
        call(100 * each + number, units)
        for each in range(1, times + 1)
        for number, units in enumerate(work)
    )
    assert total([*worked(work), *again, *ACCEPTED]) == total([*worked(work), *ACCEPTED])


@given(WORK, st.lists(st.sets(st.integers(300, 900), min_size=1, max_size=9), max_size=9))
def test_i1_near_duplicates_add_at_most_the_headroom_however_many(
    work: list[set[int]], new: list[set[int]]
) -> None:
    honest = stated([*worked(work), *ACCEPTED])
    variants = flat(call(500 + number, units) for number, units in enumerate(new))
    gained = total([*worked(work), *variants, *ACCEPTED]) - honest.total
    several = len(set().union(*new)) if new else 0
    headroom = 1 - honest.roots[0].phi
    assert 0 <= gained <= min(headroom, several / PARAMETERS.saturation)


@given(UNITS, st.lists(st.integers(0, 3), min_size=71, max_size=71))
def test_i2_splitting_a_prompt_never_gains(units: set[int], cut: list[int]) -> None:
    pieces = [{unit for at, unit in enumerate(units) if cut[at] == part} for part in range(3)]
    assert total([*worked(pieces), *ACCEPTED]) <= total([*worked([units]), *ACCEPTED])


@given(WORK, st.lists(st.sampled_from(["alice", "bob", "c" * 32]), min_size=6, max_size=6))
def test_i3_who_asks_and_with_which_key_does_not_matter(
    work: list[set[int]], people: list[str]
) -> None:
    others = flat(
        call(number, units, principal=people[number - 1], team="another", tenant="other")
        for number, units in enumerate(work, 1)
    )
    assert total([*others, *ACCEPTED]) == total([*worked(work), *ACCEPTED])


@given(WORK, st.decimals(0, 1000, places=3))
def test_i4_a_root_never_comes_to_more_than_its_value(work: list[set[int]], value: Decimal) -> None:
    leaves = [*worked(work), outcome(), valuation(value=str(value))]
    assert 0 <= total(leaves) <= value


def test_i4_each_unit_adds_less_than_the_one_before() -> None:
    steps = [phi(x + 1, Decimal(10)) - phi(x, Decimal(10)) for x in range(64)]
    assert steps == sorted(steps, reverse=True)
    assert min(steps) > 0
    assert phi(64, Decimal(10)) < 1


@given(WORK)
def test_i5_without_an_outcome_there_is_no_credit(work: list[set[int]]) -> None:
    assert total([*worked(work), valuation()]) == 0
    undone = outcome(1, "reverted", at_us=NOW_US + 2 * DAY_US)
    assert total([*worked(work), *ACCEPTED, undone]) == 0


@given(WORK, UNITS)
def test_i6_an_honest_call_never_lowers_anything(work: list[set[int]], more: set[int]) -> None:
    before = stated([*worked(work), *ACCEPTED])
    after = stated([*worked(work), *call(99, more), *ACCEPTED])
    for old, new in zip(before.roots, after.roots, strict=True):
        assert new.settled >= old.settled


@given(WORK, st.randoms(use_true_random=False), st.integers(0, 3))
def test_i7_order_replicas_and_redelivery_do_not_matter(
    work: list[set[int]], random: st.DataObject, late_days: int
) -> None:
    said = [
        outcome(0, at_us=NOW_US + 3),
        outcome(1, "reverted", at_us=NOW_US + 9 * DAY_US),
        outcome(2, at_us=NOW_US + 10 * DAY_US, occurred_at_us=NOW_US + late_days * 5 * DAY_US),
    ]
    events: list[list[ledger.Leaf]] = [[valuation()]]
    events += [[each] for each in said]
    calls = [call(number, units) for number, units in enumerate(work, 1)]
    parts = [*events, *calls]
    random.shuffle(parts)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    shuffled = flat(parts)
    straight = recomputed([*flat(calls), *flat(events)])
    assert stated(shuffled).encoded() == straight.encoded()
    assert recomputed(shuffled).encoded() == straight.encoded()
    again = [*shuffled, *shuffled]
    assert stated(again).total == straight.total


@given(WORK, st.integers(1, 12))
def test_i8_splitting_a_task_conserves_its_value(work: list[set[int]], parts: int) -> None:
    tasks = [f"PAY-{number}" for number in range(2, 2 + parts)]
    share = str(Decimal(1) / parts).ljust(4, "0")[:10]
    rest = str(1 - Decimal(share) * (parts - 1))
    weights = [(task, share) for task in tasks[:-1]] + [(tasks[-1], rest)]
    each = [outcome(number, task_id=task) for number, task in enumerate(tasks)]
    made_up = outcome(99, task_id="PAY-99")
    whole = total([*worked(work), *ACCEPTED])
    split = total([*worked(work), valuation(weights=weights), *each, made_up])
    assert abs(split - whole) <= Decimal("1e-11")


@given(st.integers(1, 30), st.integers(0, 12), st.integers(1, 5))
def test_i8_more_unvalued_roots_never_come_to_more_than_their_team_s_budget(
    roots: int, size: int, bots: int
) -> None:
    leaves: list[ledger.Leaf] = []
    for number in range(roots + bots):
        root: dict[str, Any] = {"root_id": f"R-{number}"}
        leaves += call(number, range(70), **root, task_id=f"R-{number}")
        leaves.append(valuation(value="", team_size=size, by_bot=number >= roots, **root))
        leaves.append(outcome(number, **root, task_id=f"R-{number}"))
    assert total(leaves) <= min(size, roots)
    assert (total(leaves) == 0) == (size == 0)


@given(
    WORK,
    st.sampled_from(["gpt-5", "claude"]),
    st.integers(0, 9),
    st.sampled_from(["chat", "messages"]),
)
def test_i9_the_model_and_what_it_answers_do_not_matter(
    work: list[set[int]], model: str, tokens: int, route: str
) -> None:
    others = [
        msgspec.structs.replace(leaf, output_tokens=tokens, reasoning_tokens=tokens)
        if isinstance(leaf, ledger.Settle)
        else leaf
        for leaf in worked(work, model_served=model, route=route, decision="reused")
    ]
    assert total([*others, *ACCEPTED]) == total([*worked(work), *ACCEPTED])


@given(WORK, st.lists(st.integers(-300 * DAY_US, DAY_US - 9), min_size=6, max_size=6))
def test_i10_when_calls_come_does_not_matter_while_the_task_is_open(
    work: list[set[int]], moved: list[int]
) -> None:
    shifted = flat(
        call(number, units, received_at_us=NOW_US + moved[number - 1])
        for number, units in enumerate(work, 1)
    )
    assert total([*shifted, *ACCEPTED]) == total([*worked(work), *ACCEPTED])


@given(WORK, st.lists(UNITS, max_size=4), st.sampled_from(["claimed", "inferred", "none"]))
def test_i11_who_is_no_member_changes_nothing(
    work: list[set[int]], theirs: list[set[int]], evidence: str
) -> None:
    strangers = flat(
        call(700 + number, units, evidence=evidence) for number, units in enumerate(theirs)
    )
    assert total([*worked(work), *strangers, *ACCEPTED]) == total([*worked(work), *ACCEPTED])


@given(WORK)
def test_i12_it_comes_to_the_same_bytes_from_an_export(work: list[set[int]]) -> None:
    leaves = [*worked(work), *ACCEPTED]
    exported: list[Any] = [ledger.decode(ledger.encode(leaf)) for leaf in leaves]
    assert recomputed(exported).encoded() == stated(leaves).encoded()
    kept = {
        name: credit.unpack(credit.pack(root))
        for name, root in credit.recompute(lambda: leaves).roots.items()
    }
    assert kept == credit.recompute(lambda: leaves).roots


def test_i14_an_error_leaves_its_root_without_credit_and_the_others_with_theirs() -> None:
    broken: list[ledger.Leaf] = [
        outcome(1, root_id="BAD-1", task_id="BAD-1", policy="sha256:unknown"),
        outcome(2, root_id="BAD-2", task_id="BAD-2"),
        outcome(3, root_id="BAD-3", task_id="BAD-3"),
        outcome(4, root_id="BAD-4", task_id="BAD-4"),
        outcome(5, root_id="BAD-5", task_id="BAD-5"),
        valuation(root_id="BAD-1"),
        valuation(root_id="BAD-3", value="many"),
        valuation(root_id="BAD-4", weights=[("BAD-4", "0.5")]),
        valuation(root_id="BAD-5", value="-1"),
    ]
    found = stated([*worked([{1, 2}]), *ACCEPTED, *broken])
    assert {root.root_id: root.unscored for root in found.roots if root.unscored} == {
        "BAD-1": "the policy it was accepted under is not to be had",
        "BAD-2": "nothing says what it is worth",
        "BAD-3": "a value or weight of it is no number",
        "BAD-4": "the weights of its tasks do not sum to 1",
        "BAD-5": "a value or weight of it is out of bounds",
    }
    assert found.total == total([*worked([{1, 2}]), *ACCEPTED]) > 0

"""Unlinked cost, folded into hours."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway import ledger
from gateway.ledger import hours
from gateway.ledger.hours import Fold, HourSum
from tests.stores.ledgers import cost_intent, cost_settle


def nothing_open(_: str) -> None:
    return None


def test_a_refusal_is_counted_at_once_and_apart() -> None:
    done = hours.fold([cost_intent(1, settled=True)], nothing_open)
    assert list(done.sums.values()) == [HourSum(calls=1, refused=1)]
    assert done.opened == {}


def test_an_orphan_comes_to_its_bound() -> None:
    settled = hours.orphan(cost_intent(1), ("r1", 7))
    done = hours.fold([settled], {cost_intent(1).attempt_id: cost_intent(1)}.get)
    assert list(done.sums.values()) == [HourSum(calls=1, tokens=1_000, cost_usd=Decimal("0.5"))]
    assert done.closed == [cost_intent(1).attempt_id]


amounts = st.lists(st.decimals(0, 10, places=9), min_size=1, max_size=12)


@given(amounts, st.integers(0, 24), st.data())
def test_pairs_come_to_the_same_however_they_are_cut(
    costs: list[Decimal], cut: int, data: st.DataObject
) -> None:
    """Folding in two parts, with settles repeated, counts each call once and to the last digit."""
    records: list[ledger.CostIntent | ledger.CostSettle] = []
    for number, cost in enumerate(costs):
        records.append(cost_intent(number))
        settled = cost_settle(number, cost_usd=f"{cost:f}")
        records += [settled] * data.draw(st.integers(1, 2))
    first = hours.fold(records[:cut], nothing_open)
    second = hours.fold(records[cut:], first.opened.get)
    total = HourSum()
    for each in (*first.sums.values(), *second.sums.values()):
        total.add(each)
    assert total == HourSum(calls=len(costs), tokens=30 * len(costs), cost_usd=sum(costs))
    assert second.opened == {}
    assert isinstance(second, Fold)


def test_what_hours_came_to_is_counted_by_team_and_model() -> None:
    sums = hours.fold(
        [cost_intent(1), cost_settle(1, cost_usd="0.25"), cost_intent(2, settled=True)],
        nothing_open,
    ).sums
    ((at, _), *_rest) = sums.items()
    end_us = (at.hour + 3600) * 1_000_000

    assert hours.spent(sums, 0, ["team"], "calls") == [((at.team,), 1)]
    assert hours.spent(sums, 0, ["model_requested"], "tokens") == [((at.model,), 30)]
    assert hours.spent(sums, end_us - 1, [], "cost_usd") == [((), 250_000_000)]
    assert hours.spent(sums, end_us, [], "cost_usd") == []
    assert hours.spent(sums, 0, ["team", "task_id"], "calls") == []

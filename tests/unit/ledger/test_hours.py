"""Unlinked cost, folded into hours."""

from collections.abc import Container
from decimal import Decimal
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from gateway import ledger
from gateway.ledger import hours
from gateway.ledger.hours import Fold, HourKey, HourSum
from tests.stores.ledgers import HOUR, cost_intent, cost_settle


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


def test_an_hour_is_closed_two_minutes_after_its_end() -> None:
    assert not hours.is_closed(HOUR, HOUR + 3_719)
    assert hours.is_closed(HOUR, HOUR + 3_720)


def leaves(sums: dict[HourKey, HourSum], small: Container[str] = ()) -> list[ledger.CostHour]:
    numbers = count(5)
    return hours.leaves(
        HOUR,
        sums,
        first_n=2,
        stamp=lambda: ("s1", next(numbers)),
        is_small=lambda team: team in small,
    )


def test_an_hour_becomes_one_leaf_with_small_teams_together() -> None:
    sums = {
        HourKey(HOUR, "b", "m", "unknown"): HourSum(2, 1, 30, Decimal("0.10")),
        HourKey(HOUR, "tiny", "m", "unknown"): HourSum(1, 0, 5, Decimal("0.2")),
        HourKey(HOUR, "a", "m", "unknown"): HourSum(1, 0, 7, Decimal("0.3")),
        HourKey(HOUR, "small", "m", "unknown"): HourSum(3, 3, 0, Decimal(0)),
    }
    [leaf] = leaves(sums, {"tiny", "small"})
    assert leaf.attempt_id == f"hour_{HOUR}"
    assert (leaf.hour, leaf.n, leaf.replica, leaf.replica_seq) == (HOUR, 2, "s1", 5)
    assert leaf.rows == (
        ledger.CostRow("(small teams)", "m", "unknown", 4, 3, 5, "0.2"),
        ledger.CostRow("a", "m", "unknown", 1, 0, 7, "0.3"),
        ledger.CostRow("b", "m", "unknown", 2, 1, 30, "0.10"),
    )
    assert sums[HourKey(HOUR, "tiny", "m", "unknown")].calls == 1
    assert leaves({}) == []


@given(st.lists(st.integers(1, 256), min_size=1, max_size=900))
def test_overlong_hours_are_several_leaves_that_add(sizes: list[int]) -> None:
    sums = {
        HourKey(HOUR, "team", f"{number:04}" + "ä" * size, "unknown"): HourSum(
            number + 1, 0, number, Decimal(number) / 1_000
        )
        for number, size in enumerate(sizes)
    }
    made = leaves(sums)
    assert all(len(ledger.encode(leaf)) <= ledger.LEAF_BYTES_MAX for leaf in made)
    assert [leaf.n for leaf in made] == list(range(2, 2 + len(made)))
    assert [leaf.replica_seq for leaf in made] == list(range(5, 5 + len(made)))
    assert hours.summed((leaf.hour, row) for leaf in made for row in leaf.rows) == sums


def test_hours_are_chosen_by_team_model_and_time_newest_first() -> None:
    sums = {
        HourKey(HOUR + 3_600 * late, team, "m", "unknown"): HourSum(calls=1)
        for late in (0, 1)
        for team in ("b", "a")
    }

    def asked(**query: object) -> list[tuple[int, str]]:
        found = hours.chosen(sums, ledger.Query(**query))
        return [((at.hour - HOUR) // 3_600, at.team) for at, _ in found]

    assert asked() == [(1, "a"), (1, "b"), (0, "a"), (0, "b")]
    assert asked(limit=1) == [(1, "a")]
    assert asked(team="b") == [(1, "b"), (0, "b")]
    assert asked(model="other") == []
    assert asked(since_us=(HOUR + 3_600) * 1_000_000, team="a") == [(1, "a")]
    assert asked(until_us=(HOUR + 3_600) * 1_000_000, team="a") == [(0, "a")]

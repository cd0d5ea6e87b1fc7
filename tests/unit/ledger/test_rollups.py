"""Hourly sums: as they are kept, as they are folded again, and as they are asked for."""

import datetime

import msgspec
import pytest

from gateway import ledger
from gateway.ledger import rollups
from gateway.ledger.rollups import RollupKey, RollupSum, RuleKey
from tests.stores.ledgers import HOUR, NOW_US, intent, refusal, reveal, settle

OF_CALL = RollupKey(HOUR, "payments", "PROJ-1", "PROJ-2", "gpt-5-mini", "forwarded")


def adjust(number: int, **changes: object) -> ledger.Adjust:
    fields = msgspec.structs.asdict(settle(number, **changes))
    return ledger.Adjust(reason="late", **{k: v for k, v in fields.items() if k not in "kind n"})


def test_calls_are_summed_by_the_hour_they_were_received_in() -> None:
    found = rollups.fold(
        [
            intent(1),
            reveal(9),
            intent(2, rules=("a", "b")),
            settle(2, completion="failed", cost_usd="0.0000000011"),
            refusal(3),
        ]
    )
    assert found.sums == {
        OF_CALL: RollupSum(
            calls=2, settled=1, failed=1, input_tokens=10, output_tokens=20, cost_nano_usd=2
        ),
        OF_CALL._replace(model="fast", decision="refused"): RollupSum(calls=1),
    }
    assert found.rules == {
        RuleKey(HOUR, "require-task", "payments", "forwarded"): 1,
        RuleKey(HOUR, "a", "payments", "forwarded"): 1,
        RuleKey(HOUR, "b", "payments", "forwarded"): 1,
        RuleKey(HOUR, "team-budget", "payments", "refused"): 1,
    }


def test_an_adjust_replaces_the_figures_of_the_settle() -> None:
    lost = settle(1, completion="unknown_crash", output_tokens=900, cost_usd="0.5")
    found = rollups.fold([intent(1), lost, adjust(1, reasoning_tokens=3)])
    assert found.sums == {
        OF_CALL: RollupSum(
            calls=1,
            settled=1,
            input_tokens=10,
            output_tokens=20,
            reasoning_tokens=3,
            cost_nano_usd=2,
        )
    }


def at(year: int, month: int, day: int, hour: int) -> int:
    return int(datetime.datetime(year, month, day, hour, tzinfo=datetime.UTC).timestamp())


SUMS = {
    RollupKey(at(2026, 11, 30, 23), "a", "R", "T", "m", "forwarded"): RollupSum(calls=1),
    RollupKey(at(2026, 12, 1, 0), "a", "R", "T", "m", "forwarded"): RollupSum(calls=2),
    RollupKey(at(2026, 12, 1, 5), "b", "T", "T", "n", "reused"): RollupSum(calls=4),
    RollupKey(at(2026, 12, 9, 5), "b", "R", "U", "m", "refused"): RollupSum(calls=8),
}


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (["team"], [(("a",), 3), (("b",), 12)]),
        (["month"], [((at(2026, 11, 1, 0),), 1), ((at(2026, 12, 1, 0),), 14)]),
        (
            ["day", "team"],
            [
                ((at(2026, 11, 30, 0), "a"), 1),
                ((at(2026, 12, 1, 0), "a"), 2),
                ((at(2026, 12, 1, 0), "b"), 4),
                ((at(2026, 12, 9, 0), "b"), 8),
            ],
        ),
        (["task_id", "root_id"], [(("T", "R"), 3), (("T", "T"), 4), (("U", "R"), 8)]),
        (["decision"], [(("forwarded",), 3), (("refused",), 8), (("reused",), 4)]),
        (["model"], [(("m",), 11), (("n",), 4)]),
        ([], [((), 15)]),
    ],
)
def test_sums_are_asked_for_by_any_of_what_they_are_kept_by(
    by: list[str], expected: list[object]
) -> None:
    found = rollups.usage(SUMS, by, ledger.Query())
    assert [(values, came_to.calls) for values, came_to in found] == expected


def test_hours_stand_for_their_start() -> None:
    found = rollups.usage(SUMS, ["hour"], ledger.Query(limit=1))
    assert [values for values, _ in found] == [(at(2026, 11, 30, 23),)]


@pytest.mark.parametrize(
    ("query", "calls"),
    [
        ({"task": "T"}, 7),
        ({"task": "R"}, 11),
        ({"team": "b"}, 12),
        ({"model": "m"}, 11),
        ({"decision": "reused"}, 4),
        ({"since_us": at(2026, 12, 1, 0) * 1_000_000 + 5}, 14),
        ({"until_us": at(2026, 12, 1, 0) * 1_000_000}, 1),
        ({"until_us": at(2026, 12, 1, 0) * 1_000_000 + 1}, 3),
    ],
)
def test_a_query_chooses_among_the_sums(query: dict[str, object], calls: int) -> None:
    [(_, came_to)] = rollups.usage(SUMS, [], ledger.Query(**query))
    assert came_to.calls == calls


def test_the_effect_of_rules_is_asked_for_by_rule_team_and_time() -> None:
    hour = NOW_US // 3_600_000_000 * 3_600
    calls = {
        RuleKey(hour, "x", "a", "refused"): 1,
        RuleKey(hour - 3_600, "x", "a", "refused"): 2,
        RuleKey(hour, "x", "b", "forwarded"): 4,
        RuleKey(hour, "y", "a", "refused"): 8,
    }

    def asked(**query: object) -> list[tuple[tuple[str, str, str], int]]:
        return rollups.rule_usage(calls, ledger.Query(**query))

    assert asked() == [
        (("x", "a", "refused"), 3),
        (("x", "b", "forwarded"), 4),
        (("y", "a", "refused"), 8),
    ]
    assert asked(rule="x", team="a") == [(("x", "a", "refused"), 3)]
    assert asked(decision="forwarded") == [(("x", "b", "forwarded"), 4)]
    assert asked(since_us=NOW_US, rule="x", team="a") == [(("x", "a", "refused"), 1)]
    assert asked(limit=1) == [(("x", "a", "refused"), 3)]
